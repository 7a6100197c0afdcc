// SPDX-License-Identifier: GPL-2.0-only
/* The physical floor of a container start: floor CGROUP_DIR ROOTFS FILTER|- PROGRAM makes what the bench's bundle asks for, bare. */
/*
 * What the kernel has to do for that bundle, and nothing else: all its namespaces, one control group with a device filter (linux.resources.devices), its mounts and
 * default devices, masked and read-only paths, a raised loopback, an own session and keyring, capabilities, limits, no_new_privs, and the system call filter,
 * ready-made (an array of struct sock_filter: FILTER is a file whose last bytes are it, preceded by their number as skep caches it). No state that another command could
 * read, no check of what it does, no defence against a hostile rootfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"

#define BASIC (MS_NOSUID | MS_NOEXEC | MS_NODEV)
#define KEPT  (1ULL << CAP_AUDIT_WRITE | 1ULL << CAP_KILL | 1ULL << CAP_NET_BIND_SERVICE)

static void must(long result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static const struct {
	const char *type, *where;
	unsigned long flags;
	const char *data;
} mounts[] = {
	{"proc", "proc", 0, NULL},
	{"tmpfs", "dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"},
	{"devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"},
	{"tmpfs", "dev/shm", BASIC, "mode=1777,size=65536k"},
	{"mqueue", "dev/mqueue", BASIC, NULL},
	{"sysfs", "sys", BASIC | MS_RDONLY, NULL},
	{"cgroup2", "sys/fs/cgroup", BASIC | MS_RELATIME | MS_RDONLY, NULL},
};

static const struct {
	const char *path;
	unsigned int minor;
} nodes[] = {
	{"dev/null", 3}, {"dev/zero", 5}, {"dev/full", 7}, {"dev/random", 8}, {"dev/urandom", 9},
};

static const char *const links[][2] = {
	{"/proc/self/fd", "dev/fd"},	   {"/proc/self/fd/0", "dev/stdin"},
	{"/proc/self/fd/1", "dev/stdout"}, {"/proc/self/fd/2", "dev/stderr"},
	{"pts/ptmx", "dev/ptmx"},
};

static const char *const masked[] = {"/proc/acpi",	  "/proc/asound",	 "/proc/kcore",
				     "/proc/keys",	  "/proc/latency_stats", "/proc/timer_list",
				     "/proc/timer_stats", "/proc/sched_debug",	 "/sys/firmware",
				     "/proc/scsi"};
static const char *const readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
				       "/proc/sysrq-trigger"};

#define EACH(i, list) (size_t i = 0; i < sizeof(list) / sizeof((list)[0]); i++)

static void make_mounts(const char *rootfs)
{
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make / private");
	must(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), "bind the root file system");
	must(chdir(rootfs), "enter the root file system");
	for
		EACH(i, mounts)
		{
			must(mkdir(mounts[i].where, 0755) && errno != EEXIST ? -1 : 0,
			     mounts[i].where);
			must(mount(mounts[i].type, mounts[i].where, mounts[i].type, mounts[i].flags,
				   mounts[i].data),
			     mounts[i].where);
		}
	for
		EACH(i, nodes)
	must(mknod(nodes[i].path, S_IFCHR | 0666, makedev(1, nodes[i].minor)), nodes[i].path);
	must(mknod("dev/tty", S_IFCHR | 0666, makedev(5, 0)), "dev/tty");
	for
		EACH(i, links)
	must(symlink(links[i][0], links[i][1]), links[i][1]);
}

static void enter_root(void)
{
	must(sys_pivot_root(".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "detach the old root");
	must(chdir("/"), "enter /");
}

static void hide(void)
{
	struct stat st;

	for
		EACH(i, masked)
		{
			if (stat(masked[i], &st))
				continue;
			if (S_ISDIR(st.st_mode))
				must(mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, "size=0"),
				     masked[i]);
			else
				must(mount("/dev/null", masked[i], NULL, MS_BIND, NULL), masked[i]);
		}
	for
		EACH(i, readonly)
		{
			if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL))
				continue;
			must(mount(NULL, readonly[i], NULL,
				   MS_BIND | MS_REMOUNT | MS_RDONLY | BASIC, NULL),
			     readonly[i]);
		}
}

static void raise_loopback(void)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	must(s, "socket");
	must(ioctl(s, SIOCSIFFLAGS, &r), "loopback up");
	close(s);
}

static void drop_privileges(void)
{
	struct rlimit files = {1024, 1024};
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	data[0].effective = data[0].permitted = (uint32_t)KEPT;
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (!(KEPT >> cap & 1))
			must(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0), "drop a capability");
	}
	must(setrlimit(RLIMIT_NOFILE, &files), "limit open files");
	must(syscall(SYS_capset, &head, data), "capset");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}

#define LOAD(dst, at)                                                                      \
	{                                                                                  \
		.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = dst, .src_reg = 1, .off = at \
	}
#define MOVE(dst, v)                                                          \
	{                                                                     \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = dst, .imm = v \
	}
#define JUMP(op, r, v, n)                                                      \
	{                                                                      \
		.code = BPF_JMP | op | BPF_K, .dst_reg = r, .imm = v, .off = n \
	}
#define LEAVE                              \
	{                                  \
		.code = BPF_JMP | BPF_EXIT \
	}

/* OCI's default devices may be used, any may be made, all else is denied. */
static void filter_devices(int group)
{
	struct bpf_insn insns[] = {
		LOAD(2, offsetof(struct bpf_cgroup_dev_ctx, access_type)),
		LOAD(4, offsetof(struct bpf_cgroup_dev_ctx, major)),
		LOAD(5, offsetof(struct bpf_cgroup_dev_ctx, minor)),
		MOVE(0, 1),
		/* mknod alone: 1 in the upper half; type: in the lower one. */
		JUMP(BPF_JEQ, 2, BPF_DEVCG_ACC_MKNOD << 16 | BPF_DEVCG_DEV_CHAR, 13),
		JUMP(BPF_JEQ, 2, BPF_DEVCG_ACC_MKNOD << 16 | BPF_DEVCG_DEV_BLOCK, 12),
		{.code = BPF_ALU64 | BPF_AND | BPF_K, .dst_reg = 2, .imm = 0xffff},
		JUMP(BPF_JNE, 2, BPF_DEVCG_DEV_CHAR, 9),
		JUMP(BPF_JEQ, 4, 136, 9),
		JUMP(BPF_JEQ, 4, 5, 6),
		JUMP(BPF_JNE, 4, 1, 6),
		JUMP(BPF_JEQ, 5, 3, 6),
		JUMP(BPF_JEQ, 5, 5, 5),
		JUMP(BPF_JLT, 5, 7, 3),
		JUMP(BPF_JLE, 5, 9, 3),
		JUMP(BPF_JA, 0, 0, 1),
		JUMP(BPF_JLE, 5, 2, 1),
		MOVE(0, 0),
		LEAVE,
	};
	union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
			       .insns = (uintptr_t)insns,
			       .insn_cnt = sizeof(insns) / sizeof(insns[0]),
			       .license = (uintptr_t) "GPL"};
	union bpf_attr attach = {.attach_type = BPF_CGROUP_DEVICE,
				 .attach_flags = BPF_F_ALLOW_MULTI};
	int program = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));

	must(program, "load a device filter");
	attach.target_fd = (uint32_t)group;
	attach.attach_bpf_fd = (uint32_t)program;
	must(syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach)), "attach it");
	close(program);
}

