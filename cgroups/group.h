/* SPDX-License-Identifier: GPL-2.0-only */
/* The control groups of one container in all hierarchies. */
#pragma once

/*
 * A container's control group is named by one relative path ("skep/101") that is the same in every hierarchy. Layout:
 *   unified:  PATH     owned by root, carries the limits, never a process
 *             PATH/ct  the container's processes; root of its cgroup namespace; delegated to it; shows it the same limits (view.h)
 *          or PATH     both, for a container that cannot write to a control group: a level is 0.1 ms of its start
 *   each v1:  PATH     limits and processes; root of the container's cgroup namespace there
 * Life: cg_create() (or cg_open() later), clone with CLONE_INTO_CGROUP into cg_v2_fd(), cg_doors_enter() (entry.h) in the clone for the
 * v1 ones, cg_close(). The path alone is enough to remove everything, cg_destroy(), also after a create that died half-way: so
 * write it down before cg_create. All but that runs on the host side as root.
 */

#include <errno.h>
#include <stdbool.h>
#include <sys/types.h>

#include "cgroups/hierarchy.h"

struct err;

struct cg {
	char path[256];		     /* relative, the same in all hierarchies */
	int v2;			     /* unified PATH, or -EBADF */
	int ct;			     /* unified PATH/ct, PATH again without that level, or -EBADF */
	int v1[CG_CONTROLLER_COUNT]; /* PATH in that controller's v1 hierarchy, or -EBADF */
};

#define CG_INIT                                                                                \
	{                                                                                      \
		.v2 = -EBADF, .ct = -EBADF, .v1 = { [0 ... CG_CONTROLLER_COUNT - 1] = -EBADF } \
	}
#define auto_cg __attribute__((cleanup(cg_close)))

/*
 * Removes empty left-overs of that path; one that has processes or is frozen is refused as by cg_create: -EEXIST, class EXISTS. To be asked before the path is
 * written down as ours: what is written down is killed and removed by whoever cleans up.
 */
int cg_vacate(const char *path, struct err *e);

/* Whether we, who need not be root, may make that path in every hierarchy. */
bool cg_may_create(const char *path);

/*
 * Makes the groups in every hierarchy and enables the controllers on the way down. Empty left-overs of that path are
 * removed first; one that has processes or is frozen is refused: -EEXIST, class EXISTS (a group prepared by
 * somebody else must not catch a container). On failure nothing that it made remains. A controller that cannot be enabled is a
 * log_warn here and an error in cg_limits_apply when a limit needs it.
 */
int cg_create(const char *path, struct cg *cg, struct err *e);

/*
 * Takes a group of the unified hierarchy that another one (systemd) has made and given to us, with one process of the caller's in it, holder. inner: as for cg_make(); holder goes to PATH/ct
 * then: PATH may have controllers for what is below. In v1 hierarchies it is made where it is missing.
 */
int cg_adopt(const char *path, pid_t holder, bool inner, struct cg *cg, struct err *e);

/*
 * Makes the level PATH/NAME in such a group, before it is adopted, and moves holder there: PATH/NAME is what can be adopted then, with PATH's controllers.
 */
int cg_descend(const char *path, const char *name, pid_t holder, struct err *e);

/*
 * As cg_create(), of a path that cg_vacate() has just found free. inner: with the level PATH/ct, which who can write to control groups must have: its limits are out of its
 * reach then, and so is a group of its own making beside them.
 */
int cg_make(const char *path, bool inner, struct cg *cg, struct err *e);

/* Opens what cg_create made. -EOPNOTSUPP, class UNSUPPORTED: path is empty, as of a container without one. -ENOENT with e filled when there is none in any hierarchy. */
int cg_open(const char *path, struct cg *cg, struct err *e);

void cg_close(struct cg *cg);

/*
 * Removes the groups with all below them in every hierarchy, then parents that became empty. Kills nothing; waits at most
 * wait_ms for processes that are dying. Gone already is success; -EBUSY if some still live.
 */
int cg_destroy(const char *path, int wait_ms, struct err *e);

/* Calls fn for the absolute directory of path in each hierarchy (existing or not): for ledgers and messages. */
int cg_each_dir(const char *path, void (*fn)(const char *dir, void *arg), void *arg, struct err *e);

/* Whether the processes are in PATH/ct. */
bool cg_has_inner(const struct cg *cg);

/* Borrowed O_DIRECTORY fd of PATH/ct (PATH without that level, here and below) for CLONE_INTO_CGROUP; -EBADF without a unified hierarchy. */
int cg_v2_fd(const struct cg *cg);
