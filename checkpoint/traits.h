/* SPDX-License-Identifier: GPL-2.0-only */
/* What threads are, criu leaves out, and can be given to them from outside: traits.json beside the images. */
#pragma once

/*
 * criu's images have no word for the processors that a thread is bound to (sched_setaffinity(2)), its place in the queue of disks (ioprio_set(2)), the slack of its timers
 * (PR_SET_TIMERSLACK), nor for what a core dump holds (core(5), coredump_filter): after a restore all have what criu itself has. So whatever is not as a new process has it is noted while the tasks
 * are stopped, by the thread's number inside, and given back when they are restored and do not run yet.
 */

struct cg;
struct err;

#define CR_TRAITS_FILE "traits.json"

/* All threads in cg are stopped. Without any that is special no file is written. */
int cr_traits_save(int images, const struct cg *cg, struct err *e);

/*
 * Gives them back; the file may come from another host. A trait that this host cannot give (it has no such processor) is a notice. -EPROTO, class RESTORE: a file that does
 * not make sense, or asks for what a container cannot have given itself.
 */
int cr_traits_restore(int images, const struct cg *cg, struct err *e);
