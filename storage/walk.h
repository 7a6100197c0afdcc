/* SPDX-License-Identifier: GPL-2.0-only */
/* Visiting every name of a tree in sorted order, by descriptors, while others may change it. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

struct err;

struct st_walk_entry {
	int parent;	  /* directory that holds name; the tree itself for the root */
	int fd;		  /* of the directory, if it is one; else -1 */
	const char *name; /* "." for the root */
	const char *path; /* relative to the root, whose own is "" */
	struct stat st;
	bool leaving; /* a directory, after all that is in it */
};

/* Returns 0 to go on, -errno with e filled to end the walk. */
typedef int (*st_walk_visit)(const struct st_walk_entry *at, void *arg, struct err *e);

/*
 * Visits dir and all below it, each directory twice (before and after its content); never follows a link, and leaves out what is
 * mounted below. What vanishes between being listed and being looked at is left out.
 */
int st_walk(int dir, st_walk_visit visit, void *arg, struct err *e);
