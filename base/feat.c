// SPDX-License-Identifier: GPL-2.0-only
/* The probes: each tries the thing itself and leaves nothing behind. */
#include "base/feat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "base/own.h"
#include "base/sys.h"

static const struct {
	const char *word, *purpose, *remedy;
	enum feat_level level;
} about[FEAT_COUNT] = {
#define X(name, word, level, purpose, remedy) {word, purpose, remedy, FEAT_##level},
	FEATURES(X)
#undef X
};

enum answer { NOT_ASKED, YES, NO };

static struct {
	enum answer answer;
	char why[120];
} known[FEAT_COUNT];

/* A probe returns 0, or the errno of what it tried; *what then names that. */
typedef int (*probe_fn)(const char **what);

static int missing_is(long r)
{
	return r < 0 ? errno : 0;
}

static int probe_ROOT(const char **what)
{
	*what = "effective user";
	return geteuid() == 0 ? 0 : EPERM;
}

static int probe_CAP_RESOURCE(const char **what)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	*what = "effective capabilities";
	if (syscall(SYS_capget, &head, data) < 0)
		return errno;
	return data[0].effective & CAP_TO_MASK(CAP_SYS_RESOURCE) ? 0 : EPERM;
}

/* A child that lives for nothing but being made with these arguments. */
static int try_clone(struct clone_args *args)
{
	pid_t pid;

	args->exit_signal = SIGCHLD;
	pid = sys_clone3(args);
	if (pid < 0)
		return errno;
	if (pid == 0)
		_exit(0);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

static int probe_CLONE3(const char **what)
{
	struct clone_args args = {0};

	*what = "clone3";
	return try_clone(&args);
}

/* A kernel that knows the flag looks for the descriptor (EBADF); an older one does not know the flag (EINVAL, E2BIG). */
static int probe_CLONE_CGROUP(const char **what)
{
	struct clone_args args = {.flags = CLONE_INTO_CGROUP, .cgroup = INT_MAX};
	int no = try_clone(&args);

	*what = "clone3 with CLONE_INTO_CGROUP";
	return no == EBADF ? 0 : no ? no : EINVAL;
}

static int probe_PIDFD(const char **what)
{
	auto_fd int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	*what = "pidfd_open";
	return missing_is(fd);
}

static int probe_OPENAT2(const char **what)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	auto_fd int fd = sys_openat2(AT_FDCWD, "/", &how);

	*what = "openat2";
	return missing_is(fd);
}

static int probe_CLOSE_RANGE(const char **what)
{
	*what = "close_range";
	return missing_is(syscall(SYS_close_range, UINT_MAX, UINT_MAX, CLOSE_RANGE_CLOEXEC));
}

/* Making the namespace, not its file in /proc: a sysctl, a security module or the namespace we are in may forbid it. */
static int try_namespace(uint64_t flag, const char **what)
{
	struct clone_args args = {.flags = flag};

	*what = "clone3 into a new namespace";
	return try_clone(&args);
}

#define NAMESPACE_PROBE(NAME, FLAG)                \
	static int probe_##NAME(const char **what) \
	{                                          \
		return try_namespace(FLAG, what);  \
	}
NAMESPACE_PROBE(USERNS, CLONE_NEWUSER)
NAMESPACE_PROBE(PIDNS, CLONE_NEWPID)
NAMESPACE_PROBE(MNTNS, CLONE_NEWNS)
NAMESPACE_PROBE(NETNS, CLONE_NEWNET)
NAMESPACE_PROBE(IPCNS, CLONE_NEWIPC)
NAMESPACE_PROBE(UTSNS, CLONE_NEWUTS)
NAMESPACE_PROBE(CGROUPNS, CLONE_NEWCGROUP)
NAMESPACE_PROBE(TIMENS, CLONE_NEWTIME)

static int probe_MOUNT_API(const char **what)
{
	auto_fd int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	auto_fd int tree = -EBADF;

	*what = "fsopen";
	if (fs < 0)
		return errno;
	*what = "open_tree";
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLOEXEC);
	return missing_is(tree);
}

/* The namespace's descriptor is looked up before the mount: EBADF tells that the attribute is known. */
static int probe_IDMAP(const char **what)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = INT_MAX};
	long r = syscall(SYS_mount_setattr, -EBADF, "", AT_EMPTY_PATH, &attr, sizeof(attr));

	*what = "mount_setattr with MOUNT_ATTR_IDMAP";
	return r < 0 && errno != EBADF ? errno : 0;
}

