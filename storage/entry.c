// SPDX-License-Identifier: GPL-2.0-only
/* One entry after the other, made below a directory descriptor. */
#include "storage/entry.h"

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
#include "storage/relative_id.h"
#include "storage/tree.h"

/* The times of a directory are set last: what is made in it changes them. */
struct st_dir_times {
	char *path;
	struct timespec times[2];
};

int st_entries_failed(struct st_entries *im, struct err *e)
{
	const char *said = archive_error_string(im->from);
	int no = archive_errno(im->from);

	err_set(e, no > 0 ? no : EBADMSG, "read the %s: %s", im->what,
		said ? said : "unknown failure");
	if (no <= 0 || no == EILSEQ || (said && strstr(said, "runcated")))
		err_hint(e, "it is truncated, damaged, or of no known format");
	return -e->no;
}

/* "./", "/" in front and doubled slashes are how tools write; ".." is how attackers do. */
static int clean_name(const char *raw, char name[PATH_MAX], const char *what, struct err *e)
{
	size_t len = 0;

	if (!raw)
		return err_set(e, EILSEQ, "the %s has a name that cannot be read", what);
	if (raw[0] == '/')
		return err_set(e, EINVAL, "the %s has an absolute name: %.200s", what, raw);
	while (*raw) {
		size_t n = strcspn(raw, "/");

		if (n == 2 && raw[0] == '.' && raw[1] == '.')
			return err_set(e, EINVAL, "the %s has a name with '..' in it", what);
		if (n && !(n == 1 && raw[0] == '.')) {
			if (len + 1 + n >= PATH_MAX)
				return err_set(e, ENAMETOOLONG,
					       "the %s has a name that is too long", what);
			if (len)
				name[len++] = '/';
			memcpy(name + len, raw, n);
			len += n;
		}
		raw += n + (raw[n] == '/');
	}
	name[len] = 0;
	return 0;
}

static int note_directory(struct st_entries *im, const char *name, const struct timespec times[2],
			  struct err *e)
{
	if (im->dir_count == im->dir_room) {
		size_t room = im->dir_room ? 2 * im->dir_room : 256;
		struct st_dir_times *v = reallocarray(im->dirs, room, sizeof(*v));

		if (!v)
			return err_sys(e, "unpack %s", name);
		im->dirs = v;
		im->dir_room = room;
	}
	im->dirs[im->dir_count].path = strdup(name);
	if (!im->dirs[im->dir_count].path)
		return err_sys(e, "unpack %s", name);
	memcpy(im->dirs[im->dir_count++].times, times, 2 * sizeof(*times));
	return 0;
}

static void entry_times(struct archive_entry *ae, struct timespec t[2])
{
	t[1] = (struct timespec){archive_entry_mtime(ae), archive_entry_mtime_nsec(ae)};
	t[0] = archive_entry_atime_is_set(ae)
		       ? (struct timespec){archive_entry_atime(ae), archive_entry_atime_nsec(ae)}
		       : t[1];
}

/* Whiteouts and host marks of somebody's overlay have no meaning in a template: of trusted.* nothing is taken. */
static int set_xattrs(struct archive_entry *ae, const char *proc, const char *name, struct err *e)
{
	const char *key;
	const void *value;
	size_t len;

	archive_entry_xattr_reset(ae);
	while (archive_entry_xattr_next(ae, &key, &value, &len) == ARCHIVE_OK) {
		if (!st_xattr_travels(key) || !strncmp(key, "trusted.", 8))
			continue;
		if (setxattr(proc, key, value, len, 0) < 0)
			return err_sys(e, "set xattr %s of /%s", key, name);
	}
	return 0;
}

