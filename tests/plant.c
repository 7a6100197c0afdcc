// SPDX-License-Identifier: GPL-2.0-only
/* What a program in a container can hold that stands in the way of a checkpoint, one kind a verb; and what looks like it and does not. */

/*
 *   plant KIND [WORD]     holds it until it is killed; the file /run/plant.ready says that it does
 *   plant --joined KIND [WORD]   the same for one that was brought into the container's namespaces, except the user's, by a test, with the host's
 *       rights and without the container's seccomp filter: it has itself adopted by the container's init, takes what the container may not
 *       have, and then becomes the container's root
 * Exit code 3: it cannot be had here (the kernel lacks it, or the container may not have it); the test then has nothing to plant.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/aio_abi.h>
#include <linux/bpf.h>
#include <linux/fanotify.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <linux/vm_sockets.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT 3
#define PAGE   4096UL
#define RING   (4 * PAGE)

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

static const char *word; /* the second word, or "" */

static _Noreturn void stay(void)
{
	int fd = open("/run/plant.ready", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	for (;;)
		pause();
}

/* In a child that is there until we are not. */
static pid_t keep_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

/* --- namespaces --- */

static int plant_ns(void)
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
			return keep_child() < 0 ? -1 : 0;
		return 0;
	}
	errno = EINVAL;
	return -1;
}

/* A namespace that only a descriptor holds. */
static int plant_nsfd(void)
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

static int plant_uring(void)
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

static int plant_hugetlb(void)
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

static int plant_memfd(void)
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

static int plant_secret(void)
{
	int fd = (int)syscall(447 /* memfd_secret */, 0);

	if (fd < 0 || ftruncate(fd, PAGE) < 0)
		return -1;
	if (mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
		return -1;
	return !strcmp(word, "map") ? close(fd) : 0;
}

static int plant_userfaultfd(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	int fd = (int)syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY);

	return fd < 0 ? -1 : ioctl(fd, UFFDIO_API, &api);
}

static int plant_device_map(void)
{
	int fd = open(word, O_RDWR);

	return fd < 0 || mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0;
}

static int plant_locked(void)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);

	return p == MAP_FAILED ? -1 : mlock(p, PAGE);
}

static int plant_aio(void)
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

/* --- sockets --- */

static int plant_socket(void)
{
	int family = 0, type = 0, proto = 0;

	if (sscanf(word, "%d,%d,%d", &family, &type, &proto) != 3) {
		errno = EINVAL;
		return -1;
	}
	return socket(family, type, proto) < 0 ? -1 : 0;
}

static int plant_packet(void)
{
	struct tpacket_req req = {
		.tp_block_size = RING, .tp_block_nr = 1, .tp_frame_size = 2048, .tp_frame_nr = 8};
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	if (fd < 0)
		return -1;
	if (strcmp(word, "ring") != 0)
		return 0;
	if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) < 0)
		return -1;
	return mmap(NULL, RING, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0;
}

static int plant_netlink(void)
{
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK};
	int fd, proto = 0, group = 0;

	sscanf(word, "%d,%d", &proto, &group);
	fd = socket(AF_NETLINK, SOCK_RAW, proto);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -1;
	return group ? setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group))
		     : 0;
}

/* An answer that nobody has read. */
static int plant_netlink_data(void)
{
	struct {
		struct nlmsghdr h;
		char family;
	} req = {.h = {.nlmsg_len = sizeof(req), .nlmsg_type = 18, .nlmsg_flags = 0x301}};
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	return fd < 0 || send(fd, &req, sizeof(req), 0) < 0 ? -1 : 0;
}

static int plant_cork(void)
{
	int one = 1, fd = socket(AF_INET, SOCK_DGRAM, 0);

	return fd < 0 ? -1 : setsockopt(fd, IPPROTO_UDP, 1 /* UDP_CORK */, &one, sizeof(one));
}

static int unix_name(struct sockaddr_un *a, const char *path)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	snprintf(a->sun_path, sizeof(a->sun_path), "%s", path);
	return sizeof(*a);
}

