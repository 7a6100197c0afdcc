/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the host's hierarchies of control groups are mounted. */
#pragma once

#include <stddef.h>

struct ns_mountinfo;

/* The mount, from its root on and not mounted over, of the hierarchy of these controllers ("cpu,cpuacct", "name=systemd"; "": cgroup2). all: of ourselves. NULL: there is none. */
const struct ns_mountinfo *cr_hierarchy_find(const struct ns_mountinfo *all, size_t n,
					     const char *controllers);
