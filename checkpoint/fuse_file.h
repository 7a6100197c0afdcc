/* SPDX-License-Identifier: GPL-2.0-only */
/* A file whose ioctls are answered by us, to be laid over another one: a FUSE file system that is nothing but its root, a regular file. */
#pragma once

/*
 * Life: cr_fuse_open(); cr_fuse_mount() in the mount namespace where it is to be seen; cr_fuse_serve() whenever the descriptor is readable; closing the
 * descriptor ends the file: who uses it then gets ENOTCONN, and nobody waits for us for ever. It needs no fusermount and no library, only /dev/fuse; the protocol is that of
 * linux/fuse.h, of which a file that is opened, asked and closed needs little.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct cr_fuse_file {
	/* Both in the kernel's way: what the call is to return, or -errno. client: who asks, as we see it. */
	int (*ioctl)(pid_t client, uint32_t cmd, void *data, size_t len, void *arg);
	ssize_t (*read)(void *data, size_t len, uint64_t offset, void *arg);
	void *arg;
};

/* Returns the descriptor. Without /dev/fuse an error, class UNSUPPORTED. */
int cr_fuse_open(struct err *e);

/* Over the regular file `path`. Answers nothing yet: the one that serves does, which may be another process. */
int cr_fuse_mount(int fd, const char *path, struct err *e);

/* One question. 0; -ENODEV with e untouched: it is not mounted, or not any more. */
int cr_fuse_serve(int fd, const struct cr_fuse_file *file, struct err *e);
