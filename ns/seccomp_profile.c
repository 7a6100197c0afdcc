// SPDX-License-Identifier: GPL-2.0-only
/* The profile of a system container: every call the kernel has, sorted into allowed and refused. */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "base/own.h"
#include "ns/seccomp.h"
#include "ns/seccomp_build.h"

/*
 * An allow-list: what is in no list gets ENOSYS, as on a kernel that lacks the call, so that
 * programs fall back. A known call that is refused on purpose gets EPERM. Users of a container have
 * their own user namespace; what they may do there is for the kernel's capability checks, so the
 * mount family, setns, chroot are allowed: systemd needs them.
 */
// clang-format off
static const char *const allowed[] = {
	/* files */
	"access", "cachestat", "chdir", "chmod", "chown", "chroot", "close", "close_range",
	"copy_file_range", "creat", "dup", "dup2", "dup3", "faccessat", "faccessat2", "fadvise64",
	"fallocate", "fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat", "fcntl",
	"fdatasync", "fgetxattr", "flistxattr", "flock", "fremovexattr", "fsetxattr", "fstat",
	"fstatfs", "fsync", "ftruncate", "futimesat", "getcwd", "getdents", "getdents64",
	"getxattr", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup",
	"io_submit", "ioctl", "lchown", "lgetxattr", "link", "linkat", "listxattr", "llistxattr",
	"lremovexattr", "lseek", "lsetxattr", "lstat", "mkdir", "mkdirat", "mknod", "mknodat",
	"name_to_handle_at", "newfstatat", "open", "openat", "openat2", "pipe", "pipe2", "pread64",
	"preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readlink",
	"readlinkat", "readv", "removexattr", "rename", "renameat", "renameat2", "rmdir",
	"sendfile", "setxattr", "splice", "stat", "statfs", "statx", "symlink", "symlinkat",
	"sync", "sync_file_range", "syncfs", "tee", "truncate", "umask", "unlink", "unlinkat",
	"utime", "utimensat", "utimes", "vmsplice", "write", "writev", "inotify_add_watch",
	"inotify_init", "inotify_init1", "inotify_rm_watch", "fanotify_init", "fanotify_mark",
	"memfd_create",
	/* mounts, of the container's own namespace */
	"fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount",
	"open_tree", "pivot_root", "umount2",
	/* waiting */
	"epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
	"eventfd", "eventfd2", "poll", "ppoll", "pselect6", "select", "signalfd", "signalfd4",
	"timerfd_create", "timerfd_gettime", "timerfd_settime", "pause",
	/* memory */
	"brk", "get_mempolicy", "madvise", "map_shadow_stack", "mbind", "membarrier",
	"migrate_pages", "mincore", "mlock", "mlock2", "mlockall", "mmap", "move_pages",
	"mprotect", "mremap", "msync", "munlock", "munlockall", "munmap", "pkey_alloc",
	"pkey_free", "pkey_mprotect", "process_madvise", "process_mrelease", "remap_file_pages",
	"set_mempolicy", "set_mempolicy_home_node", "shmat", "shmctl", "shmdt", "shmget",
	/* processes */
	"arch_prctl", "capget", "capset", "clone", "execve", "execveat", "exit", "exit_group",
	"fork", "getegid", "geteuid", "getgid", "getgroups", "getpgid", "getpgrp", "getpid",
	"getppid", "getpriority", "getresgid", "getresuid", "getrlimit", "getrusage", "getsid",
	"gettid", "getuid", "ioprio_get", "ioprio_set", "kcmp", "kill", "landlock_add_rule",
	"landlock_create_ruleset", "landlock_restrict_self", "pidfd_getfd", "pidfd_open",
	"pidfd_send_signal", "prctl", "prlimit64", "process_vm_readv", "process_vm_writev",
	"ptrace", "restart_syscall", "rseq", "sched_get_priority_max", "sched_get_priority_min",
	"sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler",
	"sched_rr_get_interval", "sched_setaffinity", "sched_setattr", "sched_setparam",
	"sched_setscheduler", "sched_yield", "seccomp", "set_robust_list", "get_robust_list",
	"set_tid_address", "setfsgid", "setfsuid", "setgid", "setgroups", "setns", "setpgid",
	"setpriority", "setregid", "setresgid", "setresuid", "setreuid", "setrlimit", "setsid",
	"setuid", "unshare", "vfork", "wait4", "waitid", "getcpu",
	/* signals, futexes, timers, time */
	"alarm", "clock_adjtime", "clock_getres", "clock_gettime", "clock_nanosleep", "adjtimex",
	"futex", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake", "getitimer",
	"gettimeofday", "nanosleep", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
	"rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo",
	"setitimer", "sigaltstack", "tgkill", "time", "timer_create", "timer_delete",
	"timer_getoverrun", "timer_gettime", "timer_settime", "times", "tkill",
	/* sockets and System V */
	"accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt",
	"listen", "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt",
	"shutdown", "socket", "socketpair", "mq_getsetattr", "mq_notify", "mq_open",
	"mq_timedreceive", "mq_timedsend", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd",
	"semctl", "semget", "semop", "semtimedop",
	/* the system; reboot(2) of a pid namespace ends its init */
	"getrandom", "reboot", "setdomainname", "sethostname", "sysinfo", "uname", "vhangup",
};
// clang-format on

