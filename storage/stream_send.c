// SPDX-License-Identifier: GPL-2.0-only
/* The sending side of the tree stream. */
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
#include "storage/frame.h"
#include "storage/inodes.h"
#include "storage/manifest.h"
#include "storage/relative_id.h"
#include "storage/walk.h"

/*
 * A change within the clock tick of the ctime we saw leaves no trace in it: an inode changed so lately counts as changed again. Ticks
 * are at most 10 ms.
 */
#define CTIME_TRUST_NS 50000000LL

struct sender {
	struct st_frame frame;
	uint32_t base;
	struct st_manifest *since, *made;
	struct st_inodes links;
	struct st_stream_stats stats;
	char xattr_names[65536];
	uint8_t xattr_value[65536 + 1];
};

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static bool ctime_is_sure(const struct stat *st)
{
	struct timespec now;
	int64_t age;

	clock_gettime(CLOCK_REALTIME, &now);
	age = (now.tv_sec - st->st_ctim.tv_sec) * 1000000000LL + now.tv_nsec - st->st_ctim.tv_nsec;
	return age > CTIME_TRUST_NS;
}

static int put_xattrs(struct sender *s, int fd, const char *path, struct err *e)
{
	char proc[40];
	ssize_t len;
	uint16_t n = 0;
	int named = 0;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	len = listxattr(proc, s->xattr_names, sizeof(s->xattr_names));
	if (len < 0 && errno != EOPNOTSUPP)
		return err_sys(e, "list the xattrs of /%s", path);
	for (char *p = s->xattr_names; p < s->xattr_names + len; p += strlen(p) + 1)
		named += st_xattr_travels(p);
	st_put_u16(&s->frame, (uint16_t)named);
	for (char *p = s->xattr_names; p < s->xattr_names + len; p += strlen(p) + 1) {
		ssize_t v;

		if (!st_xattr_travels(p))
			continue;
		v = getxattr(proc, p, s->xattr_value, sizeof(s->xattr_value));
		/* Removed since it was listed: an empty name fills its place. */
		if (v < 0 && errno == ENODATA) {
			st_put_str(&s->frame, "", 0);
			st_put_str(&s->frame, "", 0);
			continue;
		}
		if (v < 0)
			return err_sys(e, "read xattr %s of /%s", p, path);
		if (!st_id_translate_xattr(p, s->xattr_value, (size_t)v, s->base,
					   ST_ID_TO_RELATIVE))
			return err_set(e, EOVERFLOW,
				       "xattr %s of /%s has an id outside the container", p, path);
		st_put_str(&s->frame, p, strlen(p));
		st_put_str(&s->frame, s->xattr_value, (size_t)v);
		n++;
	}
	return n;
}

static int put_entry(struct sender *s, const char *path, const struct stat *st, int fd,
		     const char *hard, struct err *e)
{
	uint32_t uid = st->st_uid, gid = st->st_gid;
	char target[PATH_MAX];
	ssize_t link = 0;

	/* overlayfs makes whiteouts as the one who mounted it, so they are the host root's; nobody looks at their owner. */
	if (is_whiteout(st))
		uid = gid = s->base;
	if (!st_id_translate(&uid, s->base, ST_ID_TO_RELATIVE) ||
	    !st_id_translate(&gid, s->base, ST_ID_TO_RELATIVE))
		return err_set(e, EOVERFLOW,
			       "/%s belongs to %u:%u, which is not an id of the container", path,
			       st->st_uid, st->st_gid);
	if (S_ISLNK(st->st_mode) && !hard) {
		link = readlinkat(fd, "", target, sizeof(target));
		if (link < 0)
			return err_sys(e, "read link /%s", path);
	}
	st_put_u8(&s->frame, ST_RECORD_ENTRY);
	st_put_str(&s->frame, path, strlen(path));
	st_put_u32(&s->frame, st->st_mode);
	st_put_u32(&s->frame, uid);
	st_put_u32(&s->frame, gid);
	st_put_u64(&s->frame, (uint64_t)major(st->st_rdev) << 32 | minor(st->st_rdev));
	st_put_u64(&s->frame, (uint64_t)st->st_size);
	st_put_time(&s->frame, &st->st_atim);
	st_put_time(&s->frame, &st->st_mtim);
	st_put_str(&s->frame, hard ? hard : target, hard ? strlen(hard) : (size_t)link);
	st_put_u8(&s->frame, hard != NULL);
	s->stats.entries++;
	if (hard) {
		st_put_u16(&s->frame, 0);
		return 0;
	}
	return put_xattrs(s, fd, path, e);
}

/* One stretch of data: up to `end`, or to where the file ends now. Returns 1 if it ended. */
static int put_stretch(struct sender *s, int fd, const char *path, off_t from, off_t end,
		       struct err *e)
{
	while (from < end) {
		size_t want = end - from < (off_t)ST_DATA_MAX ? (size_t)(end - from) : ST_DATA_MAX;
		uint8_t *room = st_put_room(&s->frame, 1 + 8 + 4 + want);
		ssize_t n;

		if (!room)
			return s->frame.failed;
		n = pread(fd, room + 13, want, from);
		if (n < 0)
			return err_sys(e, "read /%s", path);
		if (n == 0)
			return 1;
		st_put_u8(&s->frame, ST_RECORD_DATA);
		st_put_u64(&s->frame, (uint64_t)from);
		st_put_u32(&s->frame, (uint32_t)n);
		st_put_fill(&s->frame, (size_t)n);
		s->stats.bytes += (uint64_t)n;
		from += n;
	}
	return 0;
}

