/* SPDX-License-Identifier: GPL-2.0-only */
/* How a store of pages lies in its memfd: for pages.c, which fills it, and skep-pages, which empties it. */
#pragma once

/*
 * A sparse file. It begins with struct cr_pages_index; page `vaddr` of the process in slot n (n >= 1) is at cr_pages_at(n, vaddr), so that what is contiguous in a process is contiguous here, and
 * a later version falls on the former one. Which pages are there is told by a bitmap in the slot CR_PAGES_BITS, a bit a page: SEEK_DATA could tell, too, but SEEK_HOLE looks at each
 * page up to the next hole, wherever that is (12 ms for 180 MB, each time). A page that is there and has no data is one of zeroes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "checkpoint/pages.h"

#define CR_PAGES_INDEX_MAGIC 0x31787070u

struct cr_pages_index {
	uint32_t magic;			      /* CR_PAGES_INDEX_MAGIC */
	uint32_t count;			      /* of ids */
	uint32_t id[CR_PAGES_PROCESSES_MOST]; /* of slot 1, 2, ... */
};

/* A file on tmpfs has 63 bits. */
static inline uint64_t cr_pages_at(uint32_t slot, uint64_t vaddr)
{
	return ((uint64_t)slot << CR_PAGE_VA_BITS) + vaddr;
}

#define CR_PAGES_BITS  32000u
#define CR_PAGES_BYTES cr_pages_at(CR_PAGES_BITS + 1, 0) /* of the file */
_Static_assert(CR_PAGES_PROCESSES_MOST < CR_PAGES_BITS, "slots of the store");
_Static_assert(CR_PAGES_BITS < 1 << (63 - CR_PAGE_VA_BITS), "size of the store");

/* Of the npages pages from vaddr on: how many are there; from now on all are there, or none. */
int cr_pages_index_count(int store, uint32_t slot, uint64_t vaddr, uint64_t npages, uint64_t *count,
			 struct err *e);
int cr_pages_index_mark(int store, uint32_t slot, uint64_t vaddr, uint64_t npages, bool there,
			struct err *e);

/* Whether page vaddr is there, and how many pages from it on (at most `most`) are as it is. */
int cr_pages_index_run(int store, uint32_t slot, uint64_t vaddr, uint64_t most, bool *there,
		       uint64_t *npages, struct err *e);
