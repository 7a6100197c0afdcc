/* SPDX-License-Identifier: GPL-2.0-only */
/* The control group of a container's monitor, and of what else works for it in the background: beside the container's own, outside its limits. */
#pragma once

struct cg_leaf;
struct err;

/* skep.slice/.monitors/..., a name that no container can have. name and state directory as for the container's group. Made by the guardian's parent. */
int ct_monitor_group_open(const char *name, const char *state, struct cg_leaf *leaf, struct err *e);

/* When the monitor has ended; under the container's lock. What cannot be removed is a notice. */
void ct_monitor_group_remove(const char *name, const char *state);

/* For the monitor's own last act, the reaper: as remove, having left it. */
void ct_monitor_group_end(const char *name, const char *state);
