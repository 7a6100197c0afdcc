// SPDX-License-Identifier: GPL-2.0-only
/* Which backends of the tracker this kernel has, by trying them on pages of ours. */
#include "checkpoint/track.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "checkpoint/pagemap_words.h"
#include "checkpoint/uffd.h"

const char *cr_track_backend_to_str(enum cr_track_backend b)
{
	static const char *const words[] = {
#define X(name, word) [CR_TRACK_##name] = word,
		CR_TRACK_BACKENDS(X)
#undef X
	};

	return b < ARRAY_SIZE(words) ? words[b] : "?";
}

/* The steps on a mapping of ours: [0] is written before, [1] never, [2] after it was protected. */
static int try_pages(int uffd, int pagemap, volatile char *pages, struct err *e)
{
	uint64_t start = (uint64_t)(uintptr_t)pages, end = start + 3 * CR_PAGE_SIZE, at = start;
	struct cr_region v[4];
	int r;

	pages[0] = 1;
	r = cr_uffd_follow(uffd, start, end);
	if (r < 0)
		return err_set(e, EOPNOTSUPP, "follow memory by userfaultfd: %s", strerror(-r));
	r = cr_uffd_scan(pagemap, CR_SCAN_PROTECT_ALL, &at, end, 0, v, ARRAY_SIZE(v));
	if (r < 0)
		return err_set(e, EOPNOTSUPP, "protect memory by PAGEMAP_SCAN: %s", strerror(-r));
	if (r != 1 || v[0].start != start || v[0].end != start + CR_PAGE_SIZE)
		return err_set(e, EOPNOTSUPP, "PAGEMAP_SCAN does not see a page that is there");
	pages[2 * CR_PAGE_SIZE] = 1;
	at = start;
	r = cr_uffd_scan(pagemap, CR_SCAN_LOOK, &at, end, 0, v, ARRAY_SIZE(v));
	if (r != 1 || v[0].start != end - CR_PAGE_SIZE)
		return err_set(e, EOPNOTSUPP, "PAGEMAP_SCAN does not tell which page was written");
	return 0;
}

static int try_uffd(struct err *e)
{
	size_t size = 3 * CR_PAGE_SIZE;
	auto_fd int uffd = -EBADF, pagemap = -EBADF;
	void *pages;
	int r;

#ifndef __x86_64__
	return err_set(e, EOPNOTSUPP, "only x86-64 is known");
#endif
	uffd = cr_uffd_own(e);
	if (uffd < 0)
		return uffd;
	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (pagemap < 0)
		return err_sys(e, "open /proc/self/pagemap");
	pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return err_sys(e, "map three pages");
	r = try_pages(uffd, pagemap, pages, e);
	munmap(pages, size);
	return r;
}

/* The steps on two pages of ours: neither is marked after the clearing, the one that is written is. Our own marks are nobody else's business. */
static int try_marks(int refs, int pagemap, volatile char *pages, struct err *e)
{
	uint64_t at = (uint64_t)(uintptr_t)pages, words[2] = {0};

	pages[0] = pages[CR_PAGE_SIZE] = 1;
	if (cr_words_read(pagemap, at, 2, words) != 2 || !(words[0] & words[1] & CR_WORD_PRESENT))
		return err_set(e, EOPNOTSUPP,
			       "/proc/PID/pagemap does not show a page that is there");
	if (!(words[0] & CR_WORD_SOFT_DIRTY))
		return err_set(e, EOPNOTSUPP, "the kernel has no soft-dirty marks");
	if (!(words[0] & CR_WORD_FRAME))
		return err_set(e, EOPNOTSUPP,
			       "/proc/PID/pagemap shows no page frames without CAP_SYS_ADMIN");
	if (write(refs, "4", 1) != 1)
		return err_set(e, EOPNOTSUPP, "clear soft-dirty marks: %s", strerror(errno));
	pages[0] = 2;
	if (cr_words_read(pagemap, at, 2, words) != 2 || !(words[0] & CR_WORD_SOFT_DIRTY) ||
	    words[1] & CR_WORD_SOFT_DIRTY)
		return err_set(e, EOPNOTSUPP,
			       "soft-dirty marks do not tell which page was written");
	return 0;
}

static int try_soft(struct err *e)
{
	auto_fd int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	auto_fd int refs = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	size_t size = 2 * CR_PAGE_SIZE;
	void *pages;
	int r;

	if (pagemap < 0 || refs < 0)
		return err_set(e, EOPNOTSUPP, "open /proc/self/%s: %s",
			       pagemap < 0 ? "pagemap" : "clear_refs", strerror(errno));
	pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return err_sys(e, "map two pages");
	/* Else both are one huge page, perhaps. */
	(void)madvise(pages, size, MADV_NOHUGEPAGE);
	r = try_marks(refs, pagemap, pages, e);
	munmap(pages, size);
	return r;
}

int cr_track_supported(enum cr_track_backend backend, struct err *e)
{
	int r = 0;

	switch (backend) {
	case CR_TRACK_UFFD:
		r = try_uffd(e);
		break;
	case CR_TRACK_SOFT_DIRTY:
		r = try_soft(e);
		break;
	case CR_TRACK_CONTENT:
		break;
	}
	/* Whatever the kernel calls it. */
	if (r < 0)
		e->no = EOPNOTSUPP;
	return r < 0 ? -EOPNOTSUPP : 0;
}

int cr_track_choose(enum cr_track_backend *b, char why[CR_TRACK_WHY], struct err *e)
{
	const char *wanted = getenv("SKEP_TRACK");
	struct err no_uffd = {0}, no_soft = {0};

	why[0] = 0;
	if (wanted && !wanted[0])
		wanted = NULL;
	for (*b = CR_TRACK_UFFD; wanted && *b < CR_TRACK_CONTENT; (*b)++)
		if (!strcmp(wanted, cr_track_backend_to_str(*b))) {
			snprintf(why, CR_TRACK_WHY, "SKEP_TRACK wants it");
			return cr_track_supported(*b, e);
		}
	if (wanted)
		return err_set(e, EINVAL, "SKEP_TRACK=%.32s is neither uffd nor soft-dirty",
			       wanted);
	*b = CR_TRACK_UFFD;
	if (cr_track_supported(CR_TRACK_UFFD, &no_uffd) >= 0)
		return 0;
	*b = CR_TRACK_SOFT_DIRTY;
	if (cr_track_supported(CR_TRACK_SOFT_DIRTY, &no_soft) >= 0) {
		snprintf(why, CR_TRACK_WHY, "%.*s", CR_TRACK_WHY - 1, no_uffd.text);
		return 0;
	}
	return err_set(e, EOPNOTSUPP, "%s; %s", no_uffd.text, no_soft.text);
}
