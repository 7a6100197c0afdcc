/* SPDX-License-Identifier: GPL-2.0-only */
/* Which device nodes a container may open: v1 devices controller, or a BPF program on the unified group. */
#pragma once

/*
 * Everything is denied first; rules are then read in order and the last one that matches decides, for
 * each wanted access (read, write, mknod) by itself; all of them must be allowed. The whole list replaces the one before.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cg;
struct err;

struct cg_device_rule {
	char type;	      /* 'a' all, 'b' block, 'c' char */
	int64_t major, minor; /* -1: any */
	bool r, w, m;	      /* read, write, mknod */
	bool allow;
};

/* What every container may: null zero full random urandom tty console ptmx, its ptys, mknod of anything. Not fuse, not tun. */
extern const struct cg_device_rule cg_device_default[];
extern const size_t cg_device_default_count;

/*
 * Applies by BPF where there is a unified hierarchy (exact for any list), else by the v1 controller, which refuses a rule that takes
 * back a part of an earlier one. -EOPNOTSUPP, class LIMIT, with neither.
 */
int cg_devices_apply(const struct cg *cg, const struct cg_device_rule *rules, size_t count,
		     struct err *e);

/* The two ways, on a borrowed directory: of the v1 devices hierarchy, of the unified one. */
int cg_devices_v1_apply(int dir, const struct cg_device_rule *rules, size_t count, struct err *e);
int cg_devices_bpf_apply(int dir, const struct cg_device_rule *rules, size_t count, struct err *e);
