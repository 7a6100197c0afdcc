/* SPDX-License-Identifier: GPL-2.0-only */
/* The numbers by which programs know a process again: pidfds.json beside the images. */
#pragma once

/*
 * Since Linux 6.9 a pidfd has an inode number (pidfs) that no other process of this boot has had or will have. systemd, since version 257, keeps it beside the pid and the descriptor (struct PidRef: pid_t pid; int fd;
 * uint64_t fd_id) and calls two of them the same process only when these numbers are equal (pidref_equal() in src/basic/pidref.c). A restored process has another number, and nobody can give it its own: so PID 1 would
 * no longer take a service's word, as its message comes from "another" process ("Got notification message from PID 74, but reception only permitted for main PID 74"), and within minutes kill
 * every one with a watchdog that ran before: journald, logind. So where such records are is noted while the tasks are stopped, and the new numbers are written there before they run.
 *
 * A record is 16 bytes in a process's [heap]: pid and descriptor number of a pidfd that it holds, and that pidfd's inode number. All three must be right, at the source and again at the target.
 */

#include <stdbool.h>

struct cg;
struct err;

#define CR_PIDFDS_FILE "pidfds.json"

/* All tasks in cg are stopped. Without any record no file is written. */
int cr_pidfds_save(int images, const struct cg *cg, struct err *e);

/*
 * Writes into the restored tasks, which do not run yet. all_there: memory that is not in place yet comes when it is read (false: a read could wait for the source for ever, so what is not in place stays as it is, with a notice). The file may
 * come from another host: only what is such a record is changed. -EPROTO, class RESTORE: a file that does not make sense.
 */
int cr_pidfds_restore(int images, const struct cg *cg, bool all_there, struct err *e);
