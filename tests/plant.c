// SPDX-License-Identifier: GPL-2.0-only
/* What a program in a container can hold that stands in the way of a checkpoint, one kind a verb; and what looks like it and does not. */

/*
 *   plant KIND [WORD]     holds it until it is killed; the file /run/plant.ready says that it does
 *   plant --joined KIND [WORD]   the same for one that was brought into the container's namespaces, except the user's, by a test, with the host's
 *       rights and without the container's seccomp filter: it has itself adopted by the container's init, takes what the container may not
 *       have, and then becomes the container's root
 * Exit code 3: it cannot be had here (the kernel lacks it, or the container may not have it); the test then has nothing to plant.
 */
#include <errno.h>
#include <grp.h>
#include <linux/aio_abi.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/plant.h"

#define CANNOT 3
#define PAGE   4096UL
#define RING   (4 * PAGE)

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

const char *word; /* the second word, or "" */

static _Noreturn void stay(void)
{
	int fd = open("/run/plant.ready", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	for (;;)
		pause();
}

/* In a child that is there until we are not. */
pid_t plant_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

/* --- namespaces --- */

int plant_ns(void)
{
	static const struct {
		const char *name;
		int flag;
	} kinds[] = {{"uts", CLONE_NEWUTS},   {"ipc", CLONE_NEWIPC},	  {"pid", CLONE_NEWPID},
		     {"user", CLONE_NEWUSER}, {"net", CLONE_NEWNET},	  {"mnt", CLONE_NEWNS},
		     {"time", CLONE_NEWTIME}, {"cgroup", CLONE_NEWCGROUP}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, word) != 0)
			continue;
		if (unshare(kinds[i].flag) < 0)
			return -1;
		/* pid and time are of the children. */
		if (kinds[i].flag == CLONE_NEWPID || kinds[i].flag == CLONE_NEWTIME)
			return plant_child() < 0 ? -1 : 0;
		return 0;
	}
	errno = EINVAL;
	return -1;
}

/* A namespace that only a descriptor holds. */
int plant_nsfd(void)
{
	int fd;

	if (unshare(CLONE_NEWUTS) < 0)
		return -1;
	fd = open("/proc/self/ns/uts", O_RDONLY);
	if (fd < 0)
		return -1;
	int back = open("/proc/1/ns/uts", O_RDONLY);
	return back < 0 || setns(back, 0) < 0 ? -1 : close(back);
}

/* --- memory --- */

static int uring(unsigned flags, struct io_uring_params *p)
{
	memset(p, 0, sizeof(*p));
	p->flags = flags;
	return (int)syscall(SYS_io_uring_setup, 4, p);
}

int plant_uring(void)
{
	struct io_uring_params p;
	int fd = uring(0, &p);

	if (fd < 0)
		return -1;
	if (!strcmp(word, "fd"))
		return 0;
	if (mmap(NULL, RING, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING) ==
	    MAP_FAILED)
		return -1;
	/* As a ring whose descriptor is registered with itself and closed: only the mapping tells. */
	return !strcmp(word, "map") ? close(fd) : 0;
}

int plant_hugetlb(void)
{
	void *p = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE,
		       MAP_ANONYMOUS | MAP_HUGETLB |
			       (!strcmp(word, "shared") ? MAP_SHARED : MAP_PRIVATE),
		       -1, 0);

	if (p == MAP_FAILED)
		return -1;
	*(volatile char *)p = 1;
	return 0;
}

int plant_memfd(void)
{
	bool huge = !strcmp(word, "huge");
	int fd = (int)syscall(SYS_memfd_create, "plant", huge ? MFD_HUGETLB : 0);
	size_t size = huge ? 2 << 20 : PAGE;
	void *p;

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return -1;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -1;
	*(volatile char *)p = 1;
	return 0;
}

int plant_secret(void)
{
	int fd = (int)syscall(447 /* memfd_secret */, 0);

	if (fd < 0 || ftruncate(fd, PAGE) < 0)
		return -1;
	if (mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
		return -1;
	return !strcmp(word, "map") ? close(fd) : 0;
}

int plant_userfaultfd(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	int fd = (int)syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY);

	return fd < 0 ? -1 : ioctl(fd, UFFDIO_API, &api);
}

int plant_device_map(void)
{
	int fd = open(word, O_RDWR);

	return fd < 0 || mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0;
}

int plant_locked(void)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);

	return p == MAP_FAILED ? -1 : mlock(p, PAGE);
}

int plant_aio(void)
{
	static char buf[16];
	aio_context_t ctx = 0;
	int ends[2];
	struct iocb cb = {.aio_lio_opcode = IOCB_CMD_POLL,
			  .aio_buf = strcmp(word, "read") ? 1 : (uint64_t)(uintptr_t)buf};
	struct iocb *list[1] = {&cb};

	if (syscall(SYS_io_setup, 8, &ctx) < 0)
		return -1;
	if (!word[0])
		return 0;
	/* A request that does not come to its end. */
	if (pipe(ends) < 0)
		return -1;
	cb.aio_fildes = (uint32_t)ends[0];
	return syscall(SYS_io_submit, ctx, 1, list) == 1 ? 0 : -1;
}

/* --- processes --- */

static void *idle(void *arg)
{
	for (;;)
		pause();
	return arg;
}

int plant_traced(void)
{
	pid_t pid = plant_child();

	return pid < 0 ? -1 : (int)ptrace(PTRACE_SEIZE, pid, NULL, NULL);
}

int plant_stopped(void)
{
	pid_t pid = plant_child();

	return pid < 0 ? -1 : kill(pid, SIGSTOP);
}

