/* SPDX-License-Identifier: GPL-2.0-only */
/* Whole directory trees: removed, measured, digested. */
#pragma once

#include <stdint.h>

struct err;

struct st_tree_size {
	uint64_t bytes;	 /* on disk: blocks, each hard-linked inode once */
	uint64_t inodes; /* names are not counted twice for a hard-linked file */
};

/*
 * Removes dir/name, a file or a tree of any depth, never following a link and never leaving the file system it starts on: what
 * is mounted below makes it -EBUSY. Gone already is success.
 */
int st_tree_remove(int dir, const char *name, struct err *e);

/* Measures the tree at dir. Files that vanish meanwhile are left out. */
int st_tree_measure(int dir, struct st_tree_size *size, struct err *e);

/* "sha256:" and 64 hex digits */
#define ST_DIGEST_SIZE 72

/*
 * A digest of what a tree holds: names, types, modes, owners, link targets, device numbers, xattrs and contents; not the times. Two hosts whose
 * templates have the same digest can share an upper layer between them.
 */
int st_tree_digest(int dir, char digest[ST_DIGEST_SIZE], struct err *e);
