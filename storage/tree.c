// SPDX-License-Identifier: GPL-2.0-only
/* Removing, measuring and digesting trees. */
#include "storage/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/err.h"
#include "base/own.h"
#include "storage/inodes.h"
#include "storage/sha256.h"
#include "storage/walk.h"

/* A container can nest directories deeper than we have descriptors: below this depth they are moved up to the top. */
#define DEPTH_MOST 48

struct removal {
	int top;
	dev_t dev;
	unsigned long moved;
};

static int remove_content(struct removal *rm, int dir, int depth, struct err *e);

static int remove_name(struct removal *rm, int dir, const char *name, int depth, struct err *e)
{
	auto_fd int sub = -EBADF;
	struct stat st;
	int r;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(e, "remove %s", name);
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return err_sys(e, "remove directory %s", name);
	if (depth >= DEPTH_MOST) {
		char up[48];

		snprintf(up, sizeof(up), ".skep-removing-%lu", rm->moved++);
		if (renameat(dir, name, rm->top, up) < 0)
			return err_sys(e, "remove directory %s", name);
		return 0;
	}
	sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub < 0 || fstat(sub, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open directory %s", name);
	if (st.st_dev != rm->dev)
		return err_set(e, EBUSY, "remove %s: something is mounted there", name);
	r = remove_content(rm, sub, depth + 1, e);
	if (r < 0)
		return r;
	if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(e, "remove directory %s", name);
	return 0;
}

static int remove_content(struct removal *rm, int dir, int depth, struct err *e)
{
	auto_fd int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = again >= 0 ? fdopendir(again) : NULL;
	struct dirent *de;

	if (!d)
		return err_sys(e, "list a directory to remove");
	take_fd(&again);
	while ((errno = 0, de = readdir(d))) {
		int r;

		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		r = remove_name(rm, dir, de->d_name, depth, e);
		if (r < 0)
			return r;
	}
	return errno ? err_sys(e, "list a directory to remove") : 0;
}

int st_tree_remove(int dir, const char *name, struct err *e)
{
	struct removal rm = {0};
	auto_fd int top = -EBADF;
	struct stat st;
	unsigned long moved;
	int r;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(e, "remove %s", name);
	top = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (top < 0 || fstat(top, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "remove %s", name);
	rm.top = top;
	rm.dev = st.st_dev;
	do {
		moved = rm.moved;
		r = remove_content(&rm, top, 0, e);
		if (r < 0)
			return err_wrap(e, "remove %s", name);
	} while (rm.moved != moved);
	if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(e, "remove directory %s", name);
	return 0;
}

struct measure {
	struct st_tree_size *size;
	struct st_inodes links;
};

static int measure_one(const struct st_walk_entry *at, void *arg, struct err *e)
{
	struct measure *m = arg;
	const char *first = NULL;

	if (at->leaving)
		return 0;
	if (!S_ISDIR(at->st.st_mode) && at->st.st_nlink > 1 &&
	    st_inodes_note(&m->links, &at->st, at->path, &first) < 0)
		return err_set(e, ENOMEM, "measure a tree: out of memory");
	if (first)
		return 0;
	m->size->bytes += 512ULL * (uint64_t)at->st.st_blocks;
	m->size->inodes++;
	return 0;
}

int st_tree_measure(int dir, struct st_tree_size *size, struct err *e)
{
	struct measure m = {.size = size};
	int r;

	*size = (struct st_tree_size){0};
	r = st_walk(dir, measure_one, &m, e);
	st_inodes_done(&m.links);
	return r < 0 ? r : 0;
}

struct digest {
	struct st_sha256 sha;
	struct st_inodes links;
	uint8_t buf[128 * 1024];
};

static int digest_content(struct digest *d, int fd, const char *path, struct err *e)
{
	ssize_t n;

	while ((n = read(fd, d->buf, sizeof(d->buf))) > 0)
		st_sha256_add(&d->sha, d->buf, (size_t)n);
	return n < 0 ? err_sys(e, "read /%s", path) : 0;
}

static int text_order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted: the order in which a file system lists xattrs is its own. */
static int digest_xattrs(struct digest *d, int fd, const char *path, struct err *e)
{
	char list[8192], value[8192], proc[40];
	const char *names[256];
	size_t n = 0;
	ssize_t len;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	len = listxattr(proc, list, sizeof(list));
	if (len < 0)
		return errno == EOPNOTSUPP ? 0 : err_sys(e, "list the xattrs of /%s", path);
	for (char *p = list; p < list + len && n < ARRAY_SIZE(names); p += strlen(p) + 1)
		if (strncmp(p, "security.selinux", 16))
			names[n++] = p;
	qsort(names, n, sizeof(*names), text_order);
	for (size_t i = 0; i < n; i++) {
		ssize_t v = getxattr(proc, names[i], value, sizeof(value));

		if (v < 0)
			return err_sys(e, "read xattr %s of /%s", names[i], path);
		st_sha256_add(&d->sha, names[i], strlen(names[i]) + 1);
		st_sha256_add(&d->sha, value, (size_t)v);
	}
	return 0;
}

static int digest_one(const struct st_walk_entry *at, void *arg, struct err *e)
{
	struct digest *d = arg;
	const char *first = NULL;
	const struct stat *st = &at->st;
	bool regular = S_ISREG(st->st_mode);
	auto_fd int fd = -EBADF;
	char head[160], target[PATH_MAX];
	ssize_t n;
	int r;

	if (at->leaving)
		return 0;
	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1 &&
	    st_inodes_note(&d->links, st, at->path, &first) < 0)
		return err_set(e, ENOMEM, "digest a tree: out of memory");
	snprintf(head, sizeof(head), "%o %u %u %llu %llu", st->st_mode, st->st_uid, st->st_gid,
		 (unsigned long long)st->st_rdev, regular ? (unsigned long long)st->st_size : 0);
	st_sha256_add(&d->sha, at->path, strlen(at->path) + 1);
	st_sha256_add(&d->sha, head, strlen(head) + 1);
	if (first) {
		st_sha256_add(&d->sha, first, strlen(first) + 1);
		return 0;
	}
	fd = openat(at->parent, at->name, (regular ? O_RDONLY : O_PATH) | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open /%s", at->path);
	r = digest_xattrs(d, fd, at->path, e);
	if (r == 0 && regular)
		return digest_content(d, fd, at->path, e);
	if (r == 0 && S_ISLNK(st->st_mode)) {
		n = readlinkat(fd, "", target, sizeof(target));
		if (n < 0)
			return err_sys(e, "read link /%s", at->path);
		st_sha256_add(&d->sha, target, (size_t)n);
	}
	return r;
}

int st_tree_digest(int dir, char digest[ST_DIGEST_SIZE], struct err *e)
{
	auto_free struct digest *d = calloc(1, sizeof(*d));
	uint8_t sum[32];
	int r;

	if (!d)
		return err_sys(e, "digest a tree");
	st_sha256_init(&d->sha);
	r = st_walk(dir, digest_one, d, e);
	st_inodes_done(&d->links);
	if (r < 0)
		return r;
	st_sha256_done(&d->sha, sum);
	memcpy(digest, "sha256:", 8);
	for (int i = 0; i < 32; i++)
		snprintf(digest + 7 + 2 * i, 3, "%02x", sum[i]);
	return 0;
}