static int set_attributes(struct archive_entry *ae, int fd, const char *name, struct err *e)
{
	struct timespec times[2];
	char proc[40];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	entry_times(ae, times);
	if (fchownat(fd, "", (uid_t)archive_entry_uid(ae), (gid_t)archive_entry_gid(ae),
		     AT_EMPTY_PATH) < 0)
		return err_sys(e, "set the owner of /%s", name);
	if (archive_entry_filetype(ae) != AE_IFLNK &&
	    chmod(proc, archive_entry_perm(ae) & 07777) < 0)
		return err_sys(e, "set the mode of /%s", name);
	if (set_xattrs(ae, proc, name, e) < 0)
		return -e->no;
	if (utimensat(AT_FDCWD, proc, times, 0) < 0)
		return err_sys(e, "set the times of /%s", name);
	return 0;
}

static int write_block(struct st_entries *im, int fd, const char *name, const void *block,
		       size_t len, off_t at, struct err *e)
{
	const char *p = block;

	im->stats.bytes += len;
	if (im->stats.bytes > im->how.max_bytes) {
		err_set(e, EFBIG, "the %s unpacks to more than %llu bytes", im->what,
			(unsigned long long)im->how.max_bytes);
		return err_class(e, ERR_LIMIT);
	}
	while (len) {
		ssize_t n = pwrite(fd, p, len, at);

		if (n < 0)
			return err_sys(e, "write /%s", name);
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int make_file(struct st_entries *im, struct archive_entry *ae, int parent, const char *leaf,
		     const char *name, struct err *e)
{
	auto_fd int fd =
		openat(parent, leaf, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	const void *block;
	size_t len;
	la_int64_t at;
	int r;

	if (fd < 0)
		return err_sys(e, "create /%s", name);
	while ((r = archive_read_data_block(im->from, &block, &len, &at)) == ARCHIVE_OK)
		if (len && write_block(im, fd, name, block, len, (off_t)at, e) < 0)
			return -e->no;
	if (r != ARCHIVE_EOF) {
		st_entries_failed(im, e);
		return err_wrap(e, "unpack /%s", name);
	}
	if (archive_entry_size_is_set(ae) && ftruncate(fd, (off_t)archive_entry_size(ae)) < 0)
		return err_sys(e, "size /%s", name);
	return set_attributes(ae, fd, name, e);
}

static int make_hard_link(struct st_entries *im, const char *raw, int parent, const char *leaf,
			  const char *name, struct err *e)
{
	struct st_beneath from = {.root = im->where.root, .dir = -EBADF};
	char target[PATH_MAX];
	const char *old;
	int r = clean_name(raw, target, im->what, e);

	if (r >= 0)
		r = st_beneath_parent(&from, target, &old, e);
	if (r >= 0 && linkat(from.dir, old, parent, leaf, 0) < 0)
		r = err_sys(e, "link /%s to /%s", name, target);
	st_beneath_done(&from);
	return r;
}

static int make_directory(struct st_entries *im, struct archive_entry *ae, int parent,
			  const char *leaf, const char *name, struct err *e)
{
	struct timespec times[2];
	auto_fd int fd = -EBADF;

	if (mkdirat(parent, leaf, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make directory /%s", name);
	fd = openat(parent, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "make directory /%s", name);
	entry_times(ae, times);
	if (set_attributes(ae, fd, name, e) < 0)
		return -e->no;
	return note_directory(im, name, times, e);
}

static int make_special(struct st_entries *im, struct archive_entry *ae, int parent,
			const char *leaf, const char *name, struct err *e)
{
	mode_t type = archive_entry_filetype(ae);
	auto_fd int fd = -EBADF;
	int r;

	if ((type == AE_IFCHR || type == AE_IFBLK) && !im->how.keep_devices) {
		im->stats.devices_skipped++;
		return 0;
	}
	if (type == AE_IFLNK)
		r = symlinkat(archive_entry_symlink(ae) ?: "", parent, leaf);
	else if (type == AE_IFCHR || type == AE_IFBLK || type == AE_IFIFO || type == AE_IFSOCK)
		r = mknodat(parent, leaf, type | 0600, archive_entry_rdev(ae));
	else
		return err_set(e, EBADMSG, "/%s is a file of no known type", name);
	if (r < 0)
		return err_sys(e, "make /%s", name);
	fd = openat(parent, leaf, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "open /%s", name) : set_attributes(ae, fd, name, e);
}

/* Honest archives may begin with "usr/bin/x" without "usr": parents are made, never through links. */
static int find_parent(struct st_entries *im, const char *name, const char **leaf, struct err *e)
{
	char part[PATH_MAX];
	struct err first = {0};
	int r = st_beneath_parent(&im->where, name, leaf, &first);

	if (r != -ENOENT) {
		if (r < 0 && !e->no)
			*e = first;
		if (r == -ELOOP)
			err_hint(e, "the %s puts a name behind a symbolic link", im->what);
		return r;
	}
	for (const char *s = strchr(name, '/'); s; s = strchr(s + 1, '/')) {
		memcpy(part, name, (size_t)(s - name));
		part[s - name] = 0;
		r = st_beneath_parent(&im->where, part, leaf, e);
		if (r < 0)
			return r;
		if (mkdirat(im->where.dir, *leaf, 0755) < 0 && errno != EEXIST)
			return err_sys(e, "make directory /%s", part);
	}
	return st_beneath_parent(&im->where, name, leaf, e);
}

int st_entries_unpack(struct st_entries *im, struct archive_entry *ae, const char *raw,
		      struct err *e)
{
	const char *hard = archive_entry_hardlink(ae) ?: archive_entry_hardlink_utf8(ae);
	char name[PATH_MAX];
	const char *leaf;
	struct stat st;
	bool directory = !hard && archive_entry_filetype(ae) == AE_IFDIR;
	int r = clean_name(raw, name, im->what, e);

	if (r < 0)
		return r;
	if (++im->stats.entries > im->how.max_entries) {
		err_set(e, EFBIG, "the %s has more than %llu entries", im->what,
			(unsigned long long)im->how.max_entries);
		return err_class(e, ERR_LIMIT);
	}
	if (!name[0]) {
		struct timespec times[2];

		if (!directory)
			return 0;
		entry_times(ae, times);
		r = set_attributes(ae, im->where.root, name, e);
		return r < 0 ? r : note_directory(im, name, times, e);
	}
	r = find_parent(im, name, &leaf, e);
	if (r < 0)
		return r;
	/* A name that comes again replaces the earlier one, as tar does. */
	if (fstatat(im->where.dir, leaf, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !(directory && S_ISDIR(st.st_mode)) && st_tree_remove(im->where.dir, leaf, e) < 0)
		return -e->no;
	if (hard)
		return make_hard_link(im, hard, im->where.dir, leaf, name, e);
	if (directory)
		return make_directory(im, ae, im->where.dir, leaf, name, e);
	if (archive_entry_filetype(ae) == AE_IFREG)
		return make_file(im, ae, im->where.dir, leaf, name, e);
	return make_special(im, ae, im->where.dir, leaf, name, e);
}

int st_entries_finish(struct st_entries *im, struct err *e)
{
	for (size_t i = im->dir_count; i-- > 0;) {
		const struct st_dir_times *d = &im->dirs[i];
		auto_fd int fd = st_beneath_open(im->where.root, d->path[0] ? d->path : ".",
						 O_RDONLY | O_DIRECTORY, e);

		/* Replaced later by something that is no directory. */
		if (fd == -ENOTDIR || fd == -ELOOP) {
			err_clear(e);
			continue;
		}
		if (fd < 0)
			return fd;
		if (futimens(fd, d->times) < 0)
			return err_sys(e, "set the times of /%s", d->path);
	}
	return 0;
}

void st_entries_done(struct st_entries *im)
{
	st_beneath_done(&im->where);
	own_close_fd(&im->where.root);
	for (size_t i = 0; i < im->dir_count; i++)
		free(im->dirs[i].path);
	free(im->dirs);
	archive_read_free(im->from);
}
