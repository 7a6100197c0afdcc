// SPDX-License-Identifier: GPL-2.0-only
/* The receiving side of the tree stream: it believes nothing. */
#include "storage/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/err.h"
#include "base/own.h"
#include "storage/beneath.h"
#include "storage/frame.h"
#include "storage/relative_id.h"
#include "storage/tree.h"

#define XATTRS_MAX 256

struct entry {
	char path[PATH_MAX], link[PATH_MAX];
	uint32_t mode, uid, gid;
	dev_t rdev;
	uint64_t size;
	struct timespec times[2]; /* atime, mtime */
	bool hard, patch;
	int xattrs;
	struct {
		char name[256];
		uint8_t *value;
		size_t len;
	} xattr[XATTRS_MAX];
};

struct receiver {
	struct st_frame frame;
	struct st_beneath where;
	uint32_t base;
	struct st_stream_stats stats;
	struct entry at; /* the entry whose records come */
	int file;	 /* open while at is a regular file, else -EBADF */
	uint8_t value[65536 + 1];
	uint8_t data[ST_DATA_MAX + 1];
};

static int bad(struct receiver *rx, const char *what)
{
	if (rx->frame.failed)
		return rx->frame.failed;
	return err_set(rx->frame.e, EBADMSG, "receive a tree: %s", what);
}

static void drop_xattrs(struct entry *at)
{
	for (int i = 0; i < at->xattrs; i++)
		own_free(&at->xattr[i].value);
	at->xattrs = 0;
}

static int get_xattrs(struct receiver *rx, struct entry *at)
{
	int n = st_get_u16(&rx->frame);
	char name[256];

	if (n > XATTRS_MAX)
		return bad(rx, "too many xattrs");
	for (int i = 0; i < n && !rx->frame.failed; i++) {
		uint8_t *copy;
		size_t len;

		st_get_str(&rx->frame, name, sizeof(name));
		len = st_get_str(&rx->frame, rx->value, sizeof(rx->value));
		if (rx->frame.failed)
			break;
		if (!name[0])
			continue;
		if (!st_xattr_travels(name) ||
		    !st_id_translate_xattr(name, rx->value, len, rx->base, ST_ID_TO_HOST))
			return bad(rx, "an xattr that may not travel");
		copy = malloc(len + 1);
		if (!copy)
			return err_sys(rx->frame.e, "receive a tree");
		memcpy(copy, rx->value, len);
		memcpy(at->xattr[at->xattrs].name, name, sizeof(name));
		at->xattr[at->xattrs].value = copy;
		at->xattr[at->xattrs++].len = len;
	}
	return rx->frame.failed;
}

static int get_entry(struct receiver *rx)
{
	struct entry *at = &rx->at;
	uint64_t rdev;
	int r;

	drop_xattrs(at);
	st_get_str(&rx->frame, at->path, sizeof(at->path));
	at->mode = st_get_u32(&rx->frame);
	at->uid = st_get_u32(&rx->frame);
	at->gid = st_get_u32(&rx->frame);
	rdev = st_get_u64(&rx->frame);
	at->rdev = makedev((unsigned)(rdev >> 32), (unsigned)rdev);
	at->size = st_get_u64(&rx->frame);
	st_get_time(&rx->frame, &at->times[0]);
	st_get_time(&rx->frame, &at->times[1]);
	st_get_str(&rx->frame, at->link, sizeof(at->link));
	at->hard = st_get_u8(&rx->frame);
	r = get_xattrs(rx, at);
	if (r < 0)
		return r;
	if (!st_id_translate(&at->uid, rx->base, ST_ID_TO_HOST) ||
	    !st_id_translate(&at->gid, rx->base, ST_ID_TO_HOST))
		return bad(rx, "an owner that is not the container's");
	if (at->mode & ~(unsigned)(S_IFMT | 07777) || at->size > INT64_MAX)
		return bad(rx, "a mode or size that no file has");
	/* The container's root is no root here and cannot have made a device: only overlayfs' whiteouts are 0:0. */
	if (rx->base && (S_ISBLK(at->mode) || (S_ISCHR(at->mode) && at->rdev != 0)))
		return bad(rx, "a device node in an unprivileged container");
	return 0;
}