/*
 * Allowed, but newer than the libseccomp of Debian 12, which takes no bare numbers when it also
 * filters 32-bit programs: statmount, listmount, lsm_get_self_attr, lsm_set_self_attr,
 * lsm_list_modules, mseal, setxattrat, getxattrat, listxattrat, removexattrat, open_tree_attr,
 * file_getattr, file_setattr. From 424 on a call has the same number on every architecture.
 */
#define NEW_FIRST 457
#define NEW_LAST  469

/* Refused with EPERM: the host's, or a wide door into the kernel. */
// clang-format off
static const char *const refused[] = {
	"acct", "clock_settime", "delete_module", "finit_module", "init_module", "ioperm", "iopl",
	"kexec_file_load", "kexec_load", "lookup_dcookie", "open_by_handle_at", "perf_event_open",
	"quotactl", "quotactl_fd", "settimeofday", "swapoff", "swapon", "syslog", "userfaultfd",
};
// clang-format on

/* Refused, unless the container's feature allows them. */
static const struct {
	const char *name;
	size_t option;
	int no;
} optional[] = {
	{"bpf", offsetof(struct ns_seccomp_options, bpf), EPERM},
	{"io_uring_setup", offsetof(struct ns_seccomp_options, io_uring), EPERM},
	{"io_uring_enter", offsetof(struct ns_seccomp_options, io_uring), EPERM},
	{"io_uring_register", offsetof(struct ns_seccomp_options, io_uring), EPERM},
	/* Not kept apart by namespaces well enough; ENOSYS is what systemd and sudo are ready for.
	 */
	{"add_key", offsetof(struct ns_seccomp_options, keyring), ENOSYS},
	{"keyctl", offsetof(struct ns_seccomp_options, keyring), ENOSYS},
	{"request_key", offsetof(struct ns_seccomp_options, keyring), ENOSYS},
	/* Its flags lie in memory, where no filter sees them; the C library falls back to clone. */
	{"clone3", offsetof(struct ns_seccomp_options, userns), ENOSYS},
	{"modify_ldt", offsetof(struct ns_seccomp_options, x86_32), ENOSYS},
};

