/* SPDX-License-Identifier: GPL-2.0-only */
/* Entering a running container for exec. */
#pragma once

/*
 * Order, in a fresh child of the host side: ns_self_undumpable() → ns_join_enter() → fork (or
 * clone3): the child is in the pid and time namespaces → ns_user_become_root() → ns_join_verify() →
 * console, limits, caps, seccomp → exec.
 */

#include <sys/types.h>

struct err;

/*
 * Which namespaces (CLONE_NEW*) of process pid differ from ours: exactly those that setns(2) must
 * join; joining one's own user namespace is an error to the kernel. pidfd makes sure that pid is
 * still the one meant. Returns 0 and *flags.
 */
int ns_join_flags(int pidfd, pid_t pid, int *flags, struct err *e);

/* One setns(pidfd, flags); the kernel orders them (user first). Sets PR_SET_DUMPABLE 0 before. */
int ns_join_enter(int pidfd, int flags, struct err *e);

/*
 * Host side, for a process that has its root by chroot(2) in a mount namespace of others: setns(2) leads to that one's root, so whoever enters has to chroot to the returned descriptor (the
 * caller's).
 */
int ns_join_root(pid_t pid, struct err *e);

/* After the fork: / and . are the container's root; no host directory fd is our cwd. chdir("/")
 * included. */
int ns_join_verify(struct err *e);
