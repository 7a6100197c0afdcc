/* SPDX-License-Identifier: GPL-2.0-only */
/* A directory of images for one test: set_up(), tear_down(), and what writes them. */
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"

struct lab {
	char dir[64];
	int fd;
};

static int set_up(void **state)
{
	struct lab *l = calloc(1, sizeof(*l));
	const char *tmp = getenv("TMPDIR");

	snprintf(l->dir, sizeof(l->dir), "%.40s/skep-image-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(l->dir))
		return -1;
	l->fd = open(l->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = l;
	return 0;
}

static int tear_down(void **state)
{
	struct lab *l = *state;
	struct err e = {0};

	close(l->fd);
	file_remove_tree_at(AT_FDCWD, l->dir, &e);
	free(l);
	return 0;
}
