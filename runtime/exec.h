/* SPDX-License-Identifier: GPL-2.0-only */
/* A further program in a running container. */
#pragma once

/*
 * ct_exec(): pidfd of init → a child cloned into the container's cgroup leaf → setns → fork (now in its pid namespace) → user, console, limits,
 * capabilities, seccomp → execve. The middle process is gone when ct_exec() returns; the program is reaped by us (PR_SET_CHILD_SUBREAPER for
 * the length of the call) and so our child.
 */

#include <sys/types.h>

#include "runtime/spec.h"
#include "runtime/state.h"

struct err;

struct ct_exec {
	struct ct_process
		*process; /* program, user, terminal... caps unset: those of the container's init */
	const char *user; /* "name[:group]" looked up inside; NULL: process's ids */
	int stdio[3];	  /* without a terminal; borrowed */
	int preserve_fds;
	int cache_dir; /* of compiled filters, or -EBADF */
};

struct ct_executed {
	pid_t pid;   /* of the program, our child, in our pid namespace */
	int pidfd;   /* the caller's */
	int console; /* pty master or -EBADF; the caller's */
};

/* Class NOT_FOUND or NOT_RUNNABLE when the program cannot be executed; NOT_RUNNING when the container is not. */
int ct_exec(const struct ct *ct, const struct ct_exec *how, struct ct_executed *out, struct err *e);

/*
 * Joins our terminal (raw mode, SIGWINCH) or pipes with the program's console until it ends, and puts the terminal back. console < 0: only waits
 * and passes signals on. Returns the exit status as a shell sees it: 0..255, 128 + signal.
 */
int ct_exec_wait(struct ct_executed *run, struct err *e);