static int probe_OVERLAY(const char **what)
{
	auto_fd int fs = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);

	*what = "fsopen overlay";
	return missing_is(fs);
}

static int probe_OVERLAY_FD(const char **what)
{
	auto_fd int fs = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
	auto_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	*what = "fsopen overlay";
	if (fs < 0 || root < 0)
		return errno;
	*what = "fsconfig lowerdir+ by descriptor";
	return missing_is(syscall(SYS_fsconfig, fs, FSCONFIG_SET_FD, "lowerdir+", NULL, root));
}

static int try_open(const char *path, int flags, const char **what)
{
	auto_fd int fd = open(path, flags | O_CLOEXEC);

	*what = path;
	return missing_is(fd);
}

static int probe_LOOP(const char **what)
{
	return try_open("/dev/loop-control", O_RDWR, what);
}

static int probe_FUSE(const char **what)
{
	return try_open("/dev/fuse", O_RDWR, what);
}

static int probe_TUN(const char **what)
{
	return try_open("/dev/net/tun", O_RDWR, what);
}

/* Without psi=1 the file is there, but opening it fails. */
static int probe_PSI(const char **what)
{
	return try_open("/proc/pressure/memory", O_RDONLY, what);
}

static int try_seccomp(uint32_t action)
{
	return missing_is(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
}

static int probe_SECCOMP(const char **what)
{
	*what = "seccomp";
	return try_seccomp(SECCOMP_RET_ERRNO);
}

static int probe_SECCOMP_NOTIFY(const char **what)
{
	*what = "seccomp SECCOMP_RET_USER_NOTIF";
	return try_seccomp(SECCOMP_RET_USER_NOTIF);
}

/* r0 = 1; exit: a filter that allows every device. */
static int probe_CGROUP_BPF(const char **what)
{
	static const struct bpf_insn allow[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (uintptr_t)allow,
		.insn_cnt = ARRAY_SIZE(allow),
		.license = (uintptr_t) "GPL",
	};
	auto_fd int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	*what = "bpf BPF_PROG_TYPE_CGROUP_DEVICE";
	return missing_is(fd);
}

/* Sends one netlink request and returns the error of its answer: 0 for data or an acknowledgement. */
static int ask_netlink(int protocol, struct nlmsghdr *request)
{
	auto_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	const struct timeval deadline = {.tv_sec = 2};
	union {
		struct nlmsghdr head;
		char room[4096];
	} answer;
	ssize_t n;

	if (fd < 0)
		return errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
	if (send(fd, request, request->nlmsg_len, 0) < 0)
		return errno;
	n = recv(fd, &answer, sizeof(answer), 0);
	if (n < (ssize_t)sizeof(answer.head))
		return n < 0 ? errno : EPROTO;
	if (answer.head.nlmsg_type == NLMSG_ERROR)
		return -((struct nlmsgerr *)NLMSG_DATA(&answer.head))->error;
	return 0;
}

/* Makes a link of that kind in a network namespace that ends with the child. */
static int make_link(const char *kind)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
		struct nlattr info, name;
		char kind[16];
	} request = {
		.head = {.nlmsg_type = RTM_NEWLINK,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL},
		.info = {.nla_type = IFLA_LINKINFO | NLA_F_NESTED},
		.name = {.nla_type = IFLA_INFO_KIND},
	};
	size_t len = strlen(kind);

	memcpy(request.kind, kind, len);
	request.name.nla_len = (uint16_t)(NLA_HDRLEN + len);
	request.info.nla_len = (uint16_t)(NLA_HDRLEN + NLA_ALIGN(request.name.nla_len));
	request.head.nlmsg_len =
		(uint32_t)(NLMSG_LENGTH(sizeof(request.link)) + NLA_ALIGN(request.info.nla_len));
	return ask_netlink(NETLINK_ROUTE, &request.head);
}

static int try_link(const char *kind)
{
	struct clone_args args = {.flags = CLONE_NEWNET, .exit_signal = SIGCHLD};
	pid_t pid = sys_clone3(&args);
	int status;

	if (pid < 0)
		return errno;
	if (pid == 0)
		_exit(make_link(kind));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EPROTO;
}

static int probe_VETH(const char **what)
{
	*what = "a link of type veth";
	return try_link("veth");
}

