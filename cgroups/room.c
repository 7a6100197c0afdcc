// SPDX-License-Identifier: GPL-2.0-only
/* Reclaim before a limit, or its refusal. */
#include "cgroups/room.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/size.h"
#include "cgroups/limits.h"
#include "cgroups/stat.h"

/* What is charged while it reclaims, and what one pass does not get: the kernel's own number for memory.max. */
#define TRIES 16

/* What the limit has to leave; UINT64_MAX when it cannot be known. */
static uint64_t in_use(const struct cg *cg, bool cache_too)
{
	struct cg_stat st = {0};
	struct err none = {0};

	if (cg_stat_read(cg, &st, &none) < 0 || !st.mem_current.valid)
		return UINT64_MAX;
	if (!cache_too && st.mem_inactive_file.valid && st.mem_inactive_file.v < st.mem_current.v)
		return st.mem_current.v - st.mem_inactive_file.v;
	return st.mem_current.v;
}

int cg_room_refuse(const struct cg *cg, uint64_t bytes, struct err *e)
{
	uint64_t used = in_use(cg, true);
	char limit[16], now[16] = "more";

	size_to_str(bytes, limit, sizeof(limit));
	if (used != UINT64_MAX)
		size_to_str(used, now, sizeof(now));
	err_clear(e);
	err_set(e, EBUSY,
		"memory limit %s: it uses %s now that cannot be reclaimed, and would be killed",
		limit, now);
	err_hint(e, "end something inside, or stop it first");
	return err_class(e, ERR_LIMIT);
}

int cg_room_make(const struct cg *cg, uint64_t bytes, struct err *e)
{
	struct err why = {0};

	if (cg->v2 < 0 || bytes == CG_UNLIMITED || faccessat(cg->v2, "memory.current", F_OK, 0) < 0)
		return 0;
	for (int i = 0; i < TRIES; i++) {
		uint64_t used = in_use(cg, true);
		char text[24];

		if (used <= bytes)
			return 0;
		snprintf(text, sizeof(text), "%" PRIu64, used - bytes);
		err_clear(&why);
		/* EAGAIN: it got less than that. */
		if (file_write_at(cg->v2, "memory.reclaim", text, &why) < 0 && why.no != EAGAIN)
			break;
	}
	/* Before Linux 5.19: all but the cache that goes first has to fit. */
	if (why.no == ENOENT && in_use(cg, false) <= bytes)
		return 0;
	return in_use(cg, true) <= bytes ? 0 : cg_room_refuse(cg, bytes, e);
}
