/* SPDX-License-Identifier: GPL-2.0-only */
/* Sparse tables over pages: one leaf for each 2 MiB of addresses, made when it is first needed. */
#pragma once

/*
 * Life: a zeroed struct with leaf_size set (CR_SET_INIT, CR_HASHES_INIT); cr_leaves_done(). Three kinds share it: a set of pages (a leaf is 512 bits), a table of their hashes
 * (a leaf is 512 times 16 bytes), and one of numbers (512 times 8 bytes). Addresses are multiples of CR_PAGE_SIZE; ranges must not wrap.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/track.h"

#define CR_LEAF_SHIFT 21
#define CR_LEAF_PAGES 512u

struct cr_leaf {
	uint64_t key; /* address >> CR_LEAF_SHIFT */
	void *data;
};

struct cr_leaves {
	struct cr_leaf *v; /* sorted by key */
	size_t count, room, leaf_size;
	size_t last; /* where the last look ended: mostly the next one begins there */
};

struct cr_hash {
	uint64_t lo, hi; /* both 0: none */
};

#define CR_WORDS_INIT                                         \
	{                                                     \
		.leaf_size = CR_LEAF_PAGES * sizeof(uint64_t) \
	}
#define CR_SET_INIT                            \
	{                                      \
		.leaf_size = CR_LEAF_PAGES / 8 \
	}
#define CR_HASHES_INIT                                              \
	{                                                           \
		.leaf_size = CR_LEAF_PAGES * sizeof(struct cr_hash) \
	}

void cr_leaves_done(struct cr_leaves *l);
/* The bytes it has. */
size_t cr_leaves_memory(const struct cr_leaves *l);
/* The leaf of an address; NULL when there is none (and `make` is false, or there is no memory). */
void *cr_leaves_at(struct cr_leaves *l, uint64_t vaddr, bool make);

/* A set of pages. add: 0 or -ENOMEM, and then none or some of them are in. remove: how many of them were in. */
int cr_set_add(struct cr_leaves *l, uint64_t vaddr, uint64_t npages);
uint64_t cr_set_remove(struct cr_leaves *l, uint64_t vaddr, uint64_t npages);
void cr_set_subtract(struct cr_leaves *l, const struct cr_leaves *other);

/*
 * The first run of pages at or after vaddr and before end that are all in (in = true) or all out of the set; npages 0 when there is
 * none.
 */
struct cr_run cr_set_next(struct cr_leaves *l, uint64_t vaddr, uint64_t end, bool in);
