// SPDX-License-Identifier: GPL-2.0-only
/* The id maps of a user namespace that is given by its path. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "runtime/spec_read.h"

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
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open namespace %s", path);
	if (ns_idmap_read(fd, &uids, &n_uids, &gids, &n_gids, e) < 0)
		return err_wrap(e, "join user namespace %s", path);
	if (replace(&spec->uids, &spec->n_uids, uids, n_uids, "linux.uidMappings", e) < 0) {
		free(gids);
		return -e->no;
	}
	if (replace(&spec->gids, &spec->n_gids, gids, n_gids, "linux.gidMappings", e) < 0)
		return -e->no;
	return ct_judge_ids(spec, e);
}
