/* SPDX-License-Identifier: GPL-2.0-only */
/* Two trees compared name by name, so that what differs is named; and a pass of the stream from one to the other. */
#pragma once

#include "tests/unit/storage/tmp_tree.h"

#include <dirent.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "storage/manifest.h"
#include "storage/names.h"
#include "storage/relative_id.h"
#include "storage/stream.h"

/* The sender in a child would keep its manifest from us; so the receiver is the child, and tells by its status. */
static inline void same_send(struct st_stream_pass pass, int to, uint32_t base,
			     struct st_stream_stats *stats)
{
	struct err e = {0};
	int p[2], status;
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		close(p[1]);
		if (st_stream_receive(to, base, p[0], NULL, &e) < 0) {
			fprintf(stderr, "%s\n", e.text);
			_exit(1);
		}
		_exit(0);
	}
	close(p[0]);
	pass.fd = p[1];
	assert_good(st_stream_send_pass(&pass, stats, &e));
	close(p[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static inline void same_content(int a, int b, const char *path)
{
	static char x[1 << 16], y[1 << 16];
	ssize_t n;

	for (off_t at = 0;; at += n) {
		/* Holes of a large one are skipped where both have them. */
		off_t data = lseek(a, at, SEEK_DATA), other = lseek(b, at, SEEK_DATA);

		if (data < 0 && other < 0)
			return;
		if (data < 0 || (other >= 0 && other < data))
			data = other;
		at = data & ~4095L;
		n = pread(a, x, sizeof(x), at);
		if (pread(b, y, sizeof(y), at) != n || memcmp(x, y, (size_t)n))
			fail_msg("%s: other content at %ld", path, (long)at);
		if (n <= 0)
			return;
	}
}

static inline void same_xattrs(int a, int b, const char *path)
{
	char names[2][4096], value[2][4096], proc[2][40];
	ssize_t len[2];

	snprintf(proc[0], 40, "/proc/self/fd/%d", a);
	snprintf(proc[1], 40, "/proc/self/fd/%d", b);
	for (int k = 0; k < 2; k++)
		len[k] = listxattr(proc[k], names[k], sizeof(names[k]));
	for (int k = 0; k < 2; k++)
		for (char *p = names[k]; p < names[k] + len[k]; p += strlen(p) + 1) {
			ssize_t n = getxattr(proc[0], p, value[0], 4096);

			if (!st_xattr_travels(p))
				continue;
			if (getxattr(proc[1], p, value[1], 4096) != n || n < 0 ||
			    memcmp(value[0], value[1], (size_t)n))
				fail_msg("%s: other xattr %s", path, p);
		}
}

static inline void same_inode(int a, int b, const char *name, const char *path)
{
	struct stat s = tmp_stat(a, name), t = tmp_stat(b, name);
	bool regular = S_ISREG(s.st_mode), link = S_ISLNK(s.st_mode);
	int flags = (regular ? O_RDONLY : O_PATH) | O_NOFOLLOW | O_CLOEXEC;
	auto_fd int x = openat(a, name, flags), y = openat(b, name, flags);

	if (s.st_mode != t.st_mode || s.st_rdev != t.st_rdev)
		fail_msg("%s: mode %o and %o", path, s.st_mode, t.st_mode);
	if (s.st_uid != t.st_uid || s.st_gid != t.st_gid)
		fail_msg("%s: owner %u:%u and %u:%u", path, s.st_uid, s.st_gid, t.st_uid, t.st_gid);
	if (st_is_whiteout(s.st_mode, s.st_rdev))
		return;
	if (s.st_mtim.tv_sec != t.st_mtim.tv_sec || s.st_mtim.tv_nsec != t.st_mtim.tv_nsec)
		fail_msg("%s: other mtime", path);
	if (!S_ISDIR(s.st_mode) && (s.st_nlink != t.st_nlink || s.st_size != t.st_size))
		fail_msg("%s: links %u, size %ld; and %u, %ld", path, (unsigned)s.st_nlink,
			 (long)s.st_size, (unsigned)t.st_nlink, (long)t.st_size);
	if (link) {
		char l[2][4096] = {0};

		assert_true(readlinkat(x, "", l[0], 4095) > 0 && readlinkat(y, "", l[1], 4095) > 0);
		assert_string_equal(l[0], l[1]);
	}
	same_xattrs(x, y, path);
	if (regular && t.st_blocks > s.st_blocks + 16)
		fail_msg("%s: %ld blocks, and there %ld", path, (long)s.st_blocks,
			 (long)t.st_blocks);
	if (regular)
		same_content(x, y, path);
}

/* Fails the test at the first difference. */
static inline void same_tree(int a, int b, const char *path)
{
	auto_names struct st_names in_a = {0}, in_b = {0};
	struct err e = {0};

	same_inode(a, b, ".", path);
	assert_good(st_names_read(&in_a, a, path, &e));
	assert_good(st_names_read(&in_b, b, path, &e));
	for (size_t i = 0; i < in_a.n || i < in_b.n; i++) {
		char below[4096];

		if (i >= in_a.n || i >= in_b.n || strcmp(in_a.v[i], in_b.v[i]))
			fail_msg("%s: %s, and there %s", path, i < in_a.n ? in_a.v[i] : "nothing",
				 i < in_b.n ? in_b.v[i] : "nothing");
		snprintf(below, sizeof(below), "%s/%s", path, in_a.v[i]);
		if (S_ISDIR(tmp_stat(a, in_a.v[i]).st_mode)) {
			auto_fd int x = openat(a, in_a.v[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			auto_fd int y = openat(b, in_a.v[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

			if (y < 0)
				fail_msg("%s: no directory there", below);
			same_tree(x, y, below);
		} else
			same_inode(a, b, in_a.v[i], below);
	}
}