/* Connected to whoever listens at the path: a program of the host, when the test has one there. */
static int plant_unix(void)
{
	struct sockaddr_un a;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	unix_name(&a, word);
	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&a, sizeof(a));
}

static int plant_unix_dgram(void)
{
	struct sockaddr_un a;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	unix_name(&a, word);
	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&a, sizeof(a));
}

/* A connection that its listener has not accepted: "closed" by its client meanwhile, or with "data". */
static int plant_unix_waiting(void)
{
	struct sockaddr_un a;
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);

	unix_name(&a, "/run/plant.socket");
	unlink(a.sun_path);
	if (l < 0 || c < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(l, 4) < 0 ||
	    connect(c, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -1;
	if (!strcmp(word, "data"))
		return write(c, "x", 1) == 1 ? 0 : -1;
	return !strcmp(word, "closed") ? close(c) : 0;
}

/* A descriptor on its way. */
static int plant_scm(void)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec data = {.iov_base = (char[]){'x'}, .iov_len = 1};
	struct msghdr m = {.msg_iov = &data,
			   .msg_iovlen = 1,
			   .msg_control = control.space,
			   .msg_controllen = sizeof(control.space)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int pair[2], fd = open(word[0] ? word : "/etc/passwd", O_RDONLY);

	if (fd < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return -1;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(pair[0], &m, 0) < 0 ? -1 : close(fd);
}

static int plant_tls(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(l, (struct sockaddr *)&a, len) < 0 || listen(l, 1) < 0 ||
	    getsockname(l, (struct sockaddr *)&a, &len) < 0 ||
	    connect(c, (struct sockaddr *)&a, len) < 0)
		return -1;
	return setsockopt(c, IPPROTO_TCP, TCP_ULP, "tls", 3);
}

/* From the global address that is the word to a neighbour's link-local one. */
static int plant_link_local(void)
{
	struct sockaddr_in6 from = {.sin6_family = AF_INET6},
			    to = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	to.sin6_scope_id = if_nametoindex("eth0");
	if (inet_pton(AF_INET6, word, &from.sin6_addr) != 1 ||
	    inet_pton(AF_INET6, "fe80::1234", &to.sin6_addr) != 1)
		return -1;
	return fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0
		       ? -1
		       : connect(fd, (struct sockaddr *)&to, sizeof(to));
}

/* A socket of a network namespace in which no process is. */
static int plant_socket_elsewhere(void)
{
	int back = open("/proc/self/ns/net", O_RDONLY);

	if (back < 0 || unshare(CLONE_NEWNET) < 0 || socket(AF_INET, SOCK_DGRAM, 0) < 0)
		return -1;
	return setns(back, 0) < 0 ? -1 : close(back);
}

/* --- files --- */

static int plant_deleted(void)
{
	char path[128], place[64] = "/root";
	long mb = 1;
	int fd;

	sscanf(word, "%ld,%63[^,]", &mb, place);
	snprintf(path, sizeof(path), "%s/plant.deleted", place);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, mb << 20) < 0)
		return -1;
	/* Only what it takes on disk counts. */
	if (!strstr(word, "sparse") && posix_fallocate(fd, 0, mb << 20) != 0)
		return -1;
	if (strstr(word, "mapped")) {
		if (mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
			return -1;
		close(fd);
	}
	return unlink(path);
}

static int plant_open(void)
{
	return open(word, O_RDONLY) < 0 && open(word, O_WRONLY) < 0 ? -1 : 0;
}

static int plant_open_rdwr(void)
{
	return open(word, O_RDWR) < 0 ? -1 : 0;
}

/* A file on a mount that is gone. */
static int plant_unmounted(void)
{
	mkdir("/root/plant.dir", 0700);
	if (mount("plant", "/root/plant.dir", "tmpfs", 0, NULL) < 0 ||
	    open("/root/plant.dir/f", O_RDWR | O_CREAT, 0600) < 0)
		return -1;
	return umount2("/root/plant.dir", MNT_DETACH);
}

