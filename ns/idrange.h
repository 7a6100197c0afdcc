/* SPDX-License-Identifier: GPL-2.0-only */
/* Which 65536 host ids a container owns: picked once at create, never shared. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct err;

#define NS_IDRANGE_WIDTH	 65536u
#define NS_IDRANGE_DEFAULT_FIRST 0x40000000u
#define NS_IDRANGE_DEFAULT_LAST	 0x60000000u /* one behind the last */

/* A pool of host ids, first (included) to last (excluded), both multiples of the width. */
struct ns_idrange_pool {
	uint32_t first;
	uint32_t last;
};

/*
 * Fills pool from the lines of user "skep" in text, the content of /etc/subuid
 * ("skep:1073741824:536870912"); its largest line counts, rounded inwards to the width. Without
 * such a line (or text NULL): the default pool. A line of skep's that is malformed or narrower than
 * one container is -EINVAL, class CONFIG.
 */
int ns_idrange_pool_parse(const char *text, struct ns_idrange_pool *pool, struct err *e);

/* As ns_idrange_pool_parse from /etc/subuid; a missing file is the default pool. */
int ns_idrange_pool_load(struct ns_idrange_pool *pool, struct err *e);

/*
 * Picks the base of a free range: a hash of seed (the container's name or uuid) chooses where to
 * begin, so that two hosts seldom choose the same base for two containers, then the next one not in
 * taken[]. -ENOSPC when the pool is full.
 */
int ns_idrange_pick(const struct ns_idrange_pool *pool, const char *seed, const uint32_t taken[],
		    size_t n, uint32_t *base, struct err *e);