/* For 32-bit programs: the calls that have other names there. */
// clang-format off
static const char *const allowed_x86_32[] = {
	"_llseek", "_newselect", "chown32", "clock_adjtime64", "clock_getres_time64",
	"clock_gettime64", "clock_nanosleep_time64", "fadvise64_64", "fchown32", "fcntl64",
	"fstat64", "fstatat64", "fstatfs64", "ftruncate64", "futex_time64", "get_thread_area",
	"getegid32", "geteuid32", "getgid32", "getgroups32", "getresgid32", "getresuid32",
	"getuid32", "io_pgetevents_time64", "ipc", "lchown32", "lstat64", "mmap2",
	"mq_timedreceive_time64", "mq_timedsend_time64", "nice", "oldfstat", "oldlstat", "oldstat",
	"ppoll_time64", "pselect6_time64", "recvmmsg_time64", "rt_sigtimedwait_time64",
	"sched_rr_get_interval_time64", "semtimedop_time64", "sendfile64", "set_thread_area",
	"setfsgid32", "setfsuid32", "setgid32", "setgroups32", "setregid32", "setresgid32",
	"setresuid32", "setreuid32", "setuid32", "sgetmask", "sigaction", "signal", "sigpending",
	"sigprocmask", "sigreturn", "sigsuspend", "socketcall", "ssetmask", "stat64", "statfs64",
	"sync_file_range2", "timer_gettime64", "timer_settime64", "timerfd_gettime64",
	"timerfd_settime64", "truncate64", "ugetrlimit", "umount", "utimensat_time64", "waitpid",
};
// clang-format on

/* PER_LINUX, PER_LINUX32, both with UNAME26, and "tell me": others switch protections of the
 * address space off. */
static const uint64_t personalities[] = {0, 8, 0x20000, 0x20008, 0xffffffff};

/*
 * Refusals by argument stand before libseccomp's program and look at the low 32 bits only, as the
 * kernel does: a 64-bit comparison is passed by setting a high bit (CVE-2019-10063).
 */
#define LD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LD_ARG(n) LD(args[n])
#else
#define LD_ARG(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]) + 4)
#endif
#define JEQ(k, yes, no)	 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, yes, no)
#define JSET(k, yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, k, yes, no)
#define JGE(k, yes, no)	 BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, k, yes, no)
#define JGT(k, yes, no)	 BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, k, yes, no)
#define AND(k)		 BPF_STMT(BPF_ALU | BPF_AND | BPF_K, k)
#define FAIL(no)	 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (no))

/*
 * TIOCSTI, TIOCLINUX type into another's terminal; AF_ALG, AF_VSOCK reach the host's crypto and
 * hypervisor. The jump counts lead to END, right behind the list; [1] gets the native
 * architecture's number in append().
 */
static const struct sock_filter guards[] = {
	/*  0 */ LD(arch),
	/*  1 */ JEQ(0, 0, 15), /* END */
	/*  2 */ LD(nr),
	/*  3 */ JGE(NEW_FIRST, 0, 2),
	/*  4 */ JGT(NEW_LAST, 12, 0), /* END */
	/*  5 */ BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	/*  6 */ JEQ(SYS_ioctl, 0, 4),
	/*  7 */ LD_ARG(1),
	/*  8 */ JEQ(TIOCSTI, 1, 0),
	/*  9 */ JEQ(TIOCLINUX, 0, 7), /* END */
	/* 10 */ FAIL(EPERM),
	/* 11 */ JEQ(SYS_socket, 1, 0),
	/* 12 */ JEQ(SYS_socketpair, 0, 4), /* END */
	/* 13 */ LD_ARG(0),
	/* 14 */ JEQ(AF_ALG, 1, 0),
	/* 15 */ JEQ(AF_VSOCK, 0, 1), /* END */
	/* 16 */ FAIL(EAFNOSUPPORT),
};

/* The flags are argument 0 of unshare and of clone (on s390 of clone argument 1). */
#ifdef __s390__
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

/* For containers without nesting. */
static const struct sock_filter userns_guards[] = {
	/* 0 */ LD(arch),
	/* 1 */ JEQ(0, 0, 6), /* END */
	/* 2 */ LD(nr),
	/* 3 */ JEQ(SYS_unshare, 1, 0),
	/* 4 */ JEQ(SYS_clone, 0, 3), /* END */
	/* 5 */ LD_ARG(CLONE_FLAGS),
	/* 6 */ JSET(CLONE_NEWUSER, 0, 1), /* END */
	/* 7 */ FAIL(EPERM),
};

/*
 * The kernel's include/uapi/linux/netfilter_ipv4/ip_tables.h, netfilter_ipv6/ip6_tables.h, netfilter_arp/arp_tables.h, netfilter_bridge/ebtables.h, netfilter/ipset/ip_set.h, which
 * cannot be included beside netinet/in.h. Tables of IPv4, ARP and bridges are options of level IP, told apart by where their numbers begin; each has four at most.
 */
