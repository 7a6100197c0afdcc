/* SPDX-License-Identifier: GPL-2.0-only */
/* A subtree of one hierarchy: removing it, however deep the container has made it. */
#pragma once

#include <stdint.h>

struct err;

/*
 * Removes root/path with all below it. Two descriptors and no recursion at any depth. Gone already is success; -EBUSY with e filled
 * while a process is in it.
 */
int cg_tree_remove(int root, const char *path, struct err *e);

/* As cg_tree_remove below a mount point, waiting for dying processes until that CLOCK_MONOTONIC time; then empty parents that we made, too. */
int cg_tree_remove_wait(const char *mount, const char *path, uint64_t until_ns, struct err *e);

/* Notes that we made this group (an extended attribute): only such parents are removed when they are empty. */
void cg_tree_mark(int dir);

/*
 * Waits until "key value" stands in dir/cgroup.events, woken by the kernel's modification event. ms < 0: no deadline.
 * Returns 0, -ETIMEDOUT (e untouched), -ENOENT (e untouched) if the file or the group is gone.
 */
int cg_event_wait(int dir, const char *key, unsigned value, int ms, struct err *e);
