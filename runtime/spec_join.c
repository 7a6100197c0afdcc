// SPDX-License-Identifier: GPL-2.0-only
/* Namespaces that are given by their paths, and the id maps of one. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "runtime/spec_read.h"

/* O_NONBLOCK: a FIFO of that name would be waited for, until somebody writes to it (fifo(7)); setns(2) says what it is instead. */
int ct_namespace_open(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "open namespace %s", path) : fd;
}

/* What Podman adds for runc's sake when it joins (libpod, addUserNS). */
static bool is_dummy(const struct ns_idmap *map, size_t n)
{
	return n == 0 || (n == 1 && !map->inside && !map->outside && map->count == 1);
}

/* real is taken. */
static int replace(struct ns_idmap **map, size_t *n, struct ns_idmap *real, size_t n_real,
		   const char *path, struct err *e)
{
	if (!is_dummy(*map, *n) &&
	    (*n != n_real || memcmp(*map, real, n_real * sizeof(*real)) != 0)) {
		free(real);
		return ct_refuse(e, path, "is not the map of the user namespace that is joined");
	}
	free(*map);
	*map = real;
	*n = n_real;
	return 0;
}

int ct_spec_join_maps(struct ct_spec *spec, struct err *e)
{
	const char *path = spec->join[CT_NS_USER];
	struct ns_idmap *uids = NULL, *gids = NULL;
	auto_fd int fd = -EBADF;
	size_t n_uids, n_gids;

	if (!path)
		return 0;
	fd = ct_namespace_open(path, e);
	if (fd < 0)
		return fd;
	if (ns_idmap_read(fd, &uids, &n_uids, &gids, &n_gids, e) < 0) {
		if (e->no == EINVAL)
			err_hint(e, "is it a user namespace?");
		return err_wrap(e, "join user namespace %s", path);
	}
	if (replace(&spec->uids, &spec->n_uids, uids, n_uids, "linux.uidMappings", e) < 0) {
		free(gids);
		return -e->no;
	}
	if (replace(&spec->gids, &spec->n_gids, gids, n_gids, "linux.gidMappings", e) < 0)
		return -e->no;
	return ct_judge_ids(spec, e);
}
