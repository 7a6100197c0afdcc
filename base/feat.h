/* SPDX-License-Identifier: GPL-2.0-only */
/* What this kernel lets us do: each feature probed by trying it, once per process, and asked everywhere. */
#pragma once

/*
 * Life: nothing is probed until the first feat_has() of that feature; its answer is kept until the process ends. A probe tries the
 * thing itself (a version number tells nothing of backports, sysctls and missing capabilities) and leaves nothing behind; those that
 * need a namespace try in a child. Host side, single-threaded. A feature of one file system or one directory is not here but
 * where it is used: an id-mapped mount of this very tree may fail although FEAT_IDMAP is there.
 */

#include <stdbool.h>

/* Who misses it. NEEDED: no container starts; CHECKPOINT: no suspend, resume, live migration; OPTIONAL: something is slower or refused. */
enum feat_level { FEAT_NEEDED, FEAT_CHECKPOINT, FEAT_OPTIONAL };

/* X(NAME, "word", level, "what it is for", "what to do where it is missing") */
#define FEATURES(X)                                                                               \
	X(ROOT, "root", NEEDED, "namespaces, mounts and cgroups of containers", "run as root")    \
	X(CAP_RESOURCE, "cap-sys-resource", OPTIONAL,                                             \
	  "raising hard limits, growing mounted disks", "run with CAP_SYS_RESOURCE")              \
	X(CLONE3, "clone3", NEEDED, "starting processes", "use Linux 5.3 or newer")               \
	X(CLONE_CGROUP, "clone-into-cgroup", OPTIONAL,                                            \
	  "starting inside the cgroup without a move", "use Linux 5.7 or newer")                  \
	X(PIDFD, "pidfd", NEEDED, "naming processes for sure", "use Linux 5.4 or newer")          \
	X(OPENAT2, "openat2", NEEDED, "opening files inside a container",                         \
	  "use Linux 5.6 or newer")                                                               \
	X(CLOSE_RANGE, "close-range", NEEDED, "leaving no descriptor behind",                     \
	  "use Linux 5.11 or newer")                                                              \
	X(USERNS, "user-namespace", NEEDED, "containers whose root is nobody on the host",        \
	  "sysctl user.max_user_namespaces=15000; the kernel needs CONFIG_USER_NS")               \
	X(PIDNS, "pid-namespace", NEEDED, "own process numbers",                                  \
	  "use a kernel with CONFIG_PID_NS")                                                      \
	X(MNTNS, "mount-namespace", NEEDED, "an own file tree",                                   \
	  "sysctl user.max_mnt_namespaces=15000")                                                 \
	X(NETNS, "network-namespace", NEEDED, "own links and addresses",                          \
	  "use a kernel with CONFIG_NET_NS")                                                      \
	X(IPCNS, "ipc-namespace", NEEDED, "own shared memory", "use a kernel with CONFIG_IPC_NS") \
	X(UTSNS, "uts-namespace", NEEDED, "an own host name", "use a kernel with CONFIG_UTS_NS")  \
	X(CGROUPNS, "cgroup-namespace", NEEDED, "an own view of limits",                          \
	  "use a kernel with CONFIG_CGROUPS")                                                     \
	X(TIMENS, "time-namespace", OPTIONAL, "clocks that go on after a migration",              \
	  "use a kernel with CONFIG_TIME_NS")                                                     \
	X(MOUNT_API, "mount-api", NEEDED, "mounts by descriptor (fsopen, open_tree)",             \
	  "use Linux 5.12 or newer")                                                              \
	X(IDMAP, "idmapped-mounts", NEEDED, "templates shared by containers with different ids",  \
	  "use Linux 5.12 or newer")                                                              \
	X(OVERLAY, "overlayfs", NEEDED, "a container's own layer over its template",              \
	  "modprobe overlay; the kernel needs CONFIG_OVERLAY_FS")                                 \
	X(OVERLAY_FD, "overlay-by-fd", OPTIONAL, "mounting layers without a staging place",       \
	  "use Linux 6.13 or newer")                                                              \
	X(LOOP, "loop-devices", OPTIONAL, "disks of a fixed size (--diskspace)",                  \
	  "modprobe loop; the kernel needs CONFIG_BLK_DEV_LOOP")                                  \
	X(SECCOMP, "seccomp", NEEDED, "filters of system calls",                                  \
	  "use a kernel with CONFIG_SECCOMP_FILTER")                                              \
	X(SECCOMP_NOTIFY, "seccomp-notify", OPTIONAL, "filters that ask a supervisor",            \
	  "use Linux 5.0 or newer")                                                               \
	X(CGROUP_BPF, "cgroup-bpf", OPTIONAL, "the device filter of cgroup v2",                   \
	  "use a kernel with CONFIG_CGROUP_BPF, or one with the v1 devices controller")           \
	X(PSI, "pressure", OPTIONAL, "pressure figures of `stat`",                                \
	  "boot with psi=1; the kernel needs CONFIG_PSI")                                         \
	X(VETH, "veth", NEEDED, "the wire between host and container",                            \
	  "modprobe veth; the kernel needs CONFIG_VETH")                                          \
	X(BRIDGE, "bridge", NEEDED, "containers on one network",                                  \
	  "modprobe bridge; the kernel needs CONFIG_BRIDGE")                                      \
	X(NFTABLES, "nf-tables", NEEDED,                                                          \
	  "address translation, anti-spoofing, the lock of a migration",                          \
	  "modprobe nf_tables; the kernel needs CONFIG_NF_TABLES")                                \
	X(SOCK_DIAG, "sock-diag", CHECKPOINT, "saving sockets",                                   \
	  "modprobe -a inet_diag tcp_diag udp_diag unix_diag netlink_diag")                       \
	X(TCP_REPAIR, "tcp-repair", CHECKPOINT, "saving connections",                             \
	  "use a kernel with CONFIG_CHECKPOINT_RESTORE")                                          \
	X(UFFD, "userfaultfd", OPTIONAL, "migration that copies memory afterwards",               \
	  "use a kernel with CONFIG_USERFAULTFD")                                                 \
	X(UFFD_WP, "userfaultfd-wp-async", OPTIONAL, "finding changed memory without soft-dirty", \
	  "use Linux 6.7 or newer")                                                               \
	X(PAGEMAP_SCAN, "pagemap-scan", OPTIONAL, "finding changed memory fast",                  \
	  "use Linux 6.7 or newer")                                                               \
	X(SOFT_DIRTY, "soft-dirty", OPTIONAL,                                                     \
	  "migration that copies memory beforehand, before Linux 6.7",                            \
	  "use a kernel with CONFIG_MEM_SOFT_DIRTY, as Debian's are")                             \
	X(FUSE, "fuse", OPTIONAL, "file systems served to containers", "modprobe fuse")           \
	X(TUN, "tun", OPTIONAL, "virtual private networks inside containers", "modprobe tun")

enum feat {
#define X(name, word, level, purpose, remedy) FEAT_##name,
	FEATURES(X)
#undef X
		FEAT_COUNT
};

/* Whether the kernel has it and lets us use it. Never fails: what cannot be probed is not there. */
bool feat_has(enum feat f);

/* Why not, in the kernel's words ("unshare: No space left on device"); "" when it is there. Static storage. */
const char *feat_why_not(enum feat f);

const char *feat_to_str(enum feat f);
enum feat_level feat_level(enum feat f);
const char *feat_purpose(enum feat f);
const char *feat_remedy(enum feat f);

/* Whether the running kernel is at least this version: only for facts that cannot be tried, such as "no AF_INET SO_PASSCRED from 6.16 on". */
bool feat_kernel_at_least(unsigned major, unsigned minor);
