// SPDX-License-Identifier: GPL-2.0-only
/* What the tree stream says of one name: attributes and xattrs. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "storage/relative_id.h"
#include "storage/stream_sender.h"

static int put_xattrs(struct st_sender *s, int fd, const char *path, struct err *e)
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

int st_put_entry(struct st_sender *s, const char *path, const struct stat *st, int fd,
		 enum st_record record, const char *hard, struct err *e)
{
	uint32_t uid = st->st_uid, gid = st->st_gid;
	char target[PATH_MAX];
	ssize_t link = 0;

	/* overlayfs makes whiteouts as the one who mounted it, so they are the host root's; nobody looks at their owner. */
	if (st_is_whiteout(st->st_mode, st->st_rdev))
		uid = gid = s->base;
	if (!st_id_translate(&uid, s->base, ST_ID_TO_RELATIVE) ||
	    !st_id_translate(&gid, s->base, ST_ID_TO_RELATIVE)) {
		err_set(e, EOVERFLOW, "/%s belongs to %u:%u, which is not an id of the container",
			path, st->st_uid, st->st_gid);
		return err_hint(
			e,
			"somebody put it into the container's directory upper/ from outside: `chown -h %u:%u` there gives it to the container's root",
			s->base, s->base);
	}
	if (S_ISLNK(st->st_mode) && !hard) {
		link = readlinkat(fd, "", target, sizeof(target));
		if (link < 0)
			return err_sys(e, "read link /%s", path);
	}
	st_put_u8(&s->frame, record);
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
