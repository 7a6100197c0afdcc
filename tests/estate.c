// SPDX-License-Identifier: GPL-2.0-only
/* A family of processes with one of everything that a move has to bring along, for tests/lib/inventory.py to compare. */

/*
 * estate: makes it all below /root, /tmp and /dev/shm, creates /run/estate.ready, and sleeps. At SIGUSR1 each process writes what only itself can say to /run/estate/PID.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MB	    (1 << 20)
#define REPORTS	    70 /* a descriptor: not all of them see the directory */
#define FOREVER_S   36000
#define LARGE	    (20 * MB)
#define EDGE	    (64 << 10)
#define IOPRIO_BE_6 (2 << 13 | 6)

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "estate: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static int file(const char *path, int flags)
{
	int fd = open(path, flags, 0640);

	must(fd >= 0, path);
	return fd;
}

static void tell(const char *path, const char *value)
{
	int fd = file(path, O_WRONLY);

	must(write(fd, value, strlen(value)) == (ssize_t)strlen(value) && close(fd) == 0, path);
}

/* --- what it has open --- */

static void own_files(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_start = 3, .l_len = 4};
	int fd = file("/root/estate.file", O_RDWR | O_CREAT);
	int gone = file("/root/estate.gone", O_RDWR | O_CREAT);
	int append = file("/root/estate.log", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC);
	int locked = file("/root/estate.locked", O_RDWR | O_CREAT);
	int temporary = file("/tmp/estate.gone", O_RDWR | O_CREAT);

	must(write(fd, "0123456789", 10) == 10 && lseek(fd, 3, SEEK_SET) == 3, "write");
	must(dup2(fd, 60) == 60 && fcntl(locked, F_SETLK, &lock) == 0, "lock");
	/* As in databases: who closes the file that he maps now, loses the lock. */
	must(ftruncate(locked, 4096) == 0 &&
		     mmap(NULL, 4096, PROT_READ, MAP_SHARED, locked, 0) != MAP_FAILED,
	     "map what is locked");
	must(write(gone, "deleted", 7) == 7 && unlink("/root/estate.gone") == 0, "delete");
	must(write(temporary, "deleted", 7) == 7 && unlink("/tmp/estate.gone") == 0, "delete");
	must(write(append, "line\n", 5) == 5 && flock(append, LOCK_EX) == 0, "append");
	file("/root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	file("/root/estate.file", O_RDONLY | O_NONBLOCK);
	file("/dev/null", O_WRONLY);
	file("/proc/self/status", O_RDONLY);
	file("/sys/fs/cgroup/cgroup.procs", O_RDONLY);
}

static void own_watchers(void)
{
	const struct itimerspec far = {.it_interval = {.tv_sec = 60},
				       .it_value = {.tv_sec = FOREVER_S}};
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = 0x1234567890};
	int ep = epoll_create1(EPOLL_CLOEXEC), counter = eventfd(7, EFD_NONBLOCK);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC),
	    watch = inotify_init1(IN_NONBLOCK);
	int ends[2];
	sigset_t set;

	must(pipe2(ends, O_NONBLOCK) == 0 && write(ends[1], "in the pipe", 11) == 11, "pipe");
	must(fcntl(ends[1], F_SETPIPE_SZ, 16 * 4096) > 0, "pipe size");
	must(timerfd_settime(timer, 0, &far, NULL) == 0, "timerfd");
	mkdir("/tmp/estate.dir", 0700);
	must(inotify_add_watch(watch, "/tmp/estate.dir", IN_CREATE | IN_MODIFY) > 0, "inotify");
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	must(signalfd(-1, &set, SFD_CLOEXEC) >= 0, "signalfd");
	must(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event) == 0 &&
		     epoll_ctl(ep, EPOLL_CTL_ADD, counter, &event) == 0 &&
		     epoll_ctl(ep, EPOLL_CTL_ADD, timer, &event) == 0,
	     "epoll");
}

static void own_sockets(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(7001)};
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/root/estate.sock"};
	int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	int local = socket(AF_UNIX, SOCK_STREAM, 0), udp = socket(AF_INET6, SOCK_DGRAM, 0);
	int pair[2], one = 1, accepted;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(setsockopt(client, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)) == 0, "keepalive");
	must(bind(server, (void *)&in, sizeof(in)) == 0 && listen(server, 5) == 0, "listen");
	must(connect(client, (void *)&in, sizeof(in)) == 0, "connect");
	accepted = accept(server, NULL, NULL);
	must(write(client, "unread", 6) == 6 && write(accepted, "unread, too", 11) == 11, "send");
	must(bind(local, (void *)&un, sizeof(un)) == 0 && listen(local, 5) == 0, "unix");
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0 &&
		     write(pair[0], "message", 7) == 7,
	     "socketpair");
	must(udp >= 0 && socket(AF_NETLINK, SOCK_RAW, 0) >= 0, "sockets");
}

