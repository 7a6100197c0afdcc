/* SPDX-License-Identifier: GPL-2.0-only */
/* The target's store of memory pages: filled while the source runs, then handed to skep-pages, which puts them into the restored processes. */
#pragma once

/*
 * Life: cr_pages_new() makes an empty store; cr_pages_put() and its like fill it, round after round, a later version of a page over the former one;
 * cr_pages_check() compares it with the images of the dump; cr_pages_daemon_start() (pages_daemon.h) gives it to the daemon, after which the caller frees its own
 * end with cr_pages_free(). It is one memfd: whoever holds a descriptor has all of it, and it is gone with the last one. Its memory is charged to the control group of
 * the process that puts the pages, not to the container's.
 *
 * Peak of memory at the target: the daemon frees pages of the store (256 KiB at a time) when they have been copied into a process, so that store and container together are never more
 * than all pages plus 256 KiB; only after a fork before everything was resident are the pages of that family kept to the end. Kernel overhead of the store: 1/50 for memory without
 * gaps; for single pages that are far from each other, which a hostile source may send, up to three times as much as the pages themselves; and then half of
 * the limit is all that it gets.
 *
 * Not for threads. Pages are keyed by (id, vaddr), see pagemap.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/pagemap.h"

struct err;
struct cr_pages;

#define CR_PAGES_PROCESSES_MOST 30000 /* different ids in a store */
#define CR_PAGES_RUN_MOST	1024  /* pages in one put, drop and answer: 4 MiB */

/*
 * limit_bytes: what the source has announced, plus what the caller grants it for growth; a put beyond it is -ENOSPC, class NO_SPACE, and changes nothing. A put that
 * overwrites counts nothing.
 */
int cr_pages_new(uint64_t limit_bytes, struct cr_pages **out, struct err *e);
void cr_pages_free(struct cr_pages *p);
static inline void cr_pages_free_at(struct cr_pages **p)
{
	cr_pages_free(*p);
	*p = NULL;
}
#define auto_pages __attribute__((cleanup(cr_pages_free_at)))

/*
 * Puts npages (1 .. CR_PAGES_RUN_MOST) pages of id at vaddr (a multiple of the page size). All of it is untrusted: a bad id (0), address or count is -EPROTO, too many
 * processes -E2BIG.
 */
int cr_pages_put(struct cr_pages *p, uint32_t id, uint64_t vaddr, uint64_t npages, const void *data,
		 struct err *e);

/*
 * The same with the data read from fd, a stream, exactly npages * CR_PAGE_BYTES of it; sum (may be NULL): cr_pages_sum() of what was read, with seed 0. -EPIPE when the stream ends
 * before. Nothing is read if the arguments are refused.
 */
int cr_pages_put_from(struct cr_pages *p, uint32_t id, uint64_t vaddr, uint64_t npages, int fd,
		      uint64_t *sum, struct err *e);

/* Pages of zeroes: nothing of them crosses the wire, and they cost no memory here; but each counts as a page, as it will be one in the container. */
int cr_pages_put_zero(struct cr_pages *p, uint32_t id, uint64_t vaddr, uint64_t npages,
		      struct err *e);

/*
 * Forgets pages (any number, whether there or not): they are stale, and the daemon is to ask the source for them (post-copy, hybrid). After the last drop no page may be in the
 * store that differs from the frozen process.
 */
int cr_pages_drop(struct cr_pages *p, uint32_t id, uint64_t vaddr, uint64_t npages, struct err *e);
/* All of a process that has ended, or executed another program. */
int cr_pages_drop_all(struct cr_pages *p, uint32_t id, struct err *e);

uint64_t cr_pages_bytes(const struct cr_pages *p); /* stored now */

/* Reads one page back: 1, or 0 when it is not there. */
int cr_pages_get(const struct cr_pages *p, uint32_t id, uint64_t vaddr, void *page, struct err *e);

struct cr_pages_need {
	uint64_t lazy;	 /* pages that the daemon will have to bring */
	uint64_t stored; /* of these, in the store */
	uint64_t
		missing; /* lazy - stored: to be asked from the source; without a source the container cannot be restored */
};
/* What the images need and what is there. -EPROTO when an image is damaged. Call before READY: missing != 0 without a source means an incomplete container. */
int cr_pages_check(const struct cr_pages *p, int images, struct cr_pages_need *need, struct err *e);

/* Borrowed; see pages_index.h for what is in it. */
int cr_pages_fd(const struct cr_pages *p);

/*
 * A checksum of pages against faults of links and programs, not against an enemy; carried on from seed (0 at first), so that it does not matter in how many
 * pieces the pages come. 5 GB/s and more.
 */
uint64_t cr_pages_sum(uint64_t seed, const void *data, uint64_t npages);
