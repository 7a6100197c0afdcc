// SPDX-License-Identifier: GPL-2.0-only
/* Resolution inside a root, with openat2(2). */
#include "base/path.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/sys.h"

static int open_in(int root, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	/* EAGAIN: a rename elsewhere raced with "..", and the kernel could not prove that we stayed inside
	 * (openat2(2), ERRORS). It asks to be tried again; an attacker must not turn that into a hang. */
	for (int tries = 0; tries < 128; tries++) {
		fd = sys_openat2(root, path, &how);
		if (fd >= 0 || errno != EAGAIN)
			return fd;
	}
	return fd;
}

int path_open_in(int root, const char *path, int flags, mode_t mode, struct err *e)
{
	int fd = open_in(root, path, flags, mode);

	return fd >= 0 ? fd : err_sys(e, "open %s in the root file system", path);
}

int path_try_open_in(int root, const char *path, int flags, struct err *e)
{
	int fd = open_in(root, path, flags, 0);

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	return fd >= 0 ? fd : err_sys(e, "open %s in the root file system", path);
}

/* The directory that the first len bytes of path are. */
static int open_directory(int root, const char *path, size_t len)
{
	char part[PATH_MAX];

	memcpy(part, path, len);
	part[len] = 0;
	return open_in(root, len ? part : ".", O_PATH | O_DIRECTORY, 0);
}

/* What the length of path's first len bytes is without their last name. */
static size_t parent_length(const char *path, size_t len)
{
	while (len && path[len - 1] == '/')
		len--;
	while (len && path[len - 1] != '/')
		len--;
	return len;
}

/*
 * From the end to the first parent that is there: most are, or lack one name. Then parent by parent: the next is made in it by name, and opened inside the root. A component that is a link is followed
 * inside the root; a dangling one is an error, never a reason to create something outside.
 */
int path_mkdirs_in(int root, const char *path, mode_t mode, struct err *e)
{
	size_t whole = strlen(path), there = whole, next = whole;
	auto_fd int dir = -EBADF;
	int why = 0;

	if (whole >= PATH_MAX)
		return err_set(e, ENAMETOOLONG, "path too long: %.64s...", path);
	while ((dir = open_directory(root, path, there)) < 0) {
		if (!there)
			return err_sys(e, "open the root file system");
		why = errno;
		next = there;
		there = parent_length(path, there);
	}
	if (why && why != ENOENT)
		return err_set(e, why, "open directory %.*s in the root file system: %s", (int)next,
			       path, strerror(why));
	while (path[there]) {
		char name[NAME_MAX + 1];
		size_t n;
		int below;

		there += strspn(path + there, "/");
		n = strcspn(path + there, "/");
		if (n > NAME_MAX)
			return err_set(e, ENAMETOOLONG, "name too long in %s", path);
		if (!n)
			break;
		memcpy(name, path + there, n);
		name[n] = 0;
		there += n;
		if (mkdirat(dir, name, mode) < 0 && errno != EEXIST)
			return err_sys(e, "make directory %.*s in the root file system", (int)there,
				       path);
		below = open_directory(root, path, there);
		if (below < 0)
			return err_sys(e, "open directory %.*s in the root file system", (int)there,
				       path);
		own_close_fd(&dir);
		dir = below;
	}
	return take_fd(&dir);
}

/* Splits path into an opened parent (made if missing) and the last name. */
static int open_parent_in(int root, const char *path, const char **name, struct err *e)
{
	char parent[PATH_MAX];
	size_t n = strlen(path);
	const char *slash;

	if (n >= sizeof(parent) || n == 0 || path[n - 1] == '/')
		return err_set(e, EINVAL, "not a file name: %s", path);
	slash = strrchr(path, '/');
	*name = slash ? slash + 1 : path;
	if (!strcmp(*name, "..") || !strcmp(*name, "."))
		return err_set(e, EINVAL, "not a file name: %s", path);
	n = slash ? (size_t)(slash - path) : 0;
	memcpy(parent, path, n);
	parent[n] = 0;
	return path_mkdirs_in(root, parent, 0755, e);
}

