/* SPDX-License-Identifier: GPL-2.0-only */
/* Where criu finds the hierarchies of control groups, so that it need not mount them. */
#pragma once

/*
 * criu dump mounts each hierarchy anew to look at the groups of the stopped tasks, for each kind of place that a task is in once. The mount of a hierarchy that is mounted already is only cheap when the last one was a moment ago: cgroup2's waits for the
 * kernel's readers first, 6 ms each time. With --cgroup-yard DIR it takes DIR/CONTROLLERS and DIR/unified instead (collect_cgroups() in criu/cgroup.c). Links do for a dump,
 * which opens them from our root; a restore would follow them from within the container, so it has no yard.
 */

struct err;

#define CR_YARD_DIR "yard" /* in STATE/ID */

/* Makes dir/CR_YARD_DIR with a link to each hierarchy. 1; 0: one of them is nowhere mounted whole, so there is none. */
int cr_yard_make(int dir, struct err *e);
void cr_yard_remove(int dir);
