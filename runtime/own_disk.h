/* SPDX-License-Identifier: GPL-2.0-only */
/* Which disk a container's files are on: a definition says "own", which is right on every host. */
#pragma once

#include <stdbool.h>

#include "cgroups/limits.h"

struct err;

/* In a struct cg_io_limit: the disk under the container's files. In JSON "own". */
static inline bool ct_is_own_disk(const struct cg_io_limit *io)
{
	return !io->major && !io->minor;
}

/*
 * Puts numbers where l says "own": those of the disk that dir is on; of a partition its disk, since the kernel limits whole disks (Documentation/
 * admin-guide/cgroup-v2.rst, io.max). Class LIMIT when dir is on no disk (tmpfs, btrfs, a network).
 */
int ct_own_disk(int dir, struct cg_limits *l, struct err *e);
