/* SPDX-License-Identifier: GPL-2.0-only */
/* A control group without limits for processes of skep's own, away from whoever started them. */
#pragma once

/*
 * systemd ends a unit or a session by its control group: what is to outlive the command that forked it must be born elsewhere. The group exists in the unified
 * hierarchy and, where there is one, in v1's name=systemd: systemd goes by these two. Controllers of v1 leave such a process where its parent is.
 * Life: cg_leaf_open(), cg_leaf_fork(), cg_leaf_enter() as the child's first act, cg_leaf_close(); cg_leaf_leave() when the process itself is the one to call
 * cg_leaf_remove(). The path alone is enough to remove it. Host side, single-threaded.
 */

#include <errno.h>
#include <sys/types.h>

struct err;

struct cg_leaf {
	int v2;	   /* directory in the unified hierarchy, or -EBADF */
	int tasks; /* of name=systemd, or -EBADF */
};

#define CG_LEAF_INIT                          \
	{                                     \
		.v2 = -EBADF, .tasks = -EBADF \
	}
#define auto_leaf __attribute__((cleanup(cg_leaf_close)))

/* Makes the group (relative path) with its parents; one that is there is taken as it is. */
int cg_leaf_open(const char *path, struct cg_leaf *leaf, struct err *e);

void cg_leaf_close(struct cg_leaf *leaf);

/* fork(2) into the group of the unified hierarchy, without the wait for RCU that a move costs. Returns as fork does, but for -errno with e filled. */
pid_t cg_leaf_fork(const struct cg_leaf *leaf, struct err *e);

/* In the child, while it has one thread: into the rest of it. */
int cg_leaf_enter(const struct cg_leaf *leaf, struct err *e);

/* Moves this process, if it is in the group, to the hierarchies' roots. */
int cg_leaf_leave(const char *path, struct err *e);

/*
 * Removes the group and its empty parents when nobody is in it. Waits at most wait_ms for others who are about to end. Gone already is success; -EBUSY with e
 * filled when somebody stays, at once when that is this process.
 */
int cg_leaf_remove(const char *path, int wait_ms, struct err *e);
