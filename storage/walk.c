// SPDX-License-Identifier: GPL-2.0-only
/* The walk: one descriptor a level, names of a directory read and sorted before they are visited. */
#include "storage/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "storage/names.h"

struct walk {
	st_walk_visit visit;
	void *arg;
	dev_t dev;
	char path[PATH_MAX];
};

static int walk_directory(struct walk *w, struct st_walk_entry *at, size_t len, struct err *e);

static int walk_name(struct walk *w, int parent, const char *name, size_t len, struct err *e)
{
	size_t n = strlen(name);
	struct st_walk_entry at = {.parent = parent, .fd = -1, .name = name, .path = w->path};
	auto_fd int fd = -EBADF;

	if (len + 1 + n >= sizeof(w->path))
		return err_set(e, ENAMETOOLONG, "nested too deep: /%.200s...", w->path);
	if (len)
		w->path[len++] = '/';
	memcpy(w->path + len, name, n + 1);
	if (fstatat(parent, name, &at.st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "look at /%s", w->path);
	if (at.st.st_dev != w->dev)
		return 0;
	if (!S_ISDIR(at.st.st_mode))
		return w->visit(&at, w->arg, e);
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* ENOTDIR, ELOOP: it was replaced between the two calls; its new self is what a later pass finds. */
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0;
	if (fd < 0 || fstat(fd, &at.st) < 0)
		return err_sys(e, "open directory /%s", w->path);
	if (at.st.st_dev != w->dev)
		return 0;
	at.fd = fd;
	return walk_directory(w, &at, len + n, e);
}

static int walk_directory(struct walk *w, struct st_walk_entry *at, size_t len, struct err *e)
{
	auto_names struct st_names l = {0};
	int r = w->visit(at, w->arg, e);

	if (r >= 0)
		r = st_names_read(&l, at->fd, w->path, e);
	for (size_t i = 0; r >= 0 && i < l.n; i++) {
		r = walk_name(w, at->fd, l.v[i], len, e);
		w->path[len] = 0;
	}
	if (r < 0)
		return r;
	at->leaving = true;
	return w->visit(at, w->arg, e);
}

int st_walk(int dir, st_walk_visit visit, void *arg, struct err *e)
{
	auto_free struct walk *w = calloc(1, sizeof(*w));
	auto_fd int top = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct st_walk_entry at = {.parent = top, .fd = top, .name = "."};

	if (!w || top < 0 || fstat(top, &at.st) < 0)
		return err_sys(e, "open the tree");
	w->visit = visit;
	w->arg = arg;
	w->dev = at.st.st_dev;
	at.path = w->path;
	return walk_directory(w, &at, 0, e);
}
