/* SPDX-License-Identifier: GPL-2.0-only */
/* What pages a process of a dump has: criu's pagemap-ID.img, and what it was not shown, unseen-ID.img (unseen.h). Both may come from another host and are not trusted. */
#pragma once

/*
 * Life: cr_pagemap_load() reads and judges one image, cr_pagemap_done() frees it. ID is criu's pagemap id, which is the process's pid inside of its pid
 * namespace; the same number names the process wherever pages are moved (pages.h, pages_wire.h).
 */

#include <stddef.h>
#include <stdint.h>

struct cr_run;
struct err;

#define CR_PAGE_BYTES 4096u
/* No address of a process lies behind it (x86-64: 47 bits, with five levels 56 only for who asks; arm64: 48 bits). */
#define CR_PAGE_VA_BITS 48

/* Of criu's criu/include/pagemap.h. */
enum cr_page_flags {
	CR_PAGE_PARENT = 1, /* in the images of a dump before this one */
	CR_PAGE_LAZY =
		2, /* may come after the restore: anonymous, private, not locked, not a stack */
	CR_PAGE_PRESENT =
		4, /* in pages-N.img: of a lazy page, criu restore --lazy-pages does not look at it there */
};

/* npages pages from the address vaddr on; never 0 of them, never over the end of the address space. */
struct cr_page_run {
	uint64_t vaddr, npages;
	uint32_t flags;
};

struct cr_pagemap {
	uint32_t id;
	struct cr_page_run *runs; /* owned; by rising address, none over another */
	size_t count;
	uint64_t pages, lazy; /* of all runs; of those that are lazy */
};

/*
 * Reads images/pagemap-ID.img and images/unseen-ID.img, as one. -ENOENT with e untouched when there is none (a zombie, a helper); -EPROTO: damaged, or runs out of order, over each other,
 * not on a page's border or out of the address space. map is filled only on success.
 */
int cr_pagemap_load(int images, uint32_t id, struct cr_pagemap *map, struct err *e);
void cr_pagemap_done(struct cr_pagemap *map);
#define auto_pagemap __attribute__((cleanup(cr_pagemap_done)))

/* Writes images/unseen-ID.img: these runs, too, are lazy pages of it. */
int cr_pagemap_save_unseen(int images, uint32_t id, const struct cr_run *runs, size_t count,
			   struct err *e);

/* Calls fn for each pagemap-ID.img (not those of shared memory), in no order; map is fn's to look at only. fn < 0 ends it. Returns how many. */
int cr_pagemap_each(int images, int (*fn)(const struct cr_pagemap *map, void *arg, struct err *e),
		    void *arg, struct err *e);

/* The first run that ends behind vaddr (it holds vaddr, or begins after it); NULL: none. */
const struct cr_page_run *cr_pagemap_find(const struct cr_pagemap *map, uint64_t vaddr);
