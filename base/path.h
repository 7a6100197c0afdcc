/* SPDX-License-Identifier: GPL-2.0-only */
/* Opening and making names below a directory whose content is hostile: the only way into a root file system. */
#pragma once

/*
 * Rule of the house: no string is ever joined to the path of a root file system. Every name that a container can
 * influence is resolved here, by openat2(2) with RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS, so that a symbolic
 * link or ".." ends inside `root`, whoever moves things about meanwhile.
 */

#include <stdbool.h>
#include <sys/types.h>

struct err;

/* Opens path below root. flags as open(2) (O_CLOEXEC is added); mode with O_CREAT only. Returns the fd. */
int path_open_in(int root, const char *path, int flags, mode_t mode, struct err *e);

/* As path_open_in, for a name that may be missing: returns -ENOENT with e untouched. */
int path_try_open_in(int root, const char *path, int flags, struct err *e);

/* Makes the directory path below root with all its parents; returns an O_PATH fd of it. Existing ones keep their mode. */
int path_mkdirs_in(int root, const char *path, mode_t mode, struct err *e);

/*
 * Makes sure that something to mount on exists at path: a directory or an empty file. What a link on the way names and is not there is made, too, inside the root (images have /etc/resolv.conf as such a
 * link). Returns its O_PATH fd.
 */
int path_mount_point_in(int root, const char *path, bool directory, struct err *e);

/* Writes a small file below root, replacing what was there (never through a link: O_NOFOLLOW, fresh inode). */
int path_write_in(int root, const char *path, const char *text, mode_t mode, struct err *e);

/* Whether name can name a container, a template or a snapshot: [A-Za-z0-9][A-Za-z0-9_.+-]{0,63}. */
bool path_name_ok(const char *name);

/* As path_name_ok, with the complaint filled in; what: "container", "template". */
int path_name_check(const char *what, const char *name, struct err *e);
