/* SPDX-License-Identifier: GPL-2.0-only */
/* The points in time at which timerfds expire: timers.json beside the images. */
#pragma once

/*
 * criu's images have what was left of a timerfd_create(2) timer when it was dumped, and its restorer (timerfd_arm() in criu/pie/restorer.c) counts that from when it restores, for a timer with a
 * point in time (TFD_TIMER_ABSTIME) moreover from the whole second before. But the clock of the container's time namespace goes on from the dump and runs through the restore, and the wall clock through
 * all of it: every timer is late, or early, by up to seconds, and by all the time that it was suspended when it goes by the wall clock. systemd has all its deadlines in such timers: when a
 * few moves add up it kills its daemons, whose watchdogs are late. So the points themselves are noted while the tasks are stopped, and set again before they run.
 *
 * A point is in nanoseconds of the clock as the container sees it. Timers of setitimer(2), timer_create(2) and of calls that sleep are the kernel's, and criu's: nobody else can set them.
 */

#include <sys/types.h>

struct cg;
struct err;

#define CR_TIMERS_FILE "timers.json"

/* All tasks in cg are stopped; init: of them, as the host has it. Without any timer no file is written. */
int cr_timers_save(int images, const struct cg *cg, pid_t init, struct err *e);

/*
 * Sets those of the restored tasks, which do not run yet. The file may come from another host. What cannot be set is a notice, and late; -EPROTO, class RESTORE: a file that does not make
 * sense.
 */
int cr_timers_restore(int images, const struct cg *cg, pid_t init, struct err *e);