/* --- its memory --- */

/* LARGE bytes that all its children have by fork, with EDGE bytes before them that none can use. */
static char *large;

static void *map(size_t len, int prot, int flags, int fd)
{
	void *p = mmap(NULL, len, prot, flags, fd, 0);

	must(p != MAP_FAILED, "mmap");
	return p;
}

static void own_memory(void)
{
	const int rw = PROT_READ | PROT_WRITE, anon = MAP_PRIVATE | MAP_ANONYMOUS;
	int memfd = memfd_create("estate", MFD_ALLOW_SEALING),
	    shm = file("/dev/shm/estate", O_RDWR | O_CREAT);
	int segment = shmget(0x5ee9, MB, IPC_CREAT | 0600),
	    queue = msgget(0x5ee9, IPC_CREAT | 0600);
	struct {
		long type;
		char text[8];
	} message = {1, "waiting"};
	char *p = map(EDGE + LARGE, PROT_NONE, anon, -1);

	large = p + EDGE;
	must(mprotect(large, LARGE, rw) == 0, "mprotect");
	for (size_t at = 0; at < LARGE; at += 4096)
		large[at] = (char)(at >> 12 | 1);
	memset(map(MB, rw, MAP_SHARED | MAP_ANONYMOUS, -1), 1, MB);
	must(ftruncate(memfd, MB) == 0 && ftruncate(shm, MB) == 0, "size");
	memset(map(MB, rw, MAP_SHARED, memfd), 2, MB);
	memset(map(MB, rw, MAP_SHARED, shm), 3, MB);
	memset(map(8192, rw, MAP_PRIVATE, file("/root/estate.file", O_RDWR | O_CREAT)), 4, 100);
	must(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK) == 0, "seal");
	p = shmat(segment, NULL, 0);
	must(p != (void *)-1, "shmat");
	memset(p, 5, MB / 2);
	must(semget(0x5ee9, 3, IPC_CREAT | 0600) >= 0, "semget");
	must(msgsnd(queue, &message, sizeof(message.text), 0) == 0, "msgsnd");
	map(MB, PROT_NONE, anon, -1);
	p = map(4 * MB, rw, anon, -1);
	must(madvise(p, MB, MADV_NOHUGEPAGE) == 0 && madvise(p + MB, MB, MADV_DONTFORK) == 0 &&
		     madvise(p + 2 * MB, MB, MADV_DONTDUMP) == 0,
	     "madvise");
	must(mlock(p + 3 * MB, 4 * 4096) == 0, "mlock");
	must(mprotect(p + 3 * MB + 8 * 4096, 4096, PROT_READ) == 0, "mprotect");
}

/*
 * The kernel makes one mapping of large and of what becomes writable beside it: so, without either of them touching it, that of a parent and that of its child do not begin, or do
 * not end, at the same address any more. (mmap(2) does the same whenever the place that it chooses is beside another mapping: a matter of chance.)
 */
static void grow_large(void)
{
	must(mprotect(large - EDGE, EDGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
	large[-EDGE] = 1;
}

static void shrink_large(void)
{
	must(munmap(large + LARGE - EDGE, EDGE) == 0, "munmap");
}

/* --- what it is --- */

static void on_signal(int sig)
{
	(void)sig;
}

/* musl's own always fails. */
static long set_policy(int policy)
{
	const struct sched_param none = {0};

	return syscall(SYS_sched_setscheduler, 0, policy, &none);
}

static void *thread(void *arg)
{
	stack_t stack = {.ss_size = 64 << 10};
	long number = (long)arg;
	sigset_t set;
	char name[16];

	stack.ss_sp = map(stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	snprintf(name, sizeof(name), "thread-%ld", number);
	sigfillset(&set);
	if (number == 2)
		sigdelset(&set, SIGHUP);
	must(prctl(PR_SET_NAME, name) == 0 && sigaltstack(&stack, NULL) == 0 &&
		     pthread_sigmask(SIG_SETMASK, &set, NULL) == 0,
	     "thread");
	if (number == 3)
		must(set_policy(SCHED_BATCH) == 0 &&
			     setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 7) == 0,
		     "thread's schedule");
	for (;;)
		pause();
	return NULL;
}

static void own_threads(void)
{
	pthread_t t;

	for (long i = 1; i <= 3; i++)
		must(pthread_create(&t, NULL, thread, (void *)i) == 0, "thread");
}

static void own_timers(void)
{
	const struct itimerval real = {.it_value = {.tv_sec = FOREVER_S}};
	const struct itimerspec far = {.it_value = {.tv_sec = FOREVER_S}};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2};
	timer_t timer;

	must(setitimer(ITIMER_REAL, &real, NULL) == 0, "itimer");
	must(timer_create(CLOCK_BOOTTIME, &event, &timer) == 0 &&
		     timer_settime(timer, 0, &far, NULL) == 0,
	     "timer");
}

static void own_signals(void)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	const struct sigaction handle = {.sa_handler = on_signal,
					 .sa_flags = SA_RESTART | SA_ONSTACK};
	union sigval value = {.sival_int = 42};
	sigset_t set;

	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGTERM, &handle, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1); /* for sigwait(3) */
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	must(kill(getpid(), SIGUSR2) == 0 && sigqueue(getpid(), SIGRTMIN + 1, value) == 0,
	     "signals");
}

