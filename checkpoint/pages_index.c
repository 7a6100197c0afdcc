// SPDX-License-Identifier: GPL-2.0-only
/* The bitmap of a store of pages. */
#include "checkpoint/pages_index.h"

#include <errno.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/err.h"

/* A part of the bitmap that is held in memory: whole words of it. */
#define WORD_BITS  64
#define PART_WORDS 512
#define PART_PAGES ((uint64_t)WORD_BITS * PART_WORDS)

struct part {
	uint64_t first,
		count; /* pages, from the first address on; count: of those that were asked for */
	uint64_t words[PART_WORDS + 1];
};

static off_t place(uint32_t slot, uint64_t page)
{
	/* 2^36 pages of a process are 2^33 bytes of bits. */
	return (off_t)(cr_pages_at(CR_PAGES_BITS, 0) + ((uint64_t)slot << (CR_PAGE_VA_BITS - 15)) +
		       page / WORD_BITS * 8);
}

static size_t part_bytes(const struct part *p)
{
	uint64_t end = p->first + p->count;

	return ((end + WORD_BITS - 1) / WORD_BITS - p->first / WORD_BITS) * 8;
}

/* The bits of at most `most` pages from page `first` on. */
static int load(int store, uint32_t slot, uint64_t first, uint64_t most, struct part *p,
		struct err *e)
{
	p->first = first;
	p->count = most < PART_PAGES ? most : PART_PAGES;
	if (pread(store, p->words, part_bytes(p), place(slot, first)) != (ssize_t)part_bytes(p))
		return err_sys(e, "look into the store of pages");
	return 0;
}

/* The bits of one word that belong to the part; *at is the page where the next word begins. */
static uint64_t mask(const struct part *p, uint64_t *at)
{
	uint64_t from = *at % WORD_BITS, end = p->first + p->count - (*at - from);
	uint64_t bits = UINT64_MAX << from;

	if (end < WORD_BITS)
		bits &= (UINT64_C(1) << end) - 1;
	*at += WORD_BITS - from;
	return bits;
}

/* Where the next part of the bitmap is that has anything, between here and end (pages); end: nowhere. */
static int skip(int store, uint32_t slot, uint64_t *at, uint64_t end, struct err *e)
{
	off_t data = lseek(store, place(slot, *at), SEEK_DATA);
	uint64_t page;

	if (data < 0 && errno != ENXIO)
		return err_sys(e, "look into the store of pages");
	page = data < 0 ? end : (uint64_t)(data - place(slot, 0)) * 8;
	if (page > *at)
		*at = page < end ? page : end;
	return 0;
}

int cr_pages_index_count(int store, uint32_t slot, uint64_t vaddr, uint64_t npages, uint64_t *count,
			 struct err *e)
{
	uint64_t at = vaddr / CR_PAGE_BYTES, end = at + npages;
	struct part p;

	*count = 0;
	while (at < end) {
		if (end - at > PART_PAGES && skip(store, slot, &at, end, e) < 0)
			return -e->no;
		if (at == end)
			break;
		if (load(store, slot, at, end - at, &p, e) < 0)
			return -e->no;
		for (uint64_t i = 0; at < p.first + p.count; i++) {
			uint64_t bits = p.words[i];

			bits &= mask(&p, &at);
			*count += (uint64_t)__builtin_popcountll(bits);
		}
		at = p.first + p.count;
	}
	return 0;
}

int cr_pages_index_mark(int store, uint32_t slot, uint64_t vaddr, uint64_t npages, bool there,
			struct err *e)
{
	uint64_t at = vaddr / CR_PAGE_BYTES, end = at + npages;
	struct part p;

	while (at < end) {
		if (!there && end - at > PART_PAGES && skip(store, slot, &at, end, e) < 0)
			return -e->no;
		if (at == end)
			break;
		if (load(store, slot, at, end - at, &p, e) < 0)
			return -e->no;
		for (uint64_t i = 0; at < p.first + p.count; i++) {
			uint64_t bits = mask(&p, &at);

			p.words[i] = there ? p.words[i] | bits : p.words[i] & ~bits;
		}
		if (pwrite(store, p.words, part_bytes(&p), place(slot, p.first)) !=
		    (ssize_t)part_bytes(&p))
			return err_sys(e, "mark pages of the store");
		at = p.first + p.count;
	}
	return 0;
}

int cr_pages_index_run(int store, uint32_t slot, uint64_t vaddr, uint64_t most, bool *there,
		       uint64_t *npages, struct err *e)
{
	uint64_t first = vaddr / CR_PAGE_BYTES, at = first, end = first + most;
	struct part p;

	for (bool begun = false; at < end; begun = true) {
		/* Short runs are many: the first look is a short one. */
		if (load(store, slot, at, !begun && end - at > 512 ? 512 : end - at, &p, e) < 0)
			return -e->no;
		if (!begun)
			*there = p.words[0] >> at % WORD_BITS & 1;
		for (uint64_t i = 0; at < p.first + p.count; i++) {
			uint64_t word = at - at % WORD_BITS, bits;

			bits = (*there ? ~p.words[i] : p.words[i]) & mask(&p, &at);
			if (bits) {
				*npages = word + (uint64_t)__builtin_ctzll(bits) - first;
				return 0;
			}
		}
		at = p.first + p.count;
	}
	*npages = most;
	return 0;
}
