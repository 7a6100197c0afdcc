// SPDX-License-Identifier: GPL-2.0-only
/* Sparse tables over pages. */
#include "checkpoint/track_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEAF_BYTES (1ull << CR_LEAF_SHIFT)

void cr_leaves_done(struct cr_leaves *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->v[i].data);
	free(l->v);
	*l = (struct cr_leaves){.leaf_size = l->leaf_size};
}

size_t cr_leaves_memory(const struct cr_leaves *l)
{
	return l->room * sizeof(*l->v) + l->count * l->leaf_size;
}

/* Index of the first leaf whose key is not less. */
static size_t find(struct cr_leaves *l, uint64_t key)
{
	size_t low = 0, high = l->count;

	for (size_t i = l->last; i < l->count && i < l->last + 2; i++)
		if (l->v[i].key >= key && (i == 0 || l->v[i - 1].key < key))
			return l->last = i;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (l->v[mid].key < key)
			low = mid + 1;
		else
			high = mid;
	}
	return l->last = low;
}

void *cr_leaves_at(struct cr_leaves *l, uint64_t vaddr, bool make)
{
	uint64_t key = vaddr >> CR_LEAF_SHIFT;
	size_t i = find(l, key);
	void *data;

	if (i < l->count && l->v[i].key == key)
		return l->v[i].data;
	if (!make)
		return NULL;
	if (l->count == l->room) {
		size_t room = l->room ? l->room * 2 : 16;
		struct cr_leaf *more = realloc(l->v, room * sizeof(*more));

		if (!more)
			return NULL;
		l->v = more;
		l->room = room;
	}
	data = calloc(1, l->leaf_size);
	if (!data)
		return NULL;
	memmove(l->v + i + 1, l->v + i, (l->count - i) * sizeof(*l->v));
	l->v[i] = (struct cr_leaf){key, data};
	l->count++;
	return data;
}

static unsigned page_in_leaf(uint64_t vaddr)
{
	return (unsigned)(vaddr / CR_PAGE_SIZE % CR_LEAF_PAGES);
}

/* Bits from..from+n-1 of word w of a leaf. */
static uint64_t mask_of(unsigned w, unsigned from, unsigned to)
{
	unsigned low = w * 64 > from ? 0 : from - w * 64;
	unsigned high = (w + 1) * 64 < to ? 64 : to - w * 64;

	return (high == 64 ? ~0ull : (1ull << high) - 1) & ~((1ull << low) - 1);
}

static uint64_t change(uint64_t *leaf, unsigned from, unsigned to, bool add)
{
	uint64_t were = 0;

	for (unsigned w = from / 64; w * 64 < to; w++) {
		uint64_t m = mask_of(w, from, to);

		were += (unsigned)__builtin_popcountll(leaf[w] & m);
		leaf[w] = add ? leaf[w] | m : leaf[w] & ~m;
	}
	return were;
}

int cr_set_add(struct cr_leaves *l, uint64_t vaddr, uint64_t npages)
{
	while (npages) {
		unsigned from = page_in_leaf(vaddr);
		unsigned n = npages < CR_LEAF_PAGES - from ? (unsigned)npages
							   : CR_LEAF_PAGES - from;
		uint64_t *leaf = cr_leaves_at(l, vaddr, true);

		if (!leaf)
			return -ENOMEM;
		change(leaf, from, from + n, true);
		vaddr += (uint64_t)n * CR_PAGE_SIZE;
		npages -= n;
	}
	return 0;
}

uint64_t cr_set_remove(struct cr_leaves *l, uint64_t vaddr, uint64_t npages)
{
	uint64_t end = vaddr + npages * CR_PAGE_SIZE, were = 0;

	/* By the leaves there are: a range of terabytes has few. */
	for (size_t i = find(l, vaddr >> CR_LEAF_SHIFT); i < l->count; i++) {
		uint64_t base = l->v[i].key << CR_LEAF_SHIFT;
		unsigned from = vaddr > base ? page_in_leaf(vaddr) : 0;

		if (base >= end)
			break;
		were += change(l->v[i].data, from,
			       end - base < LEAF_BYTES ? page_in_leaf(end) : CR_LEAF_PAGES, false);
	}
	return were;
}

void cr_set_subtract(struct cr_leaves *l, const struct cr_leaves *other)
{
	for (size_t i = 0; i < other->count; i++) {
		uint64_t *mine = cr_leaves_at(l, other->v[i].key << CR_LEAF_SHIFT, false);
		const uint64_t *theirs = other->v[i].data;

		for (unsigned w = 0; mine && w < CR_LEAF_PAGES / 64; w++)
			mine[w] &= ~theirs[w];
	}
}

/* The first page of the leaf from `from` on whose bit is `in`; CR_LEAF_PAGES when there is none. leaf NULL: all bits are 0. */
static unsigned first(const uint64_t *leaf, unsigned from, bool in)
{
	while (from < CR_LEAF_PAGES) {
		uint64_t word = leaf ? leaf[from / 64] : 0;

		word = (in ? word : ~word) >> (from % 64);
		if (word)
			return from + (unsigned)__builtin_ctzll(word);
		from = from / 64 * 64 + 64;
	}
	return CR_LEAF_PAGES;
}

/* The first address at or after vaddr, and at most end, where the bit is `in`. */
static uint64_t seek(struct cr_leaves *l, uint64_t vaddr, uint64_t end, bool in)
{
	while (vaddr < end) {
		size_t i = find(l, vaddr >> CR_LEAF_SHIFT);
		uint64_t base = vaddr & ~(LEAF_BYTES - 1), at;
		const uint64_t *leaf = NULL;

		if (i < l->count && l->v[i].key == vaddr >> CR_LEAF_SHIFT)
			leaf = l->v[i].data;
		if (!leaf && !in)
			return vaddr;
		if (!leaf) {
			vaddr = i < l->count ? l->v[i].key << CR_LEAF_SHIFT : end;
			continue;
		}
		at = base + (uint64_t)first(leaf, page_in_leaf(vaddr), in) * CR_PAGE_SIZE;
		if (at < base + LEAF_BYTES)
			return at < end ? at : end;
		vaddr = at;
	}
	return end;
}

struct cr_run cr_set_next(struct cr_leaves *l, uint64_t vaddr, uint64_t end, bool in)
{
	uint64_t from = seek(l, vaddr, end, in);
	uint64_t to = seek(l, from, end, !in);

	return (struct cr_run){from, (to - from) / CR_PAGE_SIZE};
}
