/* SPDX-License-Identifier: GPL-2.0-only */
/* A time namespace of our own: clocks since boot that go on over a migration. */
#pragma once

#include <stdint.h>

struct err;

struct ns_time_offset {
	int64_t secs;
	uint32_t nanosecs;
};

/*
 * Init side, in its user namespace, before the pivot (it writes /proc/self/timens_offsets).
 * unshare(2) puts only later children into the new namespace; the caller itself enters it at execve
 * (kernel >= 6.2), so offsets may still be written now. NULL: no offset on that clock.
 */
int ns_time_unshare(const struct ns_time_offset *monotonic, const struct ns_time_offset *boottime,
		    struct err *e);