/* A file on a mount that another one hides. */
static int plant_hidden(void)
{
	mkdir("/root/plant.dir", 0700);
	if (mount("plant", "/root/plant.dir", "tmpfs", 0, NULL) < 0 ||
	    open("/root/plant.dir/f", O_RDWR | O_CREAT, 0600) < 0)
		return -1;
	return mount("plant2", "/root/plant.dir", "tmpfs", 0, NULL);
}

/* A file on the root file system, below a directory that something else is mounted over. */
static int plant_covered(void)
{
	mkdir("/root/plant.dir", 0700);
	if (open("/root/plant.dir/f", O_RDWR | O_CREAT, 0600) < 0 ||
	    mount("plant", "/root/plant.dir", "tmpfs", 0, NULL) < 0)
		return -1;
	if (strcmp(word, "taken") != 0)
		return 0;
	return close(open("/root/plant.dir/f", O_RDWR | O_CREAT, 0600));
}

static int plant_mount(void)
{
	char type[32] = "", source[64] = "none";

	sscanf(word, "%31[^,],%63s", type, source);
	mkdir("/root/plant.dir", 0700);
	return mount(source, "/root/plant.dir", type, 0, NULL);
}

static int plant_bind(void)
{
	int fd = open("/root/plant.file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 || mount(word, "/root/plant.file", NULL, MS_BIND, NULL) < 0 ? -1 : close(fd);
}

/* A detached mount, as new-style mount tools hold for a moment. */
static int plant_tree(void)
{
	return syscall(428 /* open_tree */, AT_FDCWD, "/root", 1 /* OPEN_TREE_CLONE */) < 0 ? -1
											    : 0;
}

static int plant_fscontext(void)
{
	return syscall(430 /* fsopen */, "tmpfs", 0) < 0 ? -1 : 0;
}

static int plant_inotify(void)
{
	char path[] = "/root/plant.watched", dir[] = "/run/plant.watched";
	const char *it = !strcmp(word, "deleted")	  ? path
			 : !strcmp(word, "deleted-tmpfs") ? dir
							  : word;
	int fd = inotify_init(), made;

	made = it == word ? -1 : open(it, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || inotify_add_watch(fd, it, IN_MODIFY | IN_DELETE_SELF) < 0)
		return -1;
	/* Its inode lives on by the descriptor, and so does the watch. */
	return it == word || made < 0 ? 0 : unlink(it);
}

static int plant_fanotify(void)
{
	unsigned flags = FAN_CLASS_NOTIF | (strstr(word, "fid") ? FAN_REPORT_FID : 0);
	unsigned mark = FAN_MARK_ADD | (strstr(word, "mount")	 ? FAN_MARK_MOUNT
					: strstr(word, "system") ? FAN_MARK_FILESYSTEM
								 : 0);
	int fd = (int)syscall(SYS_fanotify_init, flags, O_RDONLY);

	if (fd < 0)
		return -1;
	return !strncmp(word, "none", 4)
		       ? 0
		       : (int)syscall(SYS_fanotify_mark, fd, mark, (uint64_t)FAN_MODIFY, AT_FDCWD,
				      strstr(word, "run") ? "/run" : "/root");
}

static int plant_lease(void)
{
	int fd = open("/root/plant.lease", O_RDONLY | O_CREAT, 0600);

	return fd < 0 ? -1 : fcntl(fd, F_SETLEASE, F_RDLCK);
}

static int plant_lock(void)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
	int fd = open("/root/plant.lock", O_RDWR | O_CREAT, 0600);

	if (fd < 0)
		return -1;
	if (!strcmp(word, "flock"))
		return flock(fd, LOCK_EX);
	return fcntl(fd, !strcmp(word, "ofd") ? F_OFD_SETLK : F_SETLK, &l);
}