/* Without malloc(3), whose habits would be seen as mappings that come and go. */
static void report(void)
{
	char path[64];
	int subreaper = -1, death = -1, fd;
	struct itimerval timer;
	stack_t stack;

	snprintf(path, sizeof(path), "%d", getpid());
	fd = openat(REPORTS, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	must(fd >= 0, path);
	prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
	prctl(PR_GET_PDEATHSIG, &death);
	getitimer(ITIMER_REAL, &timer);
	sigaltstack(NULL, &stack);
	dprintf(fd, "subreaper %d\npdeathsig %d\ndumpable %d\nkeepcaps %d\nsecurebits %d\n",
		subreaper, death, prctl(PR_GET_DUMPABLE), prctl(PR_GET_KEEPCAPS),
		prctl(PR_GET_SECUREBITS));
	dprintf(fd, "slack %d\nthp %d\nstack %d\nitimer %d\nioprio %ld\npriority %d\nsession %d\n",
		prctl(PR_GET_TIMERSLACK), prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), stack.ss_flags,
		timer.it_value.tv_sec > 0, syscall(SYS_ioprio_get, 1, 0),
		getpriority(PRIO_PROCESS, 0), getsid(0));
	close(fd);
}

static void live(void)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	for (;;)
		if (sigwait(&set, &sig) == 0)
			report();
}

static pid_t child(const char *name, void (*become)(void))
{
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (pid)
		return pid;
	must(prctl(PR_SET_NAME, name) == 0, name);
	become();
	live();
	_exit(0);
}

static void in_a_session(void)
{
	must(setsid() > 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 &&
		     prctl(PR_SET_PDEATHSIG, SIGHUP) == 0,
	     "session");
	must(chdir("/tmp") == 0, "chdir");
	umask(0);
	setenv("ESTATE", "changed later", 1);
	shrink_large();
	child("grandchild", own_timers);
}

static void a_user(void)
{
	gid_t groups[] = {100, 27};

	must(setgroups(2, groups) == 0 && setresgid(1000, 1001, 1002) == 0 &&
		     setresuid(1000, 1001, 1002) == 0,
	     "ids");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0,
	     "prctl");
}

static void of_low_rank(void)
{
	const struct rlimit files = {100, 200}, core = {0, 0}, stack = {MB, 2 * MB};
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	tell("/proc/self/oom_score_adj", "500");
	must(setpriority(PRIO_PROCESS, 0, 5) == 0 && set_policy(SCHED_IDLE) == 0 &&
		     sched_setaffinity(0, sizeof(cpus), &cpus) == 0 &&
		     syscall(SYS_ioprio_set, 1, 0, IOPRIO_BE_6) == 0,
	     "schedule");
	must(setrlimit(RLIMIT_NOFILE, &files) == 0 && setrlimit(RLIMIT_CORE, &core) == 0 &&
		     setrlimit(RLIMIT_STACK, &stack) == 0,
	     "rlimit");
	must(prctl(PR_SET_TIMERSLACK, 123456) == 0, "slack");
	tell("/proc/self/coredump_filter", "7");
	prctl(PR_CAPBSET_DROP, 18); /* CAP_SYS_CHROOT */
	must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0, "thp");
}

static void chrooted(void)
{
	mkdir("/root/estate.root", 0755);
	must(chroot("/root/estate.root") == 0, "chroot");
}

static void nothing(void)
{
	_exit(3);
}

int main(void)
{
	pid_t still;

	must(mkdir("/run/estate", 0777) == 0 && chmod("/run/estate", 0777) == 0 &&
		     dup2(file("/run/estate", O_RDONLY | O_DIRECTORY), REPORTS) == REPORTS,
	     "reports");
	umask(027);
	own_files();
	own_memory();
	own_signals();
	own_sockets();
	own_watchers();
	child("session", in_a_session);
	child("user", a_user);
	child("low", of_low_rank);
	child("rooted", chrooted);
	still = child("stopped", own_timers);
	must(kill(still, SIGSTOP) == 0, "stop");
	child("dead", nothing);
	own_threads();
	own_timers();
	grow_large();
	close(file("/run/estate.ready", O_WRONLY | O_CREAT));
	live();
}