static bool in_entry(const struct entry *at, const char *name)
{
	for (int i = 0; i < at->xattrs; i++)
		if (!strcmp(at->xattr[i].name, name))
			return true;
	return false;
}

/* A directory or a file that stays is the same inode as before: marks that it has lost since then (opaque) go. */
static int remove_lost_xattrs(struct receiver *rx, const char *proc, struct err *e)
{
	char *names = (char *)rx->value;
	ssize_t len = listxattr(proc, names, sizeof(rx->value));

	if (len < 0)
		return errno == EOPNOTSUPP ? 0 : err_sys(e, "list the xattrs of /%s", rx->at.path);
	for (char *p = names; p < names + len; p += strlen(p) + 1)
		if (st_xattr_travels(p) && !in_entry(&rx->at, p) && removexattr(proc, p) < 0 &&
		    errno != ENODATA)
			return err_sys(e, "remove xattr %s of /%s", p, rx->at.path);
	return 0;
}

/* Owner before mode and capabilities, which chown(2) clears; both after the content, which clears capabilities, too. */
static int set_attributes(struct receiver *rx, int fd, struct err *e)
{
	struct entry *at = &rx->at;
	char proc[40];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (fchownat(fd, "", at->uid, at->gid, AT_EMPTY_PATH) < 0)
		return err_sys(e, "set the owner of /%s", at->path);
	if (!S_ISLNK(at->mode) && chmod(proc, at->mode & 07777) < 0)
		return err_sys(e, "set the mode of /%s", at->path);
	if ((S_ISDIR(at->mode) || at->patch) && remove_lost_xattrs(rx, proc, e) < 0)
		return -e->no;
	for (int i = 0; i < at->xattrs; i++)
		if (setxattr(proc, at->xattr[i].name, at->xattr[i].value, at->xattr[i].len, 0) < 0)
			return err_sys(e, "set xattr %s of /%s", at->xattr[i].name, at->path);
	if (utimensat(AT_FDCWD, proc, at->times, 0) < 0)
		return err_sys(e, "set the times of /%s", at->path);
	return 0;
}

static int make_directory(struct receiver *rx, int parent, const char *name, struct err *e)
{
	auto_fd int fd = -EBADF;
	struct stat st;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode)) {
		if (st_tree_remove(parent, name, e) < 0)
			return -e->no;
		if (mkdirat(parent, name, 0700) < 0)
			return err_sys(e, "make directory /%s", rx->at.path);
	}
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open directory /%s", rx->at.path);
	return set_attributes(rx, fd, e);
}

static int make_link(struct receiver *rx, int parent, const char *name, struct err *e)
{
	struct st_beneath from = {.root = rx->where.root, .dir = -EBADF};
	const char *old;
	int r = st_beneath_parent(&from, rx->at.link, &old, e);

	if (r >= 0 && linkat(from.dir, old, parent, name, 0) < 0)
		r = err_sys(e, "link /%s to /%s", rx->at.path, rx->at.link);
	st_beneath_done(&from);
	return r < 0 ? r : 0;
}

static int make_other(struct receiver *rx, int parent, const char *name, struct err *e)
{
	struct entry *at = &rx->at;
	auto_fd int fd = -EBADF;
	int r;

	switch (at->mode & S_IFMT) {
	case S_IFLNK:
		r = symlinkat(at->link, parent, name);
		break;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		r = mknodat(parent, name, (at->mode & S_IFMT) | 0600, at->rdev);
		break;
	default:
		return bad(rx, "a file of no known type");
	}
	if (r < 0)
		return err_sys(e, "make /%s", at->path);
	fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open /%s", at->path);
	return set_attributes(rx, fd, e);
}