/* A watch of epoll for a file whose descriptor here is closed; a child has it. */
static int plant_epoll(void)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int ends[2], ep = epoll_create1(0);

	if (ep < 0 || pipe(ends) < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &ev) < 0)
		return -1;
	if (!strcmp(word, "dup") && dup2(ends[0], 99) < 0)
		return -1;
	if (!strcmp(word, "child") && keep_child() < 0)
		return -1;
	return close(ends[0]);
}

/* --- what is like a file --- */

static int plant_perf(void)
{
	struct perf_event_attr a = {.type = PERF_TYPE_SOFTWARE,
				    .size = sizeof(a),
				    .config = PERF_COUNT_SW_TASK_CLOCK,
				    .exclude_kernel = 1,
				    .exclude_hv = 1};

	return syscall(SYS_perf_event_open, &a, 0, -1, -1, 0) < 0 ? -1 : 0;
}

static int plant_bpf(void)
{
	union bpf_attr a = {
		.map_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 4};
	struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0},
				  {.code = BPF_JMP | BPF_EXIT}};

	if (!strcmp(word, "prog")) {
		memset(&a, 0, sizeof(a));
		a.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
		a.insns = (uint64_t)(uintptr_t)code;
		a.insn_cnt = 2;
		a.license = (uint64_t)(uintptr_t) "GPL";
		return syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof(a)) < 0 ? -1 : 0;
	}
	if (!strcmp(word, "array"))
		a.map_type = BPF_MAP_TYPE_ARRAY;
	if (!strcmp(word, "percpu"))
		a.map_type = BPF_MAP_TYPE_PERCPU_HASH;
	return syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a)) < 0 ? -1 : 0;
}

static void *idle(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static int plant_pidfd(void)
{
	pid_t pid = !strcmp(word, "self") ? getpid() : keep_child();
	unsigned flags = !strcmp(word, "thread") ? PIDFD_THREAD : 0;

	if (syscall(SYS_pidfd_open, pid, flags) < 0)
		return -1;
	if (!strcmp(word, "dead") || !strcmp(word, "zombie"))
		kill(pid, SIGKILL);
	if (!strcmp(word, "dead"))
		waitpid(pid, NULL, 0);
	return 0;
}

static int plant_seccomp_notify(void)
{
	struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog prog = {.len = 1, .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		       strcmp(word, "plain") ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0, &prog) < 0
		       ? -1
		       : 0;
}

static int plant_landlock(void)
{
	uint64_t handled = 1;

	return syscall(444 /* landlock_create_ruleset */, &handled, sizeof(handled), 0) < 0 ? -1
											    : 0;
}

static int plant_mqueue(void)
{
	return syscall(SYS_mq_open, "plant", O_RDWR | O_CREAT, 0600, NULL) < 0 ? -1 : 0;
}

/* --- processes --- */

static int plant_traced(void)
{
	pid_t pid = keep_child();

	return pid < 0 ? -1 : (int)ptrace(PTRACE_SEIZE, pid, NULL, NULL);
}

static int plant_stopped(void)
{
	pid_t pid = keep_child();

	return pid < 0 ? -1 : kill(pid, SIGSTOP);
}

static int plant_zombie(void)
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
static int plant_leader(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, stay_as_thread, NULL) != 0)
		return -1;
	pthread_exit(NULL);
}

static int plant_thread_files(void)
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

static int plant_shared_vm(void)
{
	return share(CLONE_VM);
}

static int plant_shared_fs(void)
{
	return share(CLONE_FS);
}

static int plant_sem_undo(void)
{
	struct sembuf op = {.sem_op = 1, .sem_flg = SEM_UNDO};
	int id = semget(IPC_PRIVATE, 1, 0600);

	return id < 0 ? -1 : semop(id, &op, 1);
}

static int plant_tty(void)
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

static int plant_nothing(void)
{
	return 0;
}

static const struct {
	const char *name;
	int (*plant)(void);
} kinds[] = {
	{"nothing", plant_nothing},
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

/* Nothing open that is the host's. */
static int forget_host(int userns)
{
	for (int fd = 0; fd < 256; fd++)
		if (fd != userns)
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
