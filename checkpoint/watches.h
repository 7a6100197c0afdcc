/* SPDX-License-Identifier: GPL-2.0-only */
/* Which files of the root file system are watched by inotify or fanotify: criu wants to be told where to look for them. */
#pragma once

/*
 * A watch has no path, only an inode number and a handle. criu opens the handle; an overlay without nfs_export gives handles that nobody can open, and then criu
 * looks below a few directories that it knows and below those it is given (--irmap-scan-path). So the paths are looked up here, before anything is frozen.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cg;
struct err;

/* At most so many paths are given; when there are more, the top directories that they are in. */
#define CR_WATCHES_MOST 24

/* At most so many files are looked for. */
#define CR_WATCHES_INODES 4096

/* Calls found for each path ("/etc/dbus-1"). What is watched and has no path any more is left out: criu will say so. Costs nothing when nothing is watched. */
int cr_watches_find(const struct cg *cg, pid_t init, void (*found)(const char *path, void *arg),
		    void *arg, struct err *e);

/*
 * Looks for files of the root file system (directory fd) by their inode numbers, and leaves those that no name was found for in inodes[0..returned). Walks over
 * all names, if need be.
 */
size_t cr_watches_lost(int root, uint64_t *inodes, size_t count);
