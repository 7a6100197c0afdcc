/* SPDX-License-Identifier: GPL-2.0-only */
/* A container's own writable layer, opened for a migration: a directory, or in a disk image, whether it runs or not. */
#pragma once

#include "runtime/system.h"

struct err;

/*
 * Life: opened for as long as the tree is sent or received, and closed before the container is started, since that mounts the image itself. On a
 * running container's image it is one more mount of the same file system, read-only: the kernel keeps one superblock a device.
 */
struct cr_upper {
	int mount; /* of the disk image */
	int dir;   /* upper/ */
};
#define CR_UPPER_INIT                          \
	{                                      \
		.mount = -EBADF, .dir = -EBADF \
	}
#define auto_upper __attribute__((cleanup(cr_upper_close)))

/* running: the source's, while it runs or its tasks are stopped. */
int cr_upper_open(const struct ct_system *s, bool running, struct cr_upper *u, struct err *e);
void cr_upper_close(struct cr_upper *u);
