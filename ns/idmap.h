/* SPDX-License-Identifier: GPL-2.0-only */
/* User and group id maps of a user namespace: writing them, and a namespace for id-mapped mounts.
 */
#pragma once

/*
 * Life: the spec holds two arrays of struct ns_idmap. Host side, after clone3(CLONE_NEWUSER) and
 * before init may go on: ns_idmap_write(). For id-mapped mounts the host side makes a namespace
 * with the same maps by ns_idmap_userns().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* The kernel takes 340 lines a map, and less than a page of text (user_namespaces(7)). */
#define NS_IDMAP_MOST 340

struct ns_idmap {
	uint32_t inside;
	uint32_t outside;
	uint32_t count;
};

/* Checks that the lines do not overlap and do not wrap. -EINVAL, class CONFIG. */
int ns_idmap_check_lines(const struct ns_idmap *map, size_t n, const char *what, struct err *e);

/* And that root (inside id 0) is mapped: of a namespace that a container is to live in. */
int ns_idmap_check(const struct ns_idmap *map, size_t n, const char *what, struct err *e);

/*
 * Host side: writes /proc/PID/setgroups ("deny" only where we lack CAP_SETGID and the kernel
 * demands it), gid_map, uid_map. The process must not have been reaped (a clone3 child of ours is
 * safe).
 */
int ns_idmap_write(pid_t pid, const struct ns_idmap *uids, size_t n_uids,
		   const struct ns_idmap *gids, size_t n_gids, struct err *e);

/*
 * Host side: makes a user namespace with these maps, owned by nobody but the returned fd (a
 * short-lived child is its first member). For MOUNT_ATTR_IDMAP: an id-mapped mount shows on-disk id
 * `inside` as `outside`.
 */
int ns_idmap_userns(const struct ns_idmap *uids, size_t n_uids, const struct ns_idmap *gids,
		    size_t n_gids, struct err *e);

/*
 * Host side: the maps of the user namespace behind the descriptor, as seen from ours. Both arrays are the caller's; a namespace without a map is -EINVAL, class CONFIG. A short-lived child joins it, for
 * there is no other way to ask.
 */
int ns_idmap_read(int userns_fd, struct ns_idmap **uids, size_t *n_uids, struct ns_idmap **gids,
		  size_t *n_gids, struct err *e);

/* The host's id for an inside id; false if not mapped. */
bool ns_idmap_to_host(const struct ns_idmap *map, size_t n, uint32_t inside, uint32_t *outside);
