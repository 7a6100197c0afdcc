/* SPDX-License-Identifier: GPL-2.0-only */
/* Names below a directory that go through no link at all: for what archives and streams say. */
#pragma once

/*
 * Stricter than base/path.h, which follows links inside the root: here a link on the way is an error (-ELOOP), since neither an honest
 * archive nor an honest stream puts a name behind one.
 */

struct err;

/* Remembers the last parent, since neighbours come together. Initialise with {.root = fd, .dir = -EBADF}. */
struct st_beneath {
	int root;
	int dir;	 /* the parent found last, or -EBADF */
	char path[4096]; /* its path */
};

/* Opens the parent of path into w->dir; *name points at the last component in path. "..", absolute and empty names are -EINVAL. */
int st_beneath_parent(struct st_beneath *w, const char *path, const char **name, struct err *e);

/* Opens path itself. */
int st_beneath_open(int root, const char *path, int flags, struct err *e);

/* Forgets the remembered parent. */
void st_beneath_done(struct st_beneath *w);
