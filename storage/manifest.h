/* SPDX-License-Identifier: GPL-2.0-only */
/* What the receiver of a tree has: so that the next pass sends only what changed since. */
#pragma once

/*
 * Life: empty before the first pass; each pass compares the tree with it and brings it up to date. In memory only.
 *
 * A name is taken as unchanged by its inode, size, mode, owner and ctime, which nobody can set. That is right because
 * - a ctime counts only once it is old enough when it is looked at: a change in the same clock tick does not move it, and neither does the end of a write
 *   whose beginning did (see stream_file.c);
 * - the clock may be set back: what was changed within that time is not trusted;
 * - a store into a mapped page moves it at the page's first fault after it was written back, which each pass does; tmpfs has no such thing, so
 *   that its files are always compared by content;
 * - a directory's ctime moves when a name in it comes, goes or is another file's: if it is the same, its names are the same.
 * What cannot be told this way is compared by content (blocks.h), and sent only if it differs.
 *
 * Why every name is looked at, and nothing more clever: fanotify refuses marks on a whole overlay that has no nfs_export (EOPNOTSUPP, fs/notify/fanotify/fanotify_user.c,
 * fanotify_test_fid), and on the layer below it overlayfs' own writes are not notified (FMODE_NONOTIFY, fs/overlayfs/file.c).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "storage/blocks.h"

struct err;
struct st_manifest;

enum st_noted_state {
	ST_NOTED_NEW, /* the receiver has nothing there, or not this */
	ST_NOTED_SAME,
	ST_NOTED_CHANGED, /* the receiver has an older one */
};

/* One name of the tree. */
struct st_noted {
	struct st_noted *up;	/* the directory; NULL: the tree itself */
	struct st_noted **kids; /* of a directory, sorted by name */
	struct st_block *
		blocks; /* of a regular file that was sent with its content, st_blocks_count(size) of them; or NULL */
	size_t n_kids;
	uint64_t ino, size, rdev;
	int64_t ctime_ns;
	int64_t age_ns; /* of the ctime when it was looked at; see st_manifest_begin */
	uint32_t mode, uid, gid, nlink;
	uint8_t state; /* enum st_noted_state */
	bool alias;    /* sent as another name of an inode whose content was sent before */
	bool below;    /* something in this directory, at any depth, is not SAME */
	char name[];
};

/* overlayfs' mark that a name is gone. It makes all of them names of one inode, so that each new one moves the ctime of all: they are told by what they are. */
static inline bool st_is_whiteout(uint32_t mode, uint64_t rdev)
{
	return S_ISCHR(mode) && rdev == 0;
}

/* NULL: out of memory. */
struct st_manifest *st_manifest_new(void);
void st_manifest_free(struct st_manifest *m);
/* Names, the tree itself included. */
size_t st_manifest_count(const struct st_manifest *m);

/* The tree itself; its state is NEW before the first pass. */
struct st_noted *st_manifest_root(struct st_manifest *m);
const struct st_block_key *st_manifest_key(const struct st_manifest *m);

/* Before each pass: the clock, and the file system of dir, are looked at. */
int st_manifest_begin(struct st_manifest *m, int dir, struct err *e);

/*
 * Looks at every name, with several threads, and sets state and below. live: the tree is in use. In a directory that has changed itself names may be missing or too many: the
 * caller reads it. All names of one inode are SAME or none is.
 */
int st_manifest_look(struct st_manifest *m, int dir, bool live, struct err *e);

/* A new name that is in no directory's kids yet; NULL: out of memory. */
struct st_noted *st_noted_new(struct st_manifest *m, struct st_noted *up, const char *name);
/* Frees it and all below it. */
void st_noted_free(struct st_manifest *m, struct st_noted *n);
/* It was sent as st. now: the clock before the stat. */
void st_noted_set(struct st_manifest *m, struct st_noted *n, const struct stat *st,
		  const struct timespec *now);
/* It vanished before it could be sent. */
void st_noted_lose(struct st_noted *n);
/* Gives it room for the sums of size bytes, all UNKNOWN; NULL if they would take too much memory: then there are none. */
struct st_block *st_noted_blocks(struct st_manifest *m, struct st_noted *n, uint64_t size);
void st_noted_blocks_drop(struct st_manifest *m, struct st_noted *n);
/* n->blocks is the caller's from here on, and n has none. */
void st_noted_blocks_lend(struct st_manifest *m, struct st_noted *n);

#define auto_manifest __attribute__((cleanup(st_manifest_drop)))
static inline void st_manifest_drop(struct st_manifest **m)
{
	st_manifest_free(*m);
	*m = NULL;
}