/* Sends size bytes, the size when it was opened: a file that grows for ever must not keep us for ever. */
static int put_content(struct sender *s, int fd, const char *path, off_t size, struct err *e)
{
	off_t at = 0;
	int r = 0;

	while (at < size && r == 0) {
		off_t data = lseek(fd, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			break;
		if (data < 0)
			return err_sys(e, "find the data of /%s", path);
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0 && errno == ENXIO)
			break;
		if (hole < 0)
			return err_sys(e, "find the holes of /%s", path);
		r = put_stretch(s, fd, path, data, hole < size ? hole : size, e);
		at = hole;
	}
	if (r < 0)
		return r;
	st_put_u8(&s->frame, ST_RECORD_FILE);
	st_put_u64(&s->frame, (uint64_t)size);
	return s->frame.failed;
}

/*
 * A page that is mapped shared and dirty can be written again without a page fault, and then ctime does not move. Writing it
 * back protects it, so a later store faults and is seen by pass two; it must come after the stat whose ctime is noted and before the read.
 */
static void protect_mapped_pages(int fd)
{
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE);
}

static int open_entry(const struct st_walk_entry *at, bool regular)
{
	int flags = O_NOFOLLOW | O_CLOEXEC | (regular ? O_RDONLY | O_NONBLOCK | O_NOATIME : O_PATH);

	return openat(at->parent, at->name, flags);
}

static int send_one(struct sender *s, const struct st_walk_entry *at, struct err *e)
{
	bool regular = S_ISREG(at->st.st_mode);
	auto_fd int fd = open_entry(at, regular);
	const char *first = NULL;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		if (errno != ENOENT && errno != ELOOP && errno != ENXIO)
			return err_sys(e, "open /%s", at->path);
		s->stats.vanished++;
		return 0;
	}
	/* Replaced by something else between the two looks: pass two finds a name that the manifest lacks. */
	if ((st.st_mode & S_IFMT) != (at->st.st_mode & S_IFMT)) {
		s->stats.vanished++;
		return 0;
	}
	if (!S_ISDIR(st.st_mode) && st.st_nlink > 1 &&
	    st_inodes_note(&s->links, &st, at->path, &first) < 0)
		return err_set(e, ENOMEM, "send a tree: out of memory");
	if (s->made && st_manifest_add(s->made, at->path, &st, ctime_is_sure(&st)) < 0)
		return err_set(e, ENOMEM, "send a tree: out of memory");
	r = put_entry(s, at->path, &st, fd, first, e);
	if (r >= 0 && regular && !first) {
		if (s->made)
			protect_mapped_pages(fd);
		r = put_content(s, fd, at->path, st.st_size, e);
	}
	return r < 0 ? r : s->frame.failed;
}

/*
 * The names of one inode are always sent together: a name that was linked to between the passes would otherwise stay a copy. All
 * of them have the same ctime, but in pass one they were not seen at the same time.
 */
static bool unchanged(struct sender *s, const struct st_walk_entry *at)
{
	bool same;

	if (!s->since)
		return false;
	same = st_manifest_same(s->since, at->path, &at->st);
	return same && (S_ISDIR(at->st.st_mode) || at->st.st_nlink == 1);
}

static int visit(const struct st_walk_entry *at, void *arg, struct err *e)
{
	struct sender *s = arg;

	if (at->leaving) {
		st_put_u8(&s->frame, ST_RECORD_LEAVE);
		st_put_str(&s->frame, at->path, strlen(at->path));
		st_put_time(&s->frame, &at->st.st_atim);
		st_put_time(&s->frame, &at->st.st_mtim);
		return s->frame.failed;
	}
	if (!unchanged(s, at))
		return send_one(s, at, e);
	if (s->made && st_manifest_add(s->made, at->path, &at->st, ctime_is_sure(&at->st)) < 0)
		return err_set(e, ENOMEM, "send a tree: out of memory");
	return 0;
}

static int put_removed(struct sender *s)
{
	const char *path;
	size_t pos = 0;

	while (s->since && !s->frame.failed &&
	       (path = st_manifest_next_unseen(s->since, &pos)) != NULL) {
		st_put_u8(&s->frame, ST_RECORD_REMOVE);
		st_put_str(&s->frame, path, strlen(path));
		s->stats.removed++;
	}
	return s->frame.failed;
}

int st_stream_send(int dir, uint32_t id_base, struct st_manifest *since, int fd,
		   struct st_manifest *made, struct st_stream_stats *stats, struct err *e)
{
	auto_free struct sender *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_sys(e, "send a tree");
	s->frame.fd = fd;
	s->frame.e = e;
	s->base = id_base;
	s->since = since;
	s->made = made;
	if (since)
		st_manifest_unsee(since);
	/* In one go what protect_mapped_pages() would start file by file. */
	if (made)
		syncfs(dir);
	st_put_u8(&s->frame, ST_RECORD_START);
	st_put_u64(&s->frame, ST_MAGIC);
	r = st_walk(dir, visit, s, e);
	st_inodes_done(&s->links);
	if (r >= 0)
		r = put_removed(s);
	if (r < 0)
		return r;
	st_put_u8(&s->frame, ST_RECORD_END);
	st_put_u64(&s->frame, s->stats.entries);
	st_put_u64(&s->frame, s->stats.removed);
	st_put_u64(&s->frame, s->stats.bytes);
	r = st_put_flush(&s->frame);
	if (stats)
		*stats = s->stats;
	return r;
}

int st_stream_send_pass(const struct st_stream_pass *p, struct st_stream_stats *stats,
			struct err *e)
{
	bool first = p->sent && !st_manifest_count(p->sent);

	return st_stream_send(p->dir, p->id_base, first ? NULL : p->sent, p->fd,
			      p->last ? NULL : p->sent, stats, e);
}