static int probe_BRIDGE(const char **what)
{
	*what = "a link of type bridge";
	return try_link("bridge");
}

static int probe_NFTABLES(const char **what)
{
	struct {
		struct nlmsghdr head;
		struct nfgenmsg gen;
	} request = {
		.head = {.nlmsg_len = sizeof(request),
			 .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN,
			 .nlmsg_flags = NLM_F_REQUEST},
		.gen = {.version = NFNETLINK_V0},
	};

	*what = "the nf_tables subsystem of netlink";
	return ask_netlink(NETLINK_NETFILTER, &request.head);
}

/* A dump of unix sockets in a state that none is in. */
static int probe_SOCK_DIAG(const char **what)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req diag;
	} request = {
		.head = {.nlmsg_len = sizeof(request),
			 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.diag = {.sdiag_family = AF_UNIX},
	};

	*what = "unix_diag";
	return ask_netlink(NETLINK_SOCK_DIAG, &request.head);
}

static int probe_TCP_REPAIR(const char **what)
{
	auto_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	*what = "TCP_REPAIR of a socket";
	if (fd < 0)
		return errno;
	return missing_is(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)));
}

#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif

static int try_uffd(uint64_t features)
{
	auto_fd int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_api api = {.api = UFFD_API, .features = features};

	if (fd < 0)
		return errno;
	return missing_is(ioctl(fd, UFFDIO_API, &api));
}

static int probe_UFFD(const char **what)
{
	*what = "userfaultfd";
	return try_uffd(0);
}

static int probe_UFFD_WP(const char **what)
{
	*what = "userfaultfd with UFFD_FEATURE_WP_ASYNC";
	return try_uffd(UFFD_FEATURE_WP_ASYNC);
}

/* As linux/fs.h of 6.7 has it; Debian 12's does not. */
struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN_IOCTL   _IOWR('f', 16, struct scan_arg)
#define SCAN_PRESENT (1 << 3)

static int probe_PAGEMAP_SCAN(const char **what)
{
	auto_fd int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct scan_arg scan = {.size = sizeof(scan), .return_mask = SCAN_PRESENT};

	*what = "PAGEMAP_SCAN of /proc/self/pagemap";
	if (fd < 0)
		return errno;
	return missing_is(ioctl(fd, SCAN_IOCTL, &scan));
}

/* A page just touched is dirty; a kernel without the feature never says so. */
static int probe_SOFT_DIRTY(const char **what)
{
	auto_fd int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	long page = sysconf(_SC_PAGESIZE);
	uint64_t entry = 0;
	char *touched;
	ssize_t n;

	*what = "/proc/self/pagemap";
	if (fd < 0)
		return errno;
	touched = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	if (touched == MAP_FAILED)
		return errno;
	*(volatile char *)touched = 1;
	n = pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)touched / (size_t)page * 8));
	munmap(touched, (size_t)page);
	if (n != sizeof(entry))
		return n < 0 ? errno : EPROTO;
	*what = "the soft-dirty bit of /proc/self/pagemap";
	return entry & 1ull << 55 ? 0 : EOPNOTSUPP;
}

static const probe_fn probes[FEAT_COUNT] = {
#define X(name, ...) probe_##name,
	FEATURES(X)
#undef X
};

bool feat_has(enum feat f)
{
	const char *what = "";
	int no;

	if (known[f].answer == NOT_ASKED) {
		no = probes[f](&what);
		known[f].answer = no ? NO : YES;
		if (no)
			snprintf(known[f].why, sizeof(known[f].why), "%s: %s", what, strerror(no));
	}
	return known[f].answer == YES;
}

const char *feat_why_not(enum feat f)
{
	feat_has(f);
	return known[f].why;
}

const char *feat_to_str(enum feat f)
{
	return about[f].word;
}

enum feat_level feat_level(enum feat f)
{
	return about[f].level;
}

const char *feat_purpose(enum feat f)
{
	return about[f].purpose;
}

const char *feat_remedy(enum feat f)
{
	return about[f].remedy;
}

bool feat_kernel_at_least(unsigned major, unsigned minor)
{
	struct utsname host;
	unsigned has_major, has_minor;

	if (uname(&host) < 0 || sscanf(host.release, "%u.%u", &has_major, &has_minor) != 2)
		return false;
	return has_major > major || (has_major == major && has_minor >= minor);
}
