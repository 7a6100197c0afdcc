/* SPDX-License-Identifier: GPL-2.0-only */
/* How a process gets into the control groups of a container. */
#pragma once

/*
 * In the unified hierarchy it is cloned into its group (CLONE_INTO_CGROUP), in the v1 ones it moves itself through doors that the host side has opened, or is moved. Where a group
 * is, see cgroups/group.h.
 */

#include "cgroups/group.h"

/*
 * A leaf for a process that enters a running container: PATH/ct itself while it has no controllers enabled, else
 * PATH/ct/skep-exec (an init like systemd has made ct an inner node, which may hold no process). The fd is the
 * caller's. -EBADF with e untouched without a unified hierarchy.
 */
int cg_exec_fd(const struct cg *cg, struct err *e);

/*
 * Puts a process with all its threads into the v1 hierarchies, and into PATH/ct if v2_too (when clone did not). Must be
 * done before the process unshares its cgroup namespace and before it forks.
 */
int cg_add(const struct cg *cg, pid_t pid, bool v2_too, struct err *e);

/*
 * The doors of the v1 hierarchies, opened on the host side before clone; through them the clone, which must have one thread, moves itself
 * without the wait for RCU that moving another process costs.
 */
struct cg_doors {
	int tasks[CG_CONTROLLER_COUNT];
};
#define CG_DOORS_INIT                                                 \
	{                                                             \
		.tasks = { [0 ... CG_CONTROLLER_COUNT - 1] = -EBADF } \
	}
int cg_doors_open(const struct cg *cg, struct cg_doors *doors, struct err *e);
void cg_doors_close(struct cg_doors *doors);

/* In the clone; allocates nothing. */
int cg_doors_enter(const struct cg_doors *doors, struct err *e);
