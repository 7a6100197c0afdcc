// SPDX-License-Identifier: GPL-2.0-only
/* Writing a tree with libarchive, entry by entry, from descriptors. */
#include "storage/export.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "storage/inodes.h"
#include "storage/relative_id.h"
#include "storage/template_json.h"
#include "storage/walk.h"

struct export
{
	struct archive *to;
	struct st_inodes links;
	uint8_t buf[128 * 1024];
};

static int archive_failed(struct export *x, const char *path, struct err *e)
{
	const char *said = archive_error_string(x->to);
	int no = archive_errno(x->to);

	return err_set(e, no > 0 ? no : EIO, "write /%s to the archive: %s", path,
		       said ? said : "unknown failure");
}

/* A name that is no UTF-8 is a warning, and it is written as it is. */
static int put_header(struct export *x, struct archive_entry *ae, const char *path, struct err *e)
{
	int r = archive_write_header(x->to, ae);

	return r == ARCHIVE_OK || r == ARCHIVE_WARN ? 0 : archive_failed(x, path, e);
}

static int add_xattrs(struct archive_entry *ae, int fd, const char *path, struct err *e)
{
	char names[8192], value[65536], proc[40];
	ssize_t len;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	len = listxattr(proc, names, sizeof(names));
	if (len < 0)
		return errno == EOPNOTSUPP ? 0 : err_sys(e, "list the xattrs of /%s", path);
	for (char *p = names; p < names + len; p += strlen(p) + 1) {
		ssize_t n;

		/* As the import takes them. */
		if (!st_xattr_travels(p) || !strncmp(p, "trusted.", 8))
			continue;
		n = getxattr(proc, p, value, sizeof(value));
		if (n < 0)
			return err_sys(e, "read xattr %s of /%s", p, path);
		archive_entry_xattr_add_entry(ae, p, value, (size_t)n);
	}
	return 0;
}

/* The stretches that hold data; libarchive wants all of the size to be written, and leaves out what is none of them. */
static int add_sparse(struct archive_entry *ae, int fd, off_t size, const char *path, struct err *e)
{
	off_t hole = lseek(fd, 0, SEEK_HOLE), data;

	if (hole < 0 || hole >= size)
		return size && hole < 0 ? err_sys(e, "find the holes of /%s", path) : 0;
	for (off_t at = 0; at < size; at = hole) {
		data = lseek(fd, at, SEEK_DATA);
		if (data < 0 && errno != ENXIO)
			return err_sys(e, "find the data of /%s", path);
		hole = data < 0 ? size : lseek(fd, data, SEEK_HOLE);
		if (hole < 0)
			return err_sys(e, "find the holes of /%s", path);
		if (data >= 0)
			archive_entry_sparse_add_entry(ae, data, hole - data);
	}
	/* One that is nothing but a hole. */
	if (!archive_entry_sparse_count(ae))
		archive_entry_sparse_add_entry(ae, size, 0);
	return 0;
}

static int put_content(struct export *x, int fd, const char *path, struct err *e)
{
	ssize_t n;

	for (off_t at = 0; (n = pread(fd, x->buf, sizeof(x->buf), at)) > 0; at += n)
		if (archive_write_data(x->to, x->buf, (size_t)n) != n)
			return archive_failed(x, path, e);
	return n < 0 ? err_sys(e, "read /%s", path) : 0;
}

static void describe(struct archive_entry *ae, const struct st_walk_entry *at)
{
	struct stat st = at->st;

	archive_entry_set_pathname(ae, at->path[0] ? at->path : ".");
	archive_entry_copy_stat(ae, &st);
	/* What reading changes, and what another host numbers otherwise, would make another archive of the same template. */
	archive_entry_unset_atime(ae);
	archive_entry_unset_ctime(ae);
	archive_entry_set_dev(ae, 0);
	archive_entry_set_ino(ae, 0);
	archive_entry_set_nlink(ae, 1);
	if (!S_ISREG(st.st_mode))
		archive_entry_set_size(ae, 0);
}

static int export_one(struct export *x, const struct st_walk_entry *at, struct archive_entry *ae,
		      struct err *e)
{
	bool regular = S_ISREG(at->st.st_mode);
	auto_fd int fd = openat(at->parent, at->name,
				(regular ? O_RDONLY : O_PATH) | O_NOFOLLOW | O_CLOEXEC);
	const char *first = NULL;
	char target[PATH_MAX];
	ssize_t n;
	int r;

	if (fd < 0)
		return err_sys(e, "open /%s", at->path);
	if (!S_ISDIR(at->st.st_mode) && at->st.st_nlink > 1 &&
	    st_inodes_note(&x->links, &at->st, at->path, &first) < 0)
		return err_set(e, ENOMEM, "export a tree: out of memory");
	describe(ae, at);
	if (first) {
		archive_entry_set_hardlink(ae, first);
		archive_entry_set_size(ae, 0);
		return put_header(x, ae, at->path, e);
	}
	if (S_ISLNK(at->st.st_mode)) {
		n = readlinkat(fd, "", target, sizeof(target) - 1);
		if (n < 0)
			return err_sys(e, "read link /%s", at->path);
		target[n] = 0;
		archive_entry_set_symlink(ae, target);
	}
	r = add_xattrs(ae, fd, at->path, e);
	if (r >= 0 && regular)
		r = add_sparse(ae, fd, at->st.st_size, at->path, e);
	if (r >= 0)
		r = put_header(x, ae, at->path, e);
	return r >= 0 && regular ? put_content(x, fd, at->path, e) : r;
}

