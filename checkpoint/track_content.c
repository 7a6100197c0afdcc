// SPDX-License-Identifier: GPL-2.0-only
/* Following processes by what is in their pages: a hash of each page that was sent. */
#include "checkpoint/track_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * XXH3, 128 bits: at 10 GB/s and more it costs less than the reading, where the cryptographic ones (1 to 3 GB/s) would be the round. Equal by accident: for 2^28 changed
 * pages (a terabyte) less than once in 2^100. On purpose: a container that knew how could make a change that is not noticed, so that its
 * own memory is wrong after the migration; it would gain nothing, and the secret below is drawn anew for each tracker.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/err.h"
#include "base/own.h"
#include "checkpoint/pagemap_words.h"

_Static_assert(CR_TRACK_SECRET >= XXH3_SECRET_SIZE_MIN, "the library wants a longer secret");

#define WORDS 512u /* of a pagemap, at once */

static struct cr_hash hash_page(const struct cr_track *t, const void *page)
{
	XXH128_hash_t h = XXH3_128bits_withSecret(page, CR_PAGE_SIZE, t->secret, sizeof(t->secret));

	/* 0 stands for none. */
	return (struct cr_hash){h.low64 | !(h.low64 | h.high64), h.high64};
}

static struct cr_hash *hash_at(struct cr_leaves *l, uint64_t vaddr, bool make)
{
	struct cr_hash *leaf = cr_leaves_at(l, vaddr, make);

	return leaf ? leaf + vaddr / CR_PAGE_SIZE % CR_LEAF_PAGES : NULL;
}

static bool known(const struct cr_hash *h)
{
	return h && (h->lo || h->hi);
}

/* Whether the page is another than what was sent; *now is its hash. */
static bool differs(struct cr_send *s, uint64_t vaddr, const uint8_t *page, struct cr_hash *now)
{
	const struct cr_hash *then = hash_at(&s->p->hashes, vaddr, false);

	*now = hash_page(s->t, page);
	return !known(then) || then->lo != now->lo || then->hi != now->hi;
}

int cr_content_send(void *arg, uint64_t vaddr, uint32_t npages, const void *data, struct err *e)
{
	struct cr_send *s = arg;
	int r = cr_send_pages(s, vaddr, npages, data, e);

	for (uint32_t i = 0; i < npages && r >= 0; i++) {
		uint64_t at = vaddr + (uint64_t)i * CR_PAGE_SIZE;
		struct cr_hash *h = hash_at(&s->p->hashes, at, true);

		if (!h)
			return err_set(e, ENOMEM, "no memory for the hashes of pages");
		*h = hash_page(s->t, (const uint8_t *)data + (size_t)i * CR_PAGE_SIZE);
	}
	return r;
}

int cr_content_compare(void *arg, uint64_t vaddr, uint32_t npages, const void *data, struct err *e)
{
	const uint8_t *pages = data;
	struct cr_send *s = arg;
	uint32_t from = 0;
	int r = 0;

	for (uint32_t i = 0; i <= npages && r >= 0; i++) {
		struct cr_hash now;

		if (i < npages && differs(arg, vaddr + (uint64_t)i * CR_PAGE_SIZE,
					  pages + (size_t)i * CR_PAGE_SIZE, &now))
			continue;
		if (from < i)
			r = cr_content_send(arg, vaddr + (uint64_t)from * CR_PAGE_SIZE, i - from,
					    pages + (size_t)from * CR_PAGE_SIZE, e);
		from = i + 1;
	}
	if (r >= 0 && cr_set_add(&s->p->sent, vaddr, npages) < 0)
		return err_set(e, ENOMEM, "no memory for the list of sent pages");
	return r;
}

/* The same by the words of /proc/PID/pagemap, for kernels without PAGEMAP_SCAN. */
static int read_by_words(struct cr_send *s, int pagemap, const struct cr_run *m, struct err *e)
{
	uint64_t words[WORDS];
	int r = 0;

	for (uint64_t at = 0; at < m->npages && r >= 0;) {
		uint64_t n = m->npages - at < WORDS ? m->npages - at : WORDS;

		n = cr_words_read(pagemap, m->vaddr + at * CR_PAGE_SIZE, n, words);
		if (n == 0)
			return 0;
		for (uint64_t i = 0; i < n && r >= 0; i++)
			if (cr_word_exists(words[i]))
				r = cr_reader_add(&s->t->reader, m->vaddr + (at + i) * CR_PAGE_SIZE,
						  1, e);
		at += n;
	}
	return r;
}

static int read_mapping(struct cr_send *s, int pagemap, const struct cr_run *m, struct err *e)
{
	uint64_t end = m->vaddr + m->npages * CR_PAGE_SIZE;

	for (uint64_t at = m->vaddr, before = 0; at < end && at > before;) {
		int n = cr_uffd_scan(pagemap, CR_SCAN_PRESENT, (before = at, &at), end, 0,
				     s->t->regions, CR_TRACK_REGIONS);

		if (n < 0)
			return read_by_words(s, pagemap, m, e);
		for (int i = 0; i < n; i++) {
			struct cr_region *v = &s->t->regions[i];
			int r = cr_reader_add(&s->t->reader, v->start,
					      (v->end - v->start) / CR_PAGE_SIZE, e);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

int cr_track_content_round(struct cr_send *s, struct err *e)
{
	auto_free struct cr_run *maps = NULL;
	auto_fd int pagemap = -EBADF;
	char path[48];
	int count, r = 0;
	bool aio;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", s->p->pid);
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	count = pagemap < 0 ? 0 : cr_mappings_read(s->p->pid, &maps, &aio, e);
	s->t->reader.got = cr_content_compare;
	for (int i = 0; i < count && r >= 0; i++)
		r = read_mapping(s, pagemap, &maps[i], e);
	if (count < 0 || r < 0)
		return count < 0 ? count : r;
	return cr_reader_flush(&s->t->reader, e);
}

int cr_content_doubt(void *arg, uint64_t vaddr, uint32_t npages, const void *data, struct err *e)
{
	struct cr_send *s = arg;

	(void)e;
	for (uint32_t i = 0; i < npages; i++) {
		uint64_t at = vaddr + (uint64_t)i * CR_PAGE_SIZE;
		struct cr_hash now;

		if (differs(s, at, (const uint8_t *)data + (size_t)i * CR_PAGE_SIZE, &now))
			cr_set_remove(&s->p->sent, at, 1);
	}
	return 0;
}

int cr_content_unreadable(void *arg, uint64_t vaddr, struct err *e)
{
	struct cr_send *s = arg;

	(void)e;
	cr_set_remove(&s->p->sent, vaddr, 1);
	return 0;
}

int cr_track_content_settle(struct cr_track *t, struct cr_proc *p, const struct cr_run *needed,
			    size_t count, struct err *e)
{
	struct cr_send s = {.t = t, .p = p};
	int r = 0;

	cr_reader_begin(&t->reader, p->pid, cr_content_doubt, cr_content_unreadable, &s);
	for (size_t i = 0; i < count && r >= 0; i++) {
		uint64_t at = needed[i].vaddr, end = at + needed[i].npages * CR_PAGE_SIZE;
		struct cr_run run;

		for (; (run = cr_set_next(&p->sent, at, end, true)).npages && r >= 0;
		     at = run.vaddr + run.npages * CR_PAGE_SIZE)
			r = cr_reader_add(&t->reader, run.vaddr, run.npages, e);
	}
	return r < 0 ? r : cr_reader_flush(&t->reader, e);
}
