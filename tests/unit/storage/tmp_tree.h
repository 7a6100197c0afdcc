/* SPDX-License-Identifier: GPL-2.0-only */
/* A temporary directory a test, and shorthand for filling and looking at trees. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/own.h"
#include "storage/tree.h"

struct tmp_tree {
	char path[64];
	int dir;
};

static inline int tmp_tree_setup(void **state)
{
	struct tmp_tree *t = calloc(1, sizeof(*t));

	snprintf(t->path, sizeof(t->path), "/tmp/skep-storage-XXXXXX");
	if (!mkdtemp(t->path))
		return -1;
	t->dir = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = t;
	return t->dir < 0 ? -1 : 0;
}

static inline int tmp_tree_teardown(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};
	int r = st_tree_remove(AT_FDCWD, t->path, &e);

	if (r < 0)
		fprintf(stderr, "%s\n", e.text);
	close(t->dir);
	free(t);
	return r;
}

/* Wants success and says why it was none. */
#define assert_good(call)                                  \
	do {                                               \
		if ((call) < 0)                            \
			fail_msg("%s: %s", #call, e.text); \
	} while (0)

static inline int tmp_mkdir(int dir, const char *name)
{
	int fd;

	assert_true(mkdirat(dir, name, 0755) == 0 || errno == EEXIST);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static inline void tmp_write(int dir, const char *name, const char *text)
{
	auto_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static inline void tmp_is(int dir, const char *name, const char *text)
{
	auto_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	char buf[4096];
	ssize_t n;

	if (fd < 0)
		fail_msg("%s: %s", name, strerror(errno));
	n = read(fd, buf, sizeof(buf) - 1);
	assert_true(n >= 0);
	buf[n] = 0;
	assert_string_equal(buf, text);
}

static inline struct stat tmp_stat(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("%s: %s", name, strerror(errno));
	return st;
}

static inline int tmp_missing(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}