int plant_zombie(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : 0;
}

static void *stay_as_thread(void *arg)
{
	stay();
	return arg;
}

/* The first thread has ended, the others go on. */
int plant_leader(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, stay_as_thread, NULL) != 0)
		return -1;
	pthread_exit(NULL);
}

int plant_thread_files(void)
{
	pthread_t t;

	return pthread_create(&t, NULL, idle, NULL) != 0 ? -1 : unshare(CLONE_FILES);
}

/* clone(2) without a thread: in a child with some of our things. */
static int share(int flags)
{
	static char stack[65536] __attribute__((aligned(16)));

	return clone((int (*)(void *))(void (*)(void))idle, stack + sizeof(stack), flags | SIGCHLD,
		     NULL) < 0
		       ? -1
		       : 0;
}

int plant_shared_vm(void)
{
	return share(CLONE_VM);
}

int plant_shared_fs(void)
{
	return share(CLONE_FS);
}

int plant_sem_undo(void)
{
	struct sembuf op = {.sem_op = 1, .sem_flg = SEM_UNDO};
	int id = semget(IPC_PRIVATE, 1, 0600);

	return id < 0 ? -1 : semop(id, &op, 1);
}

int plant_tty(void)
{
	int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), slave = -1, zero = 0;

	if (m < 0 || ioctl(m, TIOCSPTLCK, &zero) < 0)
		return -1;
	slave = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	if (slave < 0)
		return -1;
	if (!strcmp(word, "hangup"))
		return close(m);
	if (!strcmp(word, "session")) {
		setsid();
		return ioctl(slave, TIOCSCTTY, 0) < 0 || open("/dev/tty", O_RDWR) < 0 ? -1 : 0;
	}
	return 0;
}

int plant_nothing(void)
{
	return 0;
}

static const struct {
	const char *name;
	int (*plant)(void);
} kinds[] = {
	{"nothing", plant_nothing},
	{"inherited", plant_nothing},
	{"ns", plant_ns},
	{"nsfd", plant_nsfd},
	{"uring", plant_uring},
	{"hugetlb", plant_hugetlb},
	{"memfd", plant_memfd},
	{"secret", plant_secret},
	{"userfaultfd", plant_userfaultfd},
	{"device-map", plant_device_map},
	{"locked", plant_locked},
	{"aio", plant_aio},
	{"socket", plant_socket},
	{"packet", plant_packet},
	{"netlink", plant_netlink},
	{"netlink-data", plant_netlink_data},
	{"cork", plant_cork},
	{"unix", plant_unix},
	{"unix-dgram", plant_unix_dgram},
	{"unix-waiting", plant_unix_waiting},
	{"scm", plant_scm},
	{"tls", plant_tls},
	{"socket-elsewhere", plant_socket_elsewhere},
	{"deleted", plant_deleted},
	{"open", plant_open},
	{"open-rdwr", plant_open_rdwr},
	{"unmounted", plant_unmounted},
	{"hidden", plant_hidden},
	{"covered", plant_covered},
	{"mount", plant_mount},
	{"bind", plant_bind},
	{"tree", plant_tree},
	{"fscontext", plant_fscontext},
	{"inotify", plant_inotify},
	{"fanotify", plant_fanotify},
	{"lease", plant_lease},
	{"lock", plant_lock},
	{"epoll", plant_epoll},
	{"perf", plant_perf},
	{"bpf", plant_bpf},
	{"pidfd", plant_pidfd},
	{"seccomp-notify", plant_seccomp_notify},
	{"landlock", plant_landlock},
	{"mqueue", plant_mqueue},
	{"traced", plant_traced},
	{"stopped", plant_stopped},
	{"zombie", plant_zombie},
	{"leader", plant_leader},
	{"thread-files", plant_thread_files},
	{"shared-vm", plant_shared_vm},
	{"shared-fs", plant_shared_fs},
	{"link-local", plant_link_local},
	{"sem-undo", plant_sem_undo},
	{"tty", plant_tty},
};

/* Our parent ends: the init of this pid namespace is the next. */
static int be_adopted(void)
{
	pid_t pid = fork();

	if (pid > 0)
		_exit(0);
	return pid < 0 ? -1 : (int)setsid();
}

static int become_root(int userns)
{
	if (setns(userns, CLONE_NEWUSER) < 0 || setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0)
		return -1;
	return setresuid(0, 0, 0) < 0 ? -1 : close(userns);
}

/* Nothing open that is the host's, but what is to be held ("inherited 9"). */
static int forget_host(int userns)
{
	for (int fd = 0; fd < 256; fd++)
		if (fd != userns && (word[0] < '0' || word[0] > '9' || fd != atoi(word)))
			close(fd);
	return chdir("/");
}

static int hold(int (*plant)(void), bool joined)
{
	int userns = joined ? open("/proc/1/ns/user", O_RDONLY | O_CLOEXEC) : -1;

	if (joined && (userns < 0 || be_adopted() < 0 || forget_host(userns) < 0))
		return -1;
	if (plant() != 0)
		return -1;
	return joined ? become_root(userns) : 0;
}

int main(int argc, char **argv)
{
	bool joined = argc > 1 && !strcmp(argv[1], "--joined");

	argc -= joined;
	argv += joined;
	word = argc > 2 ? argv[2] : "";
	for (size_t i = 0; argc > 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, argv[1]) != 0)
			continue;
		if (hold(kinds[i].plant, joined) == 0)
			stay();
		fprintf(stderr, "plant %s %s: %s\n", argv[1], word, strerror(errno));
		return CANNOT;
	}
	fprintf(stderr, "plant: no such kind\n");
	return 2;
}
