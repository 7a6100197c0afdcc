/* SPDX-License-Identifier: GPL-2.0-only */
/* System calls that the C libraries of Debian 12 (glibc, musl) do not wrap. Same contract as libc: -1 and errno. */
#pragma once

#include <linux/openat2.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A process's time namespace for its children; not in glibc 2.36's sched.h. */
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* Version 0 of the kernel's struct sched_attr (sched_setattr(2)): its header goes together with no libc's sched.h. */
struct sys_sched_attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period; /* ns */
};

/* statmount(2), Linux 6.8; neither its number nor its structures are in the headers of Debian 12. The number is the same everywhere but on alpha. */
#ifndef SYS_statmount
#define SYS_statmount 457
#endif

/* Version 0 of the kernel's struct mnt_id_req. */
struct sys_mnt_id_req {
	uint32_t size, spare;
	uint64_t mnt_id, param;
};

/* Whether our mount namespace has the mount of that number (statx(2), STATX_MNT_ID_UNIQUE): 0, or -1 and ENOENT. */
static inline int sys_statmount_look(uint64_t id)
{
	const struct sys_mnt_id_req req = {.size = sizeof(req), .mnt_id = id};
	char out[512]; /* struct statmount, of which nothing is asked */

	return (int)syscall(SYS_statmount, &req, out, sizeof(out), 0);
}

/* clone3(2) without a stack of its own: returns twice, as fork does. */
static inline pid_t sys_clone3(struct clone_args *args)
{
	return (pid_t)syscall(SYS_clone3, args, sizeof(*args));
}

static inline int sys_openat2(int dirfd, const char *path, const struct open_how *how)
{
	return (int)syscall(SYS_openat2, dirfd, path, how, sizeof(*how));
}

static inline int sys_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}

static inline int sys_renameat2(int from_dir, const char *from, int to_dir, const char *to,
				unsigned flags)
{
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

/*
 * setns(2) to a namespace that is ours, held open since before we left it. That fails only for want of the kernel's memory; then this process says so on standard error and ends with 1, without unwinding: who
 * stayed in a container's namespace would take the container's links, rules and processes for the host's. What it has made is in the ledger, for the next command.
 */
void sys_setns_home(int ns, int flags);
