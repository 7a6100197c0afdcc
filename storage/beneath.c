// SPDX-License-Identifier: GPL-2.0-only
/* openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS. */
#include "storage/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "base/sys.h"

static bool plain(const char *path)
{
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += n;
		if (*p == '/' && !*++p)
			return false;
	}
	return path[0] != 0;
}

int st_beneath_open(int root, const char *path, int flags, struct err *e)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	int fd;

	for (int tries = 0; tries < 128; tries++) {
		fd = sys_openat2(root, path, &how);
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd >= 0 ? fd : err_sys(e, "open /%s", path);
}

int st_beneath_parent(struct st_beneath *w, const char *path, const char **name, struct err *e)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;
	int fd;

	if (!plain(path) || n >= sizeof(w->path))
		return err_set(e, EINVAL, "not a name inside the tree: %.200s", path);
	*name = slash ? slash + 1 : path;
	if (w->dir >= 0 && strlen(w->path) == n && !memcmp(w->path, path, n))
		return 0;
	st_beneath_done(w);
	memcpy(w->path, path, n);
	w->path[n] = 0;
	fd = st_beneath_open(w->root, n ? w->path : ".", O_RDONLY | O_DIRECTORY, e);
	if (fd < 0)
		return fd;
	w->dir = fd;
	return 0;
}

void st_beneath_done(struct st_beneath *w)
{
	own_close_fd(&w->dir);
	w->path[0] = 0;
}