static int make_mount_point(int root, const char *path, bool directory, struct err *e)
{
	const char *name;
	int fd;

	if (directory)
		return path_mkdirs_in(root, path, 0755, e);
	fd = open_in(root, path, O_PATH, 0);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT) {
		auto_fd int dir = open_parent_in(root, path, &name, e);
		auto_fd int made = -EBADF;

		if (dir < 0)
			return dir;
		/* O_NOFOLLOW and O_EXCL: nothing is made behind a dangling link at the name. */
		made = openat(dir, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC,
			      0644);
		if (made < 0 && errno != EEXIST)
			return err_sys(e, "make mount point %s", path);
		fd = open_in(root, path, O_PATH, 0);
		if (fd >= 0)
			return fd;
	}
	return err_sys(e, "open mount point %s", path);
}

/*
 * The first link on the way of path that leads nowhere is replaced by its text: the same place, by a path on which each name can be made. Only text comes out of this: whoever opens it does so inside
 * the root again. false: there is none, or no room.
 */
static bool name_of_dangling(int root, const char *path, char out[PATH_MAX])
{
	for (size_t len = 0, parent = 0; path[len]; parent = len) {
		char done[PATH_MAX], text[PATH_MAX];
		auto_fd int whole = -EBADF;
		auto_fd int link = -EBADF;
		ssize_t n;

		len += strspn(path + len, "/");
		len += strcspn(path + len, "/");
		if (len >= sizeof(done))
			return false;
		memcpy(done, path, len);
		done[len] = 0;
		whole = open_in(root, done, O_PATH, 0);
		if (whole >= 0)
			continue;
		link = errno == ENOENT ? open_in(root, done, O_PATH | O_NOFOLLOW, 0) : -EBADF;
		n = link < 0 ? -1 : readlinkat(link, "", text, sizeof(text) - 1);
		if (n <= 0)
			return false;
		text[n] = 0;
		done[text[0] == '/' ? 0 : parent] = 0;
		return snprintf(out, PATH_MAX, "%s/%s%s", done, text, path + len) < PATH_MAX;
	}
	return false;
}

int path_mount_point_in(int root, const char *path, bool directory, struct err *e)
{
	char next[2][PATH_MAX];

	/* As many links as the kernel follows (path_resolution(7)). */
	for (int links = 0;; links++) {
		int fd = make_mount_point(root, path, directory, e);

		if (fd >= 0 || e->no != ENOENT || links == 40 ||
		    !name_of_dangling(root, path, next[links % 2]))
			return fd;
		path = next[links % 2];
		err_clear(e);
	}
}

int path_write_in(int root, const char *path, const char *text, mode_t mode, struct err *e)
{
	const char *name;
	size_t len = strlen(text);
	auto_fd int dir = -EBADF;
	auto_fd int fd = -EBADF;

	dir = open_parent_in(root, path, &name, e);
	if (dir < 0)
		return dir;
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return err_sys(e, "replace %s in the root file system", path);
	fd = openat(dir, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, mode);
	if (fd < 0)
		return err_sys(e, "create %s in the root file system", path);
	if (write(fd, text, len) != (ssize_t)len)
		return err_sys(e, "write %s in the root file system", path);
	return 0;
}

bool path_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > 64 || !isalnum((unsigned char)name[0]))
		return false;
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_.+-", *p))
			return false;
	return true;
}

int path_name_check(const char *what, const char *name, struct err *e)
{
	if (path_name_ok(name))
		return 0;
	err_set(e, EINVAL, "bad %s name '%.80s'", what, name);
	err_class(e, ERR_VALUE);
	return err_hint(
		e, "a name is 1 to 64 letters, digits, _ . + -, and starts with a letter or digit");
}
