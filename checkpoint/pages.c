// SPDX-License-Identifier: GPL-2.0-only
/* A store of pages: one sparse memfd, filled by what comes from the source. */
#include "checkpoint/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "checkpoint/pages_index.h"

/* Of a put: small enough to be in the processor's cache when it is written after it was read. */
#define BOUNCE_PAGES 64
/* What the store's own tables take, of a container of any size. */
#define SLACK_PAGES 256

struct cr_pages {
	int fd;
	uint64_t limit;		      /* of stored, in pages */
	uint64_t stored;	      /* pages */
	struct cr_pages_index *index; /* in the memfd, mapped */
	uint32_t *by_id;	      /* slots, sorted by their ids */
	uint8_t *bounce;
};

int cr_pages_new(uint64_t limit_bytes, struct cr_pages **out, struct err *e)
{
	auto_pages struct cr_pages *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(e, ENOMEM, "make a store of pages: out of memory");
	p->index = MAP_FAILED;
	p->limit = limit_bytes / CR_PAGE_BYTES;
	p->fd = memfd_create("skep-pages", MFD_CLOEXEC);
	if (p->fd < 0 || ftruncate(p->fd, (off_t)CR_PAGES_BYTES) < 0)
		return err_sys(e, "make a store of pages");
	p->index = mmap(NULL, sizeof(*p->index), PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, 0);
	p->bounce = malloc(BOUNCE_PAGES * CR_PAGE_BYTES);
	p->by_id = calloc(CR_PAGES_PROCESSES_MOST, sizeof(*p->by_id));
	if (p->index == MAP_FAILED || !p->bounce || !p->by_id)
		return err_set(e, ENOMEM, "make a store of pages: out of memory");
	p->index->magic = CR_PAGES_INDEX_MAGIC;
	*out = take_ptr(&p);
	return 0;
}

void cr_pages_free(struct cr_pages *p)
{
	if (!p)
		return;
	if (p->index != MAP_FAILED)
		munmap(p->index, sizeof(*p->index));
	if (p->fd >= 0)
		close(p->fd);
	free(p->by_id);
	free(p->bounce);
	free(p);
}