/* The end of the file; its length is at byte 16. */
static struct sock_fprog read_filter(const char *path)
{
	static char text[1 << 17];
	struct sock_fprog prog = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	must(n < 18 ? -1 : 0, path);
	memcpy(&prog.len, text + 16, sizeof(prog.len));
	must(prog.len * (ssize_t)sizeof(struct sock_filter) > n ? -1 : 0, path);
	memmove(text, text + n - prog.len * sizeof(struct sock_filter),
		prog.len * sizeof(struct sock_filter));
	prog.filter = (void *)text;
	close(fd);
	return prog;
}

int main(int argc, char **argv)
{
	struct clone_args args = {.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET |
					   CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
					   CLONE_INTO_CGROUP,
				  .exit_signal = SIGCHLD};
	struct sock_fprog filter = {0};
	int group, status = 0;
	pid_t pid;

	if (argc < 5) {
		fprintf(stderr, "use: floor CGROUP_DIR ROOTFS FILTER|- PROGRAM\n");
		return 125;
	}
	if (strcmp(argv[3], "-") != 0)
		filter = read_filter(argv[3]);
	must(mkdir(argv[1], 0755), argv[1]);
	group = open(argv[1], O_DIRECTORY | O_CLOEXEC);
	must(group, argv[1]);
	filter_devices(group);
	args.cgroup = (uint64_t)group;
	pid = sys_clone3(&args);
	must(pid, "clone3");
	if (!pid) {
		must(sethostname("floor", 5), "sethostname");
		make_mounts(argv[2]);
		enter_root();
		hide();
		raise_loopback();
		must(setsid(), "setsid");
		must(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL), "keyring");
		drop_privileges();
		if (filter.len)
			must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter), "seccomp");
		execv(argv[4], argv + 4);
		must(-1, argv[4]);
	}
	must(waitpid(pid, &status, 0), "wait");
	must(rmdir(argv[1]), argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
