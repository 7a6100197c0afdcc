/* SPDX-License-Identifier: GPL-2.0-only */
/* What this kernel can do: each feature tried once a process, asked everywhere. */
#pragma once

#include <stdbool.h>

/* X(name, what it is for). Tried for real (a mount, a system call), never derived from a version. */
#define FEATURES(X)                                                                                \
	X(OVERLAY_IDMAP, "overlay over id-mapped lower layers by descriptor")                      \
	X(TIME_NS, "time namespaces")                                                              \
	X(USERFAULTFD, "post-copy migration")                                                      \
	X(SOFT_DIRTY, "pre-copy migration by CRIU")                                                \
	X(PAGEMAP_SCAN, "pre-copy migration by skep's own tracker")                                \
	X(PIDFD, "processes by descriptor")                                                        \
	X(CGROUP_V2, "a unified cgroup hierarchy")                                                 \
	X(LOOP, "disk images")                                                                     \
	X(RAISE_RLIMIT, "raising hard resource limits (CAP_SYS_RESOURCE)")

enum feature {
#define X(name, text) FEAT_##name,
	FEATURES(X)
#undef X
	FEAT_COUNT
};

bool feat_has(enum feature f);
const char *feat_to_str(enum feature f);
const char *feat_purpose(enum feature f);
