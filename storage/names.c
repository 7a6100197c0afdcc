// SPDX-License-Identifier: GPL-2.0-only
/* Listing a directory. */
#include "storage/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"

void st_names_done(struct st_names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct st_names){0};
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int st_names_read(struct st_names *l, int dir, const char *path, struct err *e)
{
	auto_fd int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = again >= 0 ? fdopendir(again) : NULL;
	struct dirent *de;

	if (!d)
		return err_sys(e, "list directory /%s", path);
	take_fd(&again);
	while ((errno = 0, de = readdir(d))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		if (l->n == l->room) {
			size_t room = l->room ? 2 * l->room : 32;
			char **v = reallocarray(l->v, room, sizeof(*v));

			if (!v)
				return err_sys(e, "list directory /%s", path);
			l->v = v;
			l->room = room;
		}
		l->v[l->n] = strdup(de->d_name);
		if (!l->v[l->n])
			return err_sys(e, "list directory /%s", path);
		l->n++;
	}
	if (errno)
		return err_sys(e, "list directory /%s", path);
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_name);
	return 0;
}