/* Whatever it is now, it is below the directory, and this stream or an earlier pass made it: nothing else is there. */
static int open_patched(struct receiver *rx, int parent, const char *name, struct err *e)
{
	struct stat st;

	rx->file = openat(parent, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (rx->file < 0)
		return err_sys(e, "open /%s", rx->at.path);
	if (fstat(rx->file, &st) < 0 || !S_ISREG(st.st_mode))
		return bad(rx, "a difference to what is no file");
	return 0;
}

static int begin_entry(struct receiver *rx, bool patch, struct err *e)
{
	struct entry *at = &rx->at;
	const char *name;
	int r = get_entry(rx);

	if (r < 0)
		return r;
	at->patch = patch;
	if (patch && (!S_ISREG(at->mode) || at->hard))
		return bad(rx, "a difference to what is no file");
	rx->stats.entries++;
	if (!at->path[0])
		return S_ISDIR(at->mode) ? set_attributes(rx, rx->where.root, e)
					 : bad(rx, "the tree itself is no directory");
	r = st_beneath_parent(&rx->where, at->path, &name, e);
	if (r < 0)
		return r;
	if (S_ISDIR(at->mode))
		return make_directory(rx, rx->where.dir, name, e);
	if (patch)
		return open_patched(rx, rx->where.dir, name, e);
	if (st_tree_remove(rx->where.dir, name, e) < 0)
		return -e->no;
	if (at->hard)
		return make_link(rx, rx->where.dir, name, e);
	if (!S_ISREG(at->mode))
		return make_other(rx, rx->where.dir, name, e);
	rx->file = openat(rx->where.dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			  0600);
	return rx->file < 0 ? err_sys(e, "create /%s", at->path) : 0;
}

static int get_data(struct receiver *rx, struct err *e)
{
	uint64_t offset = st_get_u64(&rx->frame);
	size_t len = st_get_str(&rx->frame, rx->data, sizeof(rx->data));

	if (rx->frame.failed || offset > rx->at.size || len > rx->at.size - offset)
		return bad(rx, "data outside its file");
	rx->stats.bytes += len;
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(rx->file, rx->data + done, len - done, (off_t)(offset + done));

		if (n < 0)
			return err_sys(e, "write /%s", rx->at.path);
		done += (size_t)n;
	}
	return 0;
}

static int write_zeros(struct receiver *rx, uint64_t at, uint64_t end, struct err *e)
{
	memset(rx->data, 0, sizeof(rx->data));
	while (at < end) {
		size_t want = end - at < sizeof(rx->data) ? (size_t)(end - at) : sizeof(rx->data);
		ssize_t n = pwrite(rx->file, rx->data, want, (off_t)at);

		if (n < 0)
			return err_sys(e, "write /%s", rx->at.path);
		at += (size_t)n;
	}
	return 0;
}

static int get_hole(struct receiver *rx, struct err *e)
{
	uint64_t offset = st_get_u64(&rx->frame), len = st_get_u64(&rx->frame), end;
	struct stat st;

	if (rx->frame.failed || !len || offset > rx->at.size || len > rx->at.size - offset)
		return bad(rx, "a hole outside its file");
	if (fstat(rx->file, &st) < 0)
		return err_sys(e, "look at /%s", rx->at.path);
	/* Behind its end it is a hole already, whatever length is claimed. */
	end = offset + len < (uint64_t)st.st_size ? offset + len : (uint64_t)st.st_size;
	if (offset >= end || fallocate(rx->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				       (off_t)offset, (off_t)(end - offset)) == 0)
		return 0;
	return errno == EOPNOTSUPP ? write_zeros(rx, offset, end, e)
				   : err_sys(e, "make a hole in /%s", rx->at.path);
}

static int end_file(struct receiver *rx, struct err *e)
{
	uint64_t size = st_get_u64(&rx->frame);
	int r;

	if (rx->frame.failed || size != rx->at.size)
		return bad(rx, "a file of another size than announced");
	if (ftruncate(rx->file, (off_t)size) < 0)
		return err_sys(e, "size /%s", rx->at.path);
	r = set_attributes(rx, rx->file, e);
	own_close_fd(&rx->file);
	return r;
}