static int visit(const struct st_walk_entry *at, void *arg, struct err *e)
{
	struct archive_entry *ae;
	int r;

	if (at->leaving)
		return 0;
	/* tar has no sockets, and in a template nobody listens on one. */
	if (S_ISSOCK(at->st.st_mode))
		return err_set(e, EOPNOTSUPP, "/%s is a socket, which no archive can hold",
			       at->path);
	ae = archive_entry_new();
	r = ae ? export_one(arg, at, ae, e) : err_set(e, ENOMEM, "export a tree: out of memory");
	archive_entry_free(ae);
	return r;
}

static int put_meta(struct export *x, const struct st_template *t, struct err *e)
{
	auto_json json_t *j = st_template_to_json(t);
	auto_free char *text = j ? json_dumps(j, JSON_INDENT(1)) : NULL;
	struct archive_entry *ae = text ? archive_entry_new() : NULL;
	size_t len = text ? strlen(text) : 0;
	int r;

	if (!ae)
		return err_set(e, ENOMEM, "export a template: out of memory");
	archive_entry_set_pathname(ae, ST_TEMPLATE_ENTRY);
	archive_entry_set_mode(ae, S_IFREG | 0644);
	archive_entry_set_size(ae, (la_int64_t)len);
	r = put_header(x, ae, ST_TEMPLATE_ENTRY, e);
	if (r >= 0 && archive_write_data(x->to, text, len) != (la_ssize_t)len)
		r = archive_failed(x, ST_TEMPLATE_ENTRY, e);
	archive_entry_free(ae);
	return r;
}

static int ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

static int add_filter(struct archive *to, const char *path, struct err *e)
{
	int r = ARCHIVE_OK;

	if (!strcmp(path, "-") || ends_with(path, ".zst"))
		r = archive_write_add_filter_zstd(to);
	else if (ends_with(path, ".gz") || ends_with(path, ".tgz"))
		r = archive_write_add_filter_gzip(to);
	else if (ends_with(path, ".xz"))
		r = archive_write_add_filter_xz(to);
	else if (ends_with(path, ".bz2"))
		r = archive_write_add_filter_bzip2(to);
	else if (!ends_with(path, ".tar")) {
		err_set(e, EINVAL, "%s: its name does not say how to compress it", path);
		err_class(e, ERR_VALUE);
		return err_hint(e, "there are: .tar.zst, .tar.gz, .tar.xz, .tar.bz2, .tar");
	}
	if (r == ARCHIVE_OK || r == ARCHIVE_WARN)
		return 0;
	return err_set(e, EOPNOTSUPP, "%s: %s", path, archive_error_string(to));
}

static int write_all(struct export *x, int root, const struct st_template *t, const char *path,
		     int out, struct err *e)
{
	int r;

	x->to = archive_write_new();
	if (!x->to)
		return err_set(e, ENOMEM, "export a template: out of memory");
	r = add_filter(x->to, path, e);
	if (r < 0)
		return r;
	/* Blocks as they come: the last one is not filled up, and a pipe's reader waits for nothing. */
	if (archive_write_set_format_pax(x->to) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(x->to, 1) != ARCHIVE_OK ||
	    archive_write_open_fd(x->to, out) != ARCHIVE_OK)
		return archive_failed(x, "", e);
	r = put_meta(x, t, e);
	if (r >= 0)
		r = st_walk(root, visit, x, e);
	if (r >= 0 && archive_write_close(x->to) != ARCHIVE_OK)
		r = archive_failed(x, "", e);
	return r;
}

/* In the C locale, which a program has until it asks for another, libarchive has no names for those in UTF-8. */
static int write_in_utf8(int root, const struct st_template *t, const char *path, int out,
			 struct err *e)
{
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before = (locale_t)0;
	struct export *x = calloc(1, sizeof(*x));
	int r;

	if (utf8)
		before = uselocale(utf8);
	r = x ? write_all(x, root, t, path, out, e)
	      : err_set(e, ENOMEM, "export a template: out of memory");
	if (x) {
		archive_write_free(x->to);
		st_inodes_done(&x->links);
		free(x);
	}
	if (utf8) {
		uselocale(before);
		freelocale(utf8);
	}
	return r;
}

/* One that is removed meanwhile is renamed first: what is still there under its name was whole. */
static int check_still_there(int templates, const char *name, int root, struct err *e)
{
	auto_fd int again = st_template_open(templates, name, NULL, e);
	struct stat was, is;

	if (again < 0)
		return again;
	if (fstat(root, &was) < 0 || fstat(again, &is) < 0)
		return err_sys(e, "look at template '%s'", name);
	return was.st_ino == is.st_ino && was.st_dev == is.st_dev
		       ? 0
		       : err_set(e, ESTALE, "template '%s' was removed meanwhile", name);
}

static int export_to(int templates, const char *name, int root, const struct st_template *t,
		     const char *path, int out, struct err *e)
{
	int r = write_in_utf8(root, t, path, out, e);

	return r < 0 ? r : check_still_there(templates, name, root, e);
}

int st_export_template(int templates, const char *name, const char *path, struct err *e)
{
	struct st_template t;
	auto_fd int root = st_template_open(templates, name, &t, e);
	auto_fd int out = -EBADF;
	int r;

	if (root < 0)
		return root;
	if (!strcmp(path, "-"))
		return export_to(templates, name, root, &t, path, STDOUT_FILENO, e);
	out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (out < 0 && errno == EEXIST) {
		err_set(e, EEXIST, "%s is there already", path);
		return err_class(e, ERR_EXISTS);
	}
	if (out < 0)
		return err_sys(e, "create %s", path);
	r = export_to(templates, name, root, &t, path, out, e);
	if (r >= 0 && fsync(out) < 0)
		r = err_sys(e, "flush %s", path);
	if (r < 0)
		unlink(path);
	return r < 0 ? err_wrap(e, "export template '%s'", name) : 0;
}