#define IP6T_BASE_CTL 64
#define IPT_BASE_CTL  64
#define ARPT_BASE_CTL 96
#define EBT_BASE_CTL  128
#define SO_IP_SET     83

/*
 * For containers without netfilter: nftables, ipset, conntrack and the queues are all one protocol of netlink; the old tables are socket options, of which asking makes a table, too.
 * socketcall(2), by which no filter sees arguments, is in no list of calls of ours but the one for 32-bit programs; io_uring makes sockets as well, and is refused.
 */
static const struct sock_filter netfilter_guards[] = {
	/*  0 */ LD(arch),
	/*  1 */ JEQ(0, 0, 22), /* END */
	/*  2 */ LD(nr),
	/*  3 */ JEQ(SYS_socket, 3, 0),
	/*  4 */ JEQ(SYS_socketpair, 2, 0),
	/*  5 */ JEQ(SYS_setsockopt, 5, 0),
	/*  6 */ JEQ(SYS_getsockopt, 4, 17), /* END */
	/*  7 */ LD_ARG(0),
	/*  8 */ JEQ(AF_NETLINK, 0, 15), /* END */
	/*  9 */ LD_ARG(2),
	/* 10 */ JEQ(NETLINK_NETFILTER, 12, 13), /* END */
	/* 11 */ LD_ARG(1),
	/* 12 */ JEQ(SOL_IP, 4, 0),
	/* 13 */ JEQ(SOL_IPV6, 0, 10), /* END */
	/* 14 */ LD_ARG(2),
	/* 15 */ AND(~5U), /* 64, 65, 68, 69: between them are IPV6_RECVTCLASS and IPV6_TCLASS */
	/* 16 */ JEQ(IP6T_BASE_CTL, 6, 7), /* END */
	/* 17 */ LD_ARG(2),
	/* 18 */ JEQ(SO_IP_SET, 4, 0),
	/* 19 */ AND(~3U),
	/* 20 */ JEQ(IPT_BASE_CTL, 2, 0),
	/* 21 */ JEQ(ARPT_BASE_CTL, 1, 0),
	/* 22 */ JEQ(EBT_BASE_CTL, 0, 1), /* END */
	/* 23 */ FAIL(EPERM),
};

#define GUARDS_MOST (ARRAY_SIZE(guards) + ARRAY_SIZE(userns_guards) + ARRAY_SIZE(netfilter_guards))

static bool has_option(const struct ns_seccomp_options *opt, size_t offset)
{
	return opt && *(const bool *)((const char *)opt + offset);
}

/* Behind the n that are there; each list's [1] asks for the architecture. */
static size_t append(struct sock_filter *to, size_t n, const struct sock_filter *list, size_t len)
{
	memcpy(to + n, list, len * sizeof(*list));
	to[n + 1].k = seccomp_arch_native();
	return n + len;
}

static size_t fill_guards(const struct ns_seccomp_options *opt, struct sock_filter to[GUARDS_MOST])
{
	size_t n = append(to, 0, guards, ARRAY_SIZE(guards));

	if (!opt || !opt->userns)
		n = append(to, n, userns_guards, ARRAY_SIZE(userns_guards));
	if (opt && opt->no_netfilter)
		n = append(to, n, netfilter_guards, ARRAY_SIZE(netfilter_guards));
	return n;
}

static int add(scmp_filter_ctx ctx, uint32_t action, const char *name, int nr, struct err *e)
{
	int r;

	if (nr == __NR_SCMP_ERROR) /* older library than the table */
		return 0;
	r = seccomp_rule_add_array(ctx, action, nr, 0, NULL);
	/* EDOM: this architecture lacks the call. */
	if (r < 0 && r != -EEXIST && r != -EDOM)
		return err_set(e, -r, "filter rule for %s: %s", name, strerror(-r));
	return 0;
}

static int add_names(scmp_filter_ctx ctx, uint32_t action, const char *const names[], size_t n,
		     struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = add(ctx, action, names[i], seccomp_syscall_resolve_name(names[i]), e);
	return r;
}

