// SPDX-License-Identifier: GPL-2.0-only
/* A sorted array of ranges. */
#include "checkpoint/pages_ranges.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "checkpoint/pagemap.h"

void cr_ranges_done(struct cr_ranges *r)
{
	free(r->all);
	*r = (struct cr_ranges){0};
}

/* Of those in use, the first one that ends behind addr; count: none. */
static size_t behind(const struct cr_ranges *r, uint64_t addr)
{
	size_t low = 0, high = r->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r->all[r->first + mid].end > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* A free place at `at`, by moving the shorter side. */
static int open_place(struct cr_ranges *r, size_t at, struct err *e)
{
	if (r->first && at < r->count / 2) {
		r->first--;
		memmove(&r->all[r->first], &r->all[r->first + 1], at * sizeof(*r->all));
		r->count++;
		return 0;
	}
	if (r->first + r->count == r->room) {
		size_t room = r->room + r->room / 2 + 16;
		struct cr_range *more = reallocarray(r->all, room, sizeof(*more));

		if (!more)
			return err_set(e, ENOMEM, "remember the missing pages: out of memory");
		r->all = more;
		r->room = room;
	}
	memmove(&r->all[r->first + at + 1], &r->all[r->first + at],
		(r->count - at) * sizeof(*r->all));
	r->count++;
	return 0;
}

static void close_place(struct cr_ranges *r, size_t at)
{
	if (at < r->count / 2) {
		memmove(&r->all[r->first + 1], &r->all[r->first], at * sizeof(*r->all));
		r->first++;
	} else {
		memmove(&r->all[r->first + at], &r->all[r->first + at + 1],
			(r->count - at - 1) * sizeof(*r->all));
	}
	if (--r->count == 0)
		r->first = 0;
}

/* b goes on where a ends, now and at the dump. */
static bool continues(const struct cr_range *a, const struct cr_range *b)
{
	return a->end == b->start && a->img + (a->end - a->start) == b->img;
}

int cr_ranges_add(struct cr_ranges *r, struct cr_range range, struct err *e)
{
	size_t at = behind(r, range.start);
	struct cr_range *here = r->all + r->first + at;

	r->pages += (range.end - range.start) / CR_PAGE_BYTES;
	if (at && continues(here - 1, &range)) {
		here[-1].end = range.end;
		if (at < r->count && continues(here - 1, here)) {
			here[-1].end = here->end;
			close_place(r, at);
		}
		return 0;
	}
	if (at < r->count && continues(&range, here)) {
		here->start = range.start;
		here->img = range.img;
		return 0;
	}
	if (open_place(r, at, e) < 0)
		return -e->no;
	r->all[r->first + at] = range;
	return 0;
}

int cr_ranges_cut(struct cr_ranges *r, uint64_t start, uint64_t end, struct err *e)
{
	size_t at = behind(r, start);

	while (at < r->count) {
		struct cr_range *here = &r->all[r->first + at], tail = *here;
		uint64_t from = here->start > start ? here->start : start;
		uint64_t to = here->end < end ? here->end : end;

		if (from >= to)
			break;
		r->pages -= (to - from) / CR_PAGE_BYTES;
		tail.img += to - tail.start;
		tail.start = to;
		if (from == here->start && to == here->end) {
			close_place(r, at);
		} else if (from == here->start) {
			*here = tail;
			break;
		} else {
			here->end = from;
			at++;
			if (tail.start == tail.end)
				continue;
			if (open_place(r, at, e) < 0)
				return -e->no;
			r->all[r->first + at] = tail;
			break;
		}
	}
	return 0;
}

int cr_ranges_move(struct cr_ranges *r, uint64_t from, uint64_t to, uint64_t len, struct err *e)
{
	struct cr_ranges moved = {0};
	int n = 0;

	for (size_t at = behind(r, from); n >= 0 && at < r->count; at++) {
		struct cr_range part = r->all[r->first + at];

		if (part.start >= from + len)
			break;
		if (part.start < from) {
			part.img += from - part.start;
			part.start = from;
		}
		if (part.end > from + len)
			part.end = from + len;
		part.start += to - from;
		part.end += to - from;
		n = cr_ranges_add(&moved, part, e);
	}
	if (n >= 0)
		n = cr_ranges_cut(r, from, from + len, e);
	if (n >= 0)
		n = cr_ranges_cut(r, to, to + len, e);
	for (size_t i = 0; n >= 0 && i < moved.count; i++)
		n = cr_ranges_add(r, moved.all[moved.first + i], e);
	cr_ranges_done(&moved);
	return n;
}

int cr_ranges_copy(struct cr_ranges *dst, const struct cr_ranges *src, struct err *e)
{
	*dst = (struct cr_ranges){.count = src->count, .room = src->count, .pages = src->pages};
	if (!src->count)
		return 0;
	dst->all = calloc(src->count, sizeof(*dst->all));
	if (!dst->all) {
		*dst = (struct cr_ranges){0};
		return err_set(e, ENOMEM, "remember the missing pages: out of memory");
	}
	memcpy(dst->all, src->all + src->first, src->count * sizeof(*dst->all));
	return 0;
}

const struct cr_range *cr_ranges_find(const struct cr_ranges *r, uint64_t addr)
{
	size_t at = behind(r, addr);

	return at < r->count && r->all[r->first + at].start <= addr ? &r->all[r->first + at] : NULL;
}

const struct cr_range *cr_ranges_first(const struct cr_ranges *r)
{
	return r->count ? &r->all[r->first] : NULL;
}

int cr_ranges_arrive(struct cr_ranges *r, struct cr_ranges *to, uint64_t img, uint64_t img_end,
		     struct err *e)
{
	size_t at = 0;

	/* After moves the order at the dump is not the order now: all are looked at. */
	while (at < r->count) {
		struct cr_range part = r->all[r->first + at];
		uint64_t from = part.img > img ? part.img : img;
		uint64_t end = part.img + (part.end - part.start);

		end = end < img_end ? end : img_end;
		if (from >= end) {
			at++;
			continue;
		}
		part.start += from - part.img;
		part.img = from;
		part.end = part.start + (end - from);
		if (cr_ranges_add(to, part, e) < 0 || cr_ranges_cut(r, part.start, part.end, e) < 0)
			return -e->no;
	}
	return 0;
}
