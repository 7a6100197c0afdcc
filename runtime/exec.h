/* SPDX-License-Identifier: GPL-2.0-only */
/* A further program in a running container. */
#pragma once

/*
 * ct_exec(): pidfd of init → a child cloned into the container's cgroup leaf → setns → clone with CLONE_PARENT (now in its pid namespace, and our
 * child) → user, console, capabilities, seccomp → execve. The middle process is gone when ct_exec() returns.
 */

#include <sys/types.h>

#include "runtime/spec.h"
#include "runtime/state.h"

struct err;

struct ct_exec {
	/*
	 * Program, user, terminal... Without capabilities of its own it gets those of the container's init and its no_new_privs; without
	 * limits (rlimits, oomScoreAdj) of its own, init's. HOME is added to env if it is not there.
	 */
	const struct ct_process *process;
	const struct ct_spec *spec; /* of the container's bundle, borrowed; NULL: read again */
	const char *
		user; /* "name[:group]" looked up inside, instead of process's ids; its groups are added. NULL: process's */
	int stdio[3]; /* without a terminal; borrowed */
	const char *const *
		cgroups; /* NULL-terminated words as cg_sub_open() takes them: not in the container's control group, but in those below it. NULL: none */
	int preserve_fds;
	int cache_dir; /* of compiled filters, or -EBADF */
};

struct ct_executed {
	pid_t pid;   /* of the program, our child, in our pid namespace */
	int pidfd;   /* the caller's */
	int console; /* pty master or -EBADF; the caller's */
};

/*
 * Class NOT_FOUND or NOT_RUNNABLE when the program cannot be executed; NOT_RUNNING when the container is not, or is paused: a process put into a
 * frozen group would hang, so hold the container's lock meanwhile and let it go before ct_exec_wait().
 */
int ct_exec(const struct ct *ct, const struct ct_exec *how, struct ct_executed *out, struct err *e);

/*
 * Joins our 0 and 1 (a terminal: raw mode, SIGWINCH; or pipes) with the program's console until it ends, and puts the terminal back. console < 0:
 * only waits and passes signals on. Returns the exit status as a shell sees it: 0..255, 128 + signal. Also for init, by whoever made it.
 * Signals sent to us before the call are passed on, too, if they were blocked by ct_exec_signals(). On failure the program has been killed.
 */
int ct_exec_wait(struct ct_executed *run, struct err *e);

/* Blocks what ct_exec_wait() passes on, from a point before the program exists. */
int ct_exec_signals(struct err *e);

/* Gives a process that wants a terminal and has no size for it that of ours, so that it is right from its first moment. */
void ct_exec_size(struct ct_process *p);

void ct_executed_done(struct ct_executed *run);

/* Kills and reaps a program that nobody can be told of. */
void ct_exec_kill(struct ct_executed *run);
