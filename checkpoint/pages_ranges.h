/* SPDX-License-Identifier: GPL-2.0-only */
/* Ranges of a process's addresses whose pages are not there yet, as the process moves, removes and splits them while it runs. */
#pragma once

/*
 * Each range remembers under which address (img) its pages were dumped, as a process may have moved them (mremap) since. Sorted by start, none over another. All
 * addresses are multiples of the page size. Zeroed is empty; cr_ranges_done() frees.
 */

#include <stddef.h>
#include <stdint.h>

struct err;

struct cr_range {
	uint64_t start, end; /* now; end is behind the last byte */
	uint64_t img;	     /* of start, at the dump */
};

struct cr_ranges {
	struct cr_range *
		all; /* of which those in use are [first, first + count): what is done first leaves by its front */
	size_t first, count, room;
	uint64_t pages; /* in all ranges */
};

void cr_ranges_done(struct cr_ranges *r);

/* Puts one in, whose addresses are in none of r; joins it to its neighbours where it continues them. -ENOMEM. */
int cr_ranges_add(struct cr_ranges *r, struct cr_range range, struct err *e);

/* Takes all of [start, end) out. -ENOMEM (a hole in the middle makes two of one). */
int cr_ranges_cut(struct cr_ranges *r, uint64_t start, uint64_t end, struct err *e);

/* The process has moved [from, from + len) to `to`, and what was there is gone. */
int cr_ranges_move(struct cr_ranges *r, uint64_t from, uint64_t to, uint64_t len, struct err *e);

/* dst, which is empty, becomes like src. */
int cr_ranges_copy(struct cr_ranges *dst, const struct cr_ranges *src, struct err *e);

/* The range that has addr; NULL: none. Good until the next change. */
const struct cr_range *cr_ranges_find(const struct cr_ranges *r, uint64_t addr);

/* The first one; NULL: empty. */
const struct cr_range *cr_ranges_first(const struct cr_ranges *r);

/* Moves from r into `to` all parts that were dumped in [img, img_end). */
int cr_ranges_arrive(struct cr_ranges *r, struct cr_ranges *to, uint64_t img, uint64_t img_end,
		     struct err *e);