/* The parent's times are kept: they were the sender's, and it sends a directory's times only after its own content. */
static int remove_one(struct receiver *rx, struct err *e)
{
	struct stat st;
	const char *name;
	int r;

	st_get_str(&rx->frame, rx->at.path, sizeof(rx->at.path));
	if (rx->frame.failed || !rx->at.path[0])
		return bad(rx, "removal of the tree itself");
	r = st_beneath_parent(&rx->where, rx->at.path, &name, e);
	/* Its directory went before it, or is something else by now. */
	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP) {
		err_clear(e);
		return 0;
	}
	if (r < 0)
		return r;
	if (fstat(rx->where.dir, &st) < 0)
		return err_sys(e, "look at the directory of /%s", rx->at.path);
	r = st_tree_remove(rx->where.dir, name, e);
	if (r < 0)
		return r;
	rx->stats.removed++;
	if (futimens(rx->where.dir, (struct timespec[]){st.st_atim, st.st_mtim}) < 0)
		r = err_sys(e, "set the times of the directory of /%s", rx->at.path);
	/* What is remembered may have been removed with it. */
	st_beneath_done(&rx->where);
	return r;
}

static int leave(struct receiver *rx, struct err *e)
{
	struct timespec times[2];
	auto_fd int fd = -EBADF;

	st_get_str(&rx->frame, rx->at.path, sizeof(rx->at.path));
	st_get_time(&rx->frame, &times[0]);
	st_get_time(&rx->frame, &times[1]);
	if (rx->frame.failed)
		return rx->frame.failed;
	fd = st_beneath_open(rx->where.root, rx->at.path[0] ? rx->at.path : ".",
			     O_RDONLY | O_DIRECTORY, e);
	if (fd < 0)
		return fd;
	return futimens(fd, times) < 0 ? err_sys(e, "set the times of /%s", rx->at.path) : 0;
}

static int end_stream(struct receiver *rx)
{
	uint64_t entries = st_get_u64(&rx->frame), removed = st_get_u64(&rx->frame);
	uint64_t bytes = st_get_u64(&rx->frame);

	(void)removed; /* names that were gone with their directory are not counted twice here */
	if (rx->frame.failed || entries != rx->stats.entries || bytes != rx->stats.bytes ||
	    !st_get_end(&rx->frame))
		return bad(rx, "the end does not fit what came");
	return 1;
}

/* Returns 1 at the end of the stream. */
static int one_record(struct receiver *rx, struct err *e)
{
	uint8_t type = st_get_u8(&rx->frame);

	if (rx->frame.failed)
		return rx->frame.failed;
	if ((rx->file >= 0) !=
	    (type == ST_RECORD_DATA || type == ST_RECORD_HOLE || type == ST_RECORD_FILE))
		return bad(rx, "records out of order");
	switch (type) {
	case ST_RECORD_ENTRY:
	case ST_RECORD_PATCH:
		return begin_entry(rx, type == ST_RECORD_PATCH, e);
	case ST_RECORD_HOLE:
		return get_hole(rx, e);
	case ST_RECORD_DATA:
		return get_data(rx, e);
	case ST_RECORD_FILE:
		return end_file(rx, e);
	case ST_RECORD_LEAVE:
		return leave(rx, e);
	case ST_RECORD_REMOVE:
		return remove_one(rx, e);
	case ST_RECORD_END:
		return end_stream(rx);
	}
	return bad(rx, "an unknown record");
}

int st_stream_receive(int dir, uint32_t id_base, int fd, struct st_stream_stats *stats,
		      struct err *e)
{
	return st_stream_receive_within(dir, id_base, fd, -1, stats, e);
}

int st_stream_receive_within(int dir, uint32_t id_base, int fd, int ms,
			     struct st_stream_stats *stats, struct err *e)
{
	auto_free struct receiver *rx = calloc(1, sizeof(*rx));
	auto_fd int root = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (!rx || root < 0)
		return err_sys(e, "receive a tree");
	rx->frame.fd = fd;
	rx->frame.silence_ms = ms;
	rx->frame.e = e;
	rx->base = id_base;
	rx->file = -EBADF;
	rx->where = (struct st_beneath){.root = root, .dir = -EBADF};
	if (st_get_u8(&rx->frame) != ST_RECORD_START || st_get_u64(&rx->frame) != ST_MAGIC)
		r = bad(rx, "this is no tree stream of this version");
	while (r == 0)
		r = one_record(rx, e);
	own_close_fd(&rx->file);
	st_beneath_done(&rx->where);
	drop_xattrs(&rx->at);
	st_frame_done(&rx->frame);
	rx->stats.wire = rx->frame.wire;
	if (stats)
		*stats = rx->stats;
	return r < 0 ? r : 0;
}
