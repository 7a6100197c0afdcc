/* SPDX-License-Identifier: GPL-2.0-only */
/* The hard-linked inodes met so far, and the first name of each. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct st_inode {
	dev_t dev;
	ino_t ino;
	char *path;
};

/* Open addressing; zeroed is empty. Freed by st_inodes_done. */
struct st_inodes {
	struct st_inode *slots;
	size_t count, room; /* room is a power of two */
};

/*
 * Looks for st's inode, and notes it under path if it is new. *first is then NULL, else the path that it was noted under.
 * Returns 0 or -ENOMEM.
 */
int st_inodes_note(struct st_inodes *s, const struct stat *st, const char *path,
		   const char **first);
void st_inodes_done(struct st_inodes *s);