static int add_personality(scmp_filter_ctx ctx, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(personalities); i++) {
		struct scmp_arg_cmp is = {.op = SCMP_CMP_EQ, .datum_a = personalities[i]};
		int r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1, &is);

		if (r < 0)
			return err_set(e, -r, "filter rule for personality: %s", strerror(-r));
	}
	return 0;
}

static int add_x86_32(scmp_filter_ctx ctx, struct err *e)
{
	int r = seccomp_arch_add(ctx, SCMP_ARCH_X86);

	/* Before the rules: libseccomp adds rules to the architectures that are there. */
	if (r < 0 && r != -EEXIST)
		return err_set(e, -r, "filter for 32-bit programs: %s", strerror(-r));
	return add_names(ctx, SCMP_ACT_ALLOW, allowed_x86_32, ARRAY_SIZE(allowed_x86_32), e);
}

static int add_rules(scmp_filter_ctx ctx, const struct ns_seccomp_options *opt, struct err *e)
{
	int r = 0;

	if (opt && opt->x86_32 && seccomp_arch_native() == SCMP_ARCH_X86_64)
		r = add_x86_32(ctx, e);
	if (r >= 0)
		r = add_names(ctx, SCMP_ACT_ALLOW, allowed, ARRAY_SIZE(allowed), e);
	if (r >= 0)
		r = add_names(ctx, SCMP_ACT_ERRNO(EPERM), refused, ARRAY_SIZE(refused), e);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(optional); i++) {
		int nr = seccomp_syscall_resolve_name(optional[i].name);

		if (has_option(opt, optional[i].option))
			r = add(ctx, SCMP_ACT_ALLOW, optional[i].name, nr, e);
		else if (optional[i].no != ENOSYS) /* that one is the default */
			r = add(ctx, SCMP_ACT_ERRNO((uint32_t)optional[i].no), optional[i].name, nr,
				e);
	}
	return r < 0 ? r : add_personality(ctx, e);
}

int ns_seccomp_from_profile(const struct ns_seccomp_options *opt, struct ns_filter *out,
			    struct err *e)
{
	auto_seccomp scmp_filter_ctx ctx = ns_seccomp_context(SCMP_ACT_ERRNO(ENOSYS), e);
	struct sock_filter prologue[GUARDS_MOST];
	size_t n = fill_guards(opt, prologue);
	int r;

	*out = (struct ns_filter){.flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW};
	if (!ctx)
		return -e->no;
	if (opt && opt->no_netfilter && opt->x86_32)
		return err_set(
			e, EINVAL,
			"32-bit programs cannot be kept from netfilter: no filter sees what socketcall is asked for");
	/* Another architecture's program dies at its first call: clearer than failures all over. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	r = add_rules(ctx, opt, e);
	return r < 0 ? r : ns_seccomp_export(ctx, prologue, n, out, e);
}

static void print_names(FILE *to, const char *head, const char *const names[], size_t n)
{
	fprintf(to, "%s", head);
	for (size_t i = 0; i < n; i++)
		fprintf(to, " %s", names[i]);
	fputc('\n', to);
}

void ns_seccomp_profile_text(const struct ns_seccomp_options *opt, FILE *to)
{
	struct sock_filter prologue[GUARDS_MOST];
	size_t n = fill_guards(opt, prologue);

	print_names(to, "allow", allowed, ARRAY_SIZE(allowed));
	print_names(to, "eperm", refused, ARRAY_SIZE(refused));
	print_names(to, "x86_32", allowed_x86_32, ARRAY_SIZE(allowed_x86_32));
	for (size_t i = 0; i < ARRAY_SIZE(optional); i++)
		fprintf(to, "%s:%d:%d ", optional[i].name, optional[i].no,
			has_option(opt, optional[i].option));
	for (size_t i = 0; i < n; i++)
		fprintf(to, "%x,%x,%x,%x ", prologue[i].code, prologue[i].jt, prologue[i].jf,
			prologue[i].k);
	fprintf(to, "x86_32:%d\n", opt && opt->x86_32);
}
