/* SPDX-License-Identifier: GPL-2.0-only */
/* Stopping all processes of a container at once, and letting them go on. */
#pragma once

/*
 * Done on the group above the delegated one, so the container cannot thaw itself. With a unified hierarchy the kernel's own
 * cgroup.freeze is used, and completion is an event on cgroup.events; a v1 freezer only where there is none.
 */

#include <stdbool.h>

struct cg;
struct err;

/* Freezes and waits until all are frozen; -ETIMEDOUT after wait_ms, and then they have been thawed again. */
int cg_freeze(const struct cg *cg, int wait_ms, struct err *e);

/* Thaws and waits until it is so. Not frozen is success. */
int cg_thaw(const struct cg *cg, int wait_ms, struct err *e);

/* 1 frozen (or freezing), 0 not. */
int cg_frozen(const struct cg *cg, struct err *e);
