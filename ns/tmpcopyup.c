// SPDX-License-Identifier: GPL-2.0-only
/* A small tree copy by descriptors. */
#include "ns/tmpcopyup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/path.h"

#define LEVELS_MOST 64

static int copy_file(int from, int to, const char *name, const struct stat *st, struct err *e)
{
	auto_fd int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	auto_fd int out = -EBADF;
	char buf[16384];
	ssize_t n;

	if (in < 0)
		return err_sys(e, "open %s", name);
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return err_sys(e, "create %s", name);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			return err_sys(e, "write %s", name);
	if (n < 0)
		return err_sys(e, "read %s", name);
	if (fchown(out, st->st_uid, st->st_gid) < 0 || fchmod(out, st->st_mode & 07777) < 0)
		return err_sys(e, "set owner and mode of %s", name);
	return 0;
}

static int copy_link(int from, int to, const char *name, const struct stat *st, struct err *e)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(from, name, text, sizeof(text) - 1);

	if (n < 0)
		return err_sys(e, "read link %s", name);
	text[n] = 0;
	if (symlinkat(text, to, name) < 0 ||
	    fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "make link %s", name);
	return 0;
}

static int copy_dir(int from, int to, dev_t dev, int levels, struct err *e);

static int copy_subdir(int from, int to, const char *name, const struct stat *st, int levels,
		       struct err *e)
{
	auto_fd int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd int out = -EBADF;
	int r;

	if (in < 0)
		return err_sys(e, "open %s", name);
	if (mkdirat(to, name, 0700) < 0)
		return err_sys(e, "make directory %s", name);
	out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0)
		return err_sys(e, "open %s", name);
	r = copy_dir(in, out, st->st_dev, levels - 1, e);
	if (r < 0)
		return r;
	if (fchown(out, st->st_uid, st->st_gid) < 0 || fchmod(out, st->st_mode & 07777) < 0)
		return err_sys(e, "set owner and mode of %s", name);
	return 0;
}

static int copy_dir(int from, int to, dev_t dev, int levels, struct err *e)
{
	int list = dup(from);
	auto_dir DIR *dir = list < 0 ? NULL : fdopendir(list);
	struct dirent *d;
	int r = 0;

	if (!dir) {
		r = err_sys(e, "list a directory");
		own_close_fd(&list);
		return r;
	}
	if (levels <= 0)
		return err_set(e, ELOOP, "more than %d levels", LEVELS_MOST);
	while (r >= 0 && (errno = 0, d = readdir(dir))) {
		struct stat st;

		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		if (fstatat(from, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(e, "stat %s", d->d_name);
		if (st.st_dev != dev)
			continue;
		if (S_ISDIR(st.st_mode))
			r = copy_subdir(from, to, d->d_name, &st, levels, e);
		else if (S_ISREG(st.st_mode))
			r = copy_file(from, to, d->d_name, &st, e);
		else if (S_ISLNK(st.st_mode))
			r = copy_link(from, to, d->d_name, &st, e);
	}
	return r >= 0 && errno ? err_sys(e, "list a directory") : r;
}

int ns_tmpcopyup(int root, const char *target, int tmpfs_fd, struct err *e)
{
	auto_fd int from = path_open_in(root, target, O_RDONLY | O_DIRECTORY, 0, e);
	struct stat st;
	int r;

	if (from < 0)
		return from;
	if (fstat(from, &st) < 0)
		return err_sys(e, "stat %s", target);
	r = copy_dir(from, tmpfs_fd, st.st_dev, LEVELS_MOST, e);
	return r < 0 ? err_wrap(e, "copy %s into its tmpfs", target) : 0;
}