/* Where in by_id an id is, or is to be put. */
static uint32_t find(const struct cr_pages *p, uint32_t id)
{
	uint32_t low = 0, high = p->index->count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (p->index->id[p->by_id[mid] - 1] < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The slot of an id; 0: it has none. */
static uint32_t slot_of(const struct cr_pages *p, uint32_t id)
{
	uint32_t at = find(p, id);

	return at < p->index->count && p->index->id[p->by_id[at] - 1] == id ? p->by_id[at] : 0;
}

static int slot_make(struct cr_pages *p, uint32_t id, uint32_t *slot, struct err *e)
{
	uint32_t at = find(p, id), count = p->index->count;

	*slot = slot_of(p, id);
	if (*slot)
		return 0;
	if (count == CR_PAGES_PROCESSES_MOST) {
		err_set(e, E2BIG, "the memory of more than %u processes", count);
		return err_class(e, ERR_MIGRATE);
	}
	*slot = count + 1;
	memmove(&p->by_id[at + 1], &p->by_id[at], (count - at) * sizeof(*p->by_id));
	p->by_id[at] = *slot;
	p->index->id[count] = id;
	p->index->count = count + 1;
	return 0;
}

/* Of what comes from the peer. */
static int check_run(uint32_t id, uint64_t vaddr, uint64_t npages, uint64_t most, struct err *e)
{
	const uint64_t space = UINT64_C(1) << CR_PAGE_VA_BITS;

	if (id && vaddr % CR_PAGE_BYTES == 0 && vaddr < space && npages && npages <= most &&
	    npages <= (space - vaddr) / CR_PAGE_BYTES)
		return 0;
	err_set(e, EPROTO, "no pages of a process: %llu from %#llx on, of %u",
		(unsigned long long)npages, (unsigned long long)vaddr, id);
	return err_class(e, ERR_MIGRATE);
}

/* A put: where it goes, and how many of its pages are new. */
struct put {
	uint32_t slot;
	uint64_t vaddr, npages, at, fresh;
};

/*
 * Of pages that are far from each other each takes a page of the bitmap, too: what is used is bounded as well as what is stored, with room for the bitmap of
 * an honest source, whose pages lie in heaps.
 */
static bool has_room(const struct cr_pages *p, uint64_t fresh)
{
	struct stat st;

	if (fresh > p->limit - p->stored)
		return false;
	return fstat(p->fd, &st) < 0 || (uint64_t)st.st_blocks / (CR_PAGE_BYTES / 512) + fresh <=
						p->limit + p->limit / 8 + SLACK_PAGES;
}

static int reserve(struct cr_pages *p, uint32_t id, uint64_t vaddr, uint64_t npages,
		   struct put *put, struct err *e)
{
	uint64_t there;
	int r = check_run(id, vaddr, npages, CR_PAGES_RUN_MOST, e);

	*put = (struct put){.vaddr = vaddr, .npages = npages};
	if (r >= 0)
		r = slot_make(p, id, &put->slot, e);
	if (r >= 0)
		r = cr_pages_index_count(p->fd, put->slot, vaddr, npages, &there, e);
	if (r < 0)
		return r;
	put->at = cr_pages_at(put->slot, vaddr);
	put->fresh = npages - there;
	if (!put->fresh || has_room(p, put->fresh))
		return 0;
	err_set(e, ENOSPC, "more memory than the %llu MiB that were announced",
		(unsigned long long)p->limit * CR_PAGE_BYTES >> 20);
	return err_class(e, ERR_NO_SPACE);
}

static int write_at(struct cr_pages *p, uint64_t at, const void *data, size_t len, struct err *e)
{
	while (len) {
		ssize_t n = pwrite(p->fd, data, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(e, "keep pages of memory");
		data = (const uint8_t *)data + n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* The data lie there. */
static int settle(struct cr_pages *p, const struct put *put, struct err *e)
{
	if (put->fresh &&
	    cr_pages_index_mark(p->fd, put->slot, put->vaddr, put->npages, true, e) < 0)
		return -e->no;
	p->stored += put->fresh;
	return 0;
}

int cr_pages_put(struct cr_pages *p, uint32_t id, uint64_t vaddr, uint64_t npages, const void *data,
		 struct err *e)
{
	struct put put;

	if (reserve(p, id, vaddr, npages, &put, e) < 0 ||
	    write_at(p, put.at, data, npages * CR_PAGE_BYTES, e) < 0)
		return -e->no;
	return settle(p, &put, e);
}

int cr_pages_put_from(struct cr_pages *p, uint32_t id, uint64_t vaddr, uint64_t npages, int fd,
		      uint64_t *sum, struct err *e)
{
	struct put put;
	uint64_t check = 0;

	if (reserve(p, id, vaddr, npages, &put, e) < 0)
		return -e->no;
	for (uint64_t done = 0, n; done < npages; done += n) {
		n = npages - done < BOUNCE_PAGES ? npages - done : BOUNCE_PAGES;
		if (file_read_exactly(fd, p->bounce, n * CR_PAGE_BYTES, e) < 0)
			return -e->no;
		if (sum)
			check = cr_pages_sum(check, p->bounce, n);
		if (write_at(p, put.at + done * CR_PAGE_BYTES, p->bounce, n * CR_PAGE_BYTES, e) < 0)
			return -e->no;
	}
	if (sum)
		*sum = check;
	return settle(p, &put, e);
}

static int punch(struct cr_pages *p, uint64_t at, uint64_t npages, struct err *e)
{
	if (fallocate(p->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at,
		      (off_t)(npages * CR_PAGE_BYTES)) < 0)
		return err_sys(e, "forget pages of memory");
	return 0;
}

int cr_pages_put_zero(struct cr_pages *p, uint32_t id, uint64_t vaddr, uint64_t npages,
		      struct err *e)
{
	struct put put;

	if (reserve(p, id, vaddr, npages, &put, e) < 0)
		return -e->no;
	/* A hole reads as zeroes; only what a former version has left is to go. */
	if (put.fresh < npages && punch(p, put.at, npages, e) < 0)
		return -e->no;
	return settle(p, &put, e);
}

static int drop(struct cr_pages *p, uint32_t slot, uint64_t vaddr, uint64_t npages, struct err *e)
{
	uint64_t there;

	if (cr_pages_index_count(p->fd, slot, vaddr, npages, &there, e) < 0)
		return -e->no;
	if (!there)
		return 0;
	if (cr_pages_index_mark(p->fd, slot, vaddr, npages, false, e) < 0 ||
	    punch(p, cr_pages_at(slot, vaddr), npages, e) < 0)
		return -e->no;
	p->stored -= there;
	return 0;
}

int cr_pages_drop(struct cr_pages *p, uint32_t id, uint64_t vaddr, uint64_t npages, struct err *e)
{
	uint32_t slot = slot_of(p, id);

	if (check_run(id, vaddr, npages, UINT64_MAX, e) < 0)
		return -e->no;
	return slot ? drop(p, slot, vaddr, npages, e) : 0;
}

int cr_pages_drop_all(struct cr_pages *p, uint32_t id, struct err *e)
{
	uint32_t slot = slot_of(p, id);

	return slot ? drop(p, slot, 0, (UINT64_C(1) << CR_PAGE_VA_BITS) / CR_PAGE_BYTES, e) : 0;
}

uint64_t cr_pages_bytes(const struct cr_pages *p)
{
	return p->stored * CR_PAGE_BYTES;
}

int cr_pages_get(const struct cr_pages *p, uint32_t id, uint64_t vaddr, void *page, struct err *e)
{
	uint32_t slot = slot_of(p, id);
	uint64_t at = cr_pages_at(slot, vaddr), there = 0;

	if (check_run(id, vaddr, 1, 1, e) < 0)
		return -e->no;
	if (slot && cr_pages_index_count(p->fd, slot, vaddr, 1, &there, e) < 0)
		return -e->no;
	if (!there)
		return 0;
	if (pread(p->fd, page, CR_PAGE_BYTES, (off_t)at) != CR_PAGE_BYTES)
		return err_sys(e, "read a page of the store");
	return 1;
}

struct check {
	const struct cr_pages *p;
	struct cr_pages_need *need;
};

static int check_process(const struct cr_pagemap *map, void *arg, struct err *e)
{
	struct check *c = arg;
	uint32_t slot = slot_of(c->p, map->id);

	c->need->lazy += map->lazy;
	for (size_t i = 0; slot && i < map->count; i++) {
		const struct cr_page_run *run = &map->runs[i];
		uint64_t there;

		if (!(run->flags & CR_PAGE_LAZY))
			continue;
		if (cr_pages_index_count(c->p->fd, slot, run->vaddr, run->npages, &there, e) < 0)
			return -e->no;
		c->need->stored += there;
	}
	return 0;
}

int cr_pages_check(const struct cr_pages *p, int images, struct cr_pages_need *need, struct err *e)
{
	struct check c = {.p = p, .need = need};
	int r;

	*need = (struct cr_pages_need){0};
	r = cr_pagemap_each(images, check_process, &c, e);
	need->missing = need->lazy - need->stored;
	return r < 0 ? r : 0;
}

int cr_pages_fd(const struct cr_pages *p)
{
	return p->fd;
}

/*
 * Two sums as of Fletcher, over 64-bit words: the second one knows their order. Four lanes, so that the processor has something to do at once; as vectors, which
 * gcc -O2 makes of no loop by itself: 180 MB take 4.5 ms instead of 18.
 */
static uint64_t sum_page(uint64_t seed, const uint8_t *page)
{
	typedef uint64_t lanes __attribute__((vector_size(16)));
	lanes a[2] = {{seed, 1}, {2, 3}}, b[2] = {{0}, {0}}, w[2];

	for (size_t at = 0; at < CR_PAGE_BYTES; at += sizeof(w)) {
		memcpy(w, page + at, sizeof(w));
		a[0] += w[0];
		a[1] += w[1];
		b[0] += a[0];
		b[1] += a[1];
	}
	for (int i = 0; i < 4; i++) {
		seed = (seed ^ a[i / 2][i % 2]) * UINT64_C(0x9e3779b97f4a7c15);
		seed = ((seed >> 29) ^ seed ^ b[i / 2][i % 2]) * UINT64_C(0xbf58476d1ce4e5b9);
	}
	return seed ^ seed >> 32;
}

uint64_t cr_pages_sum(uint64_t seed, const void *data, uint64_t npages)
{
	for (const uint8_t *page = data; npages; npages--, page += CR_PAGE_BYTES)
		seed = sum_page(seed, page);
	return seed;
}
