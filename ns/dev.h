/* SPDX-License-Identifier: GPL-2.0-only */
/* A container's /dev: always a fresh tmpfs, six harmless nodes, the standard links. */
#pragma once

/*
 * All run on the init side between ns_rootfs_attach() and ns_rootfs_pivot(): the host's nodes are
 * still reachable by path in our copy of its mounts, and nothing that the image brought as /dev is
 * looked at (CVE-2026-41579, CVE-2026-47766).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct ns_device {
	char *path; /* owned; "/dev/fuse" */
	char type;  /* 'c', 'b', 'p' ('u' is read as 'c') */
	int64_t major, minor;
	mode_t mode;
	uint32_t uid, gid; /* inside ids */
	int mount_fd;	   /* -EBADF, or the node as a detached mount of ns_dev_make_apart() */
};

/* Mounts the fresh tmpfs on /dev (mode 755, 64 MiB), refusing a /dev that is a link. Call it before
 * the mount list when the list has no /dev of its own. label, here and below: an SELinux context or NULL. */
int ns_dev_mount(int root, const char *label, struct err *e);

/* Whether what is on /dev below root is a tmpfs mounted by us (and so the nodes may be made in it).
 * 1, 0, or -errno. */
int ns_dev_is_fresh(int root, struct err *e);

/*
 * null zero full random urandom tty; links fd stdin stdout stderr core ptmx. In a user namespace
 * (where mknod is refused) the nodes are bind mounts of the host's, each verified by its device
 * number.
 */
int ns_dev_default(int root, bool userns, struct err *e);

/* One more node from the spec; paths outside /dev are allowed by OCI and resolved inside root. */
int ns_dev_node(int root, const struct ns_device *dev, bool userns, struct err *e);

/* Host side, for a user namespace: whether the host has that device under that path, with that mode and owner (host ids). */
bool ns_dev_has_host(const struct ns_device *dev, uint32_t uid, uint32_t gid);

/*
 * Host side, for a user namespace: the node, of that owner (host ids), as a detached mount of it alone: the caller's. dir is a directory that only root comes to, and the node stays there under that name: a mount
 * of one without a name cannot be attached (ENOENT).
 */
int ns_dev_make_apart(int dir, const char *name, const struct ns_device *dev, uint32_t uid,
		      uint32_t gid, struct err *e);

/* /dev/pts (newinstance, ptmxmode=666, mode=620, gid=5 if tty_gid_mapped) and /dev/shm, where the
 * mount list lacks them. */
int ns_dev_mount_pts(int root, bool tty_gid_mapped, const char *label, struct err *e);
int ns_dev_mount_shm(int root, uint64_t size_bytes, const char *label, struct err *e);

/* An O_PATH fd of the host's /dev/null, verified to be character device 1:3 (CVE-2025-31133).
 * Before the pivot. */
int ns_dev_null_open(struct err *e);
