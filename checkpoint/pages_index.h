/* SPDX-License-Identifier: GPL-2.0-only */
/* How a store of pages lies in its memfd: for pages.c, which fills it, and skep-pages, which empties it. */
#pragma once

/*
 * A sparse file. It begins with struct cr_pages_index; page `vaddr` of the process in slot n (n >= 1) is at cr_pages_at(n, vaddr), so that what is contiguous in a process is
 * contiguous here, a later version falls on the former one, and a page is there exactly if the file has data there (SEEK_DATA).
 */

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
_Static_assert(CR_PAGES_PROCESSES_MOST < 1 << (63 - CR_PAGE_VA_BITS), "slots of the store");
