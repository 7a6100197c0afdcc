/* SPDX-License-Identifier: GPL-2.0-only */
/* Other processes: who they are for sure, and running a program without a shell. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* Start time of a process in clock ticks since boot (proc_pid_stat(5), field 22). A process is (pid, start time). */
int proc_start_time(pid_t pid, uint64_t *ticks, struct err *e);

/* Opens a pidfd of the process (pid, ticks); -ESRCH (e untouched) if that one is gone, whoever has its pid now. */
int proc_open(pid_t pid, uint64_t ticks, struct err *e);

/* The number of pid's thread tid in its own, innermost pid namespace; 0: it has gone. */
pid_t proc_inner_pid(pid_t pid, pid_t tid);

/* Kills and reaps all children of the calling process: for one that is about to end, and may have been left with some that others made for it. */
void proc_end_children(void);

/* Waits for a child with a deadline; ms < 0: no deadline. Returns the wait status, -ETIMEDOUT with e untouched. */
int proc_wait(int pidfd, int ms, struct err *e);

/*
 * Kills a child and reaps it. What a v1 freezer holds dies only when that thaws: after ms it is left to whoever thaws it, and to the reaper of whoever outlives us. pid <= 0: there is none. pidfd < 0: one is opened; where no
 * descriptor can be had it is killed, and not waited for.
 */
void proc_end(pid_t pid, int pidfd, int ms);

struct proc_run {
	const char *const *argv; /* argv[0] is searched in PATH */
	const char *const *env;	 /* NULL: ours */
	int in, out, err;	 /* <= 0: /dev/null for in and out; err goes to `said` */
	int deadline_ms;	 /* 0: none. Then the program is killed and -ETIMEDOUT returned */
	char *said; /* buffer for the end of what it wrote to its standard error; may be NULL */
	size_t said_size;
};

/*
 * Runs a program to its end, with no descriptor but 0, 1, 2, and dying with us. Returns its exit status 0..255, 128 + N
 * when signal N ended it; a program that is not there is -ENOENT with a message.
 */
int proc_run(const struct proc_run *run, struct err *e);

/* As proc_run with nothing to feed; anything but exit 0 is an error that quotes the program's last line. */
int proc_run_ok(const char *const argv[], struct err *e);
