/* SPDX-License-Identifier: GPL-2.0-only */
/* What is to be in the pages of the tests of skep-pages. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PAGE 4096ul

/* What page vaddr of id has: no two are alike. */
static inline void lab_fill(uint32_t id, uint64_t vaddr, void *page)
{
	uint64_t *w = page, x = vaddr * 0x9e3779b97f4a7c15u + id;

	for (size_t i = 0; i < PAGE / sizeof(*w); i++) {
		x ^= x >> 27;
		x *= 0x94d049bb133111ebu;
		w[i] = x + i;
	}
}

/* Whether all of npages at `at` are what was dumped at img. */
static inline bool lab_same(uint32_t id, const void *at, uint64_t img, uint64_t npages)
{
	uint8_t page[PAGE];

	for (uint64_t i = 0; i < npages; i++) {
		lab_fill(id, img + i * PAGE, page);
		if (memcmp((const uint8_t *)at + i * PAGE, page, PAGE))
			return false;
	}
	return true;
}

static inline bool lab_zero(const void *at, uint64_t npages)
{
	const uint8_t *p = at;

	for (size_t i = 0; i < npages * PAGE; i++)
		if (p[i])
			return false;
	return true;
}

/* --- the memory of pattern.c: one mapping with holes --- */

#define PATTERN_BASE  0x300000000000ul
#define PATTERN_COUNT 4000u

/* It has nothing there, or a page of zeroes. */
static inline bool pattern_none(uint64_t page)
{
	return page % 100 == 7 || page == 50;
}
