/* SPDX-License-Identifier: GPL-2.0-only */
/* Stopping all processes of a container at once, and letting them go on. */
#pragma once

/*
 * Done on the group above the delegated one, so the container cannot thaw itself. With a unified hierarchy the kernel's own
 * cgroup.freeze is used, and completion is an event on cgroup.events; a v1 freezer only where there is none.
 */

#include <stdbool.h>
#include <stddef.h>

struct cg;
struct err;

/* Freezes and waits until all are frozen; -ETIMEDOUT after wait_ms, and then they have been thawed again. */
int cg_freeze(const struct cg *cg, int wait_ms, struct err *e);

/* Thaws and waits until it is so. Not frozen is success. */
int cg_thaw(const struct cg *cg, int wait_ms, struct err *e);

/*
 * An inotify(7) descriptor, the caller's, not blocking: readable when somebody has frozen or thawed this very group, which is done by a write(2) to a file of it. That of v1's
 * controller tells of a group above it nothing.
 */
int cg_freezer_watch(const struct cg *cg, struct err *e);

/*
 * For tasks that are all stopped already, by a tracer: says that they are to stay so without it, or not any more, and waits for nothing. By cgroup.freeze only: -EOPNOTSUPP, e
 * untouched, where there is none.
 */
int cg_hold(const struct cg *cg, bool held, struct err *e);

/* The path of its cgroup.freeze, for who can do no more than write to a file. -EOPNOTSUPP, e untouched, where there is none. */
int cg_freeze_path(const struct cg *cg, char *path, size_t size, struct err *e);

/* 1 frozen (or freezing), 0 not. */
int cg_frozen(const struct cg *cg, struct err *e);

/* As cg_frozen, with the path of its directory in the hierarchy whose freezer does it. */
int cg_frozen_path(const struct cg *cg, char *path, size_t size, struct err *e);

/* Whether that directory of a hierarchy, unified or v1, is frozen or about to be; one that cannot be asked is not. */
bool cg_dir_frozen(int dir);
