/* SPDX-License-Identifier: GPL-2.0-only */
/* The last stretch before execve, the same for a container's init and for an exec: from a process inside to the program's own identity. */
#pragma once

#include "runtime/spec.h"

struct err;
struct ns_filter;
struct sync;

/*
 * In the container, with its root rights, standard descriptors in place: signals, keyring, working directory, umask, and at last the resource limits. make_cwd: a working directory that is not
 * there is made, which is for init only: to an exec it is a slip of the pen.
 */
int ct_program_prepare(const struct ct_process *p, bool make_cwd, struct err *e);

/*
 * After that: ids, capabilities, seccomp. Without no_new_privs the filter goes in before the capabilities are dropped, else last, so that it need not allow what dropping takes. A filter with a
 * listener: that goes to the host at `step` (listener.h).
 */
int ct_program_become(const struct ct_process *p, const struct ns_filter *filter, struct sync *host,
		      unsigned step, struct err *e);

/* What a further process leaves open is as it is for the container's init; its lists stay init's. */
void ct_process_complete(struct ct_process *p, const struct ct_process *init);

/* Host side, on the process to be: scheduling policy and I/O priority. */
int ct_process_schedule(const struct ct_process *p, pid_t pid, struct err *e);

/*
 * Inside, before ct_program_prepare(): puts HOME into env if it is not there, as the other runtimes do. home NULL: that of uid in the container's passwd, "/" if there is
 * none. The new env has an execve for its end, nobody frees it.
 */
int ct_program_home(struct ct_process *p, const char *home, struct err *e);

/* execve(2) of args[0], searched in the PATH of env if it has no slash. Returns only on failure: class NOT_FOUND or NOT_RUNNABLE. */
int ct_program_exec(const struct ct_process *p, struct err *e);

/*
 * The same without doing it, as root and before the working directory is entered: whether there is such a program at all. A relative path is not looked at. What passes may still
 * fail (its interpreter, its user's rights).
 */
int ct_program_look(const struct ct_process *p, struct err *e);
