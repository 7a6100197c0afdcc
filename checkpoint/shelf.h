/* SPDX-License-Identifier: GPL-2.0-only */
/* Mounts that criu is to find by a path which tasks of any ids can reach: a file system of our own in front of the host's terminals. */
#pragma once

/*
 * criu opens the sources of a container's mounts as that container's root (open_tree(2) after it has entered the user namespace), for whom a host's directory may be closed. All in criu's process, in a
 * mount namespace of its own, with which it ends: criu needs the host's /dev/pts for nothing else.
 */

struct err;

#define CR_SHELF "/dev/pts"

/* Once, before the first cr_shelf_put(). */
int cr_shelf_make(struct err *e);

/* Attaches a detached mount (borrowed) at path, which is CR_SHELF/NAME and not there yet. */
int cr_shelf_put(const char *path, int mount, const char *what, struct err *e);
