/* SPDX-License-Identifier: GPL-2.0-only */
/* Files of pages that tell where they belong and which version they are. */
#pragma once

#include "tests/unit/storage/tmp_tree.h"

#include <sys/mman.h>
#include <time.h>

#define TMP_PAGE 4096

static inline int tmp_file(int d, const char *name)
{
	int fd = openat(d, name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	return fd;
}

/* pages of different content; seed tells versions apart */
static inline void tmp_put_pages(int fd, int from, int n, unsigned seed)
{
	char page[TMP_PAGE];

	for (int i = from; i < from + n; i++) {
		memset(page, (int)(seed + (unsigned)i * 7) & 0xff, TMP_PAGE);
		memcpy(page, &i, sizeof(i));
		memcpy(page + 8, &seed, sizeof(seed));
		assert_int_equal(pwrite(fd, page, TMP_PAGE, (off_t)i * TMP_PAGE), TMP_PAGE);
	}
}

static inline void tmp_make(int d, const char *name, int pages)
{
	auto_fd int fd = tmp_file(d, name);

	tmp_put_pages(fd, 0, pages, 1);
}

static inline void *tmp_map(int d, const char *name, int pages)
{
	auto_fd int fd = tmp_file(d, name);
	void *p = mmap(NULL, (size_t)pages * TMP_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

/* Here time itself is what is waited for: a file's ctime counts from two seconds on. */
static inline void tmp_let_ctimes_age(void)
{
	struct timespec left = {.tv_sec = 2, .tv_nsec = 200000000};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}
