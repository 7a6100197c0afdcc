/* SPDX-License-Identifier: GPL-2.0-only */
/* Fills a new tmpfs with what was at its mount point ("tmpcopyup"). */
#pragma once

struct err;

/*
 * Copies the tree at target below root into the detached tmpfs: directories, regular files, links,
 * with mode and owner; not over mounts, devices and sockets left out. At most 64 levels. The
 * content is the image's, so nothing is followed.
 */
int ns_tmpcopyup(int root, const char *target, int tmpfs_fd, struct err *e);
