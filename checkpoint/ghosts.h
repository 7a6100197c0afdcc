/* SPDX-License-Identifier: GPL-2.0-only */
/* A correction of criu's images: a deleted file whose path another file has by now gives way to it. */
#pragma once

/*
 * criu restores a deleted file under its old path, opens it there and unlinks it (open_path() in criu/files-reg.c). Where something has that path (a package was upgraded under a running program) it
 * takes PATH.cr_link instead: it writes that name into the file's description, and puts the old one back when it has given up the lock. But descriptions are in memory that all restored tasks share
 * (COLLECT_SHARED): the next task that opens the same deleted file, as each that maps it does, may have the old path back between its link(2) and its unlink(2), and then it unlinks the new file.
 * Seen in one of ten suspends with a shell that had been upgraded: after the restore there was no shell any more.
 *
 * So such a file has PATH.cr_link in the images already, as its path: nothing has that name, and criu changes no description.
 */

#include <stdbool.h>

struct cg;
struct err;

/* Whether a file has that path (absolute) where the tasks are. */
typedef bool cr_ghost_taken(const char *path, void *arg);

/* Rewrites files.img where remap-fpath.img has a deleted file whose path is taken. Returns how many. Neither image is success; nonsense is -EPROTO. */
int cr_ghosts_rename(int images, cr_ghost_taken *taken, void *arg, struct err *e);

/* The same for the stopped tasks of a group: taken in the root of any of them. */
int cr_ghosts_give_way(int images, const struct cg *cg, struct err *e);
