/* SPDX-License-Identifier: GPL-2.0-only */
/* The way into the root file system: attach it, pivot, drop the host's tree. */
#pragma once

/*
 * Order, init side, in its own mount namespace:
 *   ns_rootfs_isolate() → ns_rootfs_attach() → mounts, /dev, masks, all below the root fd →
 * ns_rootfs_pivot() → ns_rootfs_readonly(). The new /proc is mounted before the pivot: in a user
 * namespace the kernel allows a proc mount only while a fully visible one exists
 * (mount_too_revealing(), fs/namespace.c), and that is the host's.
 */

#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * Host side: opens a directory as a detached mount tree, to be given to init; id-mapped when
 * userns_fd >= 0. A mounted overlay's directory and a plain one work alike. Returns the fd. (A
 * detached overlay from fsmount(2) needs no such call.) propagation: OCI rootfsPropagation as MS_*; with MS_SLAVE what the host mounts below dir from now on
 * arrives in the tree, if dir is on a shared mount; else the tree is private.
 */
int ns_rootfs_open(const char *dir, int userns_fd, unsigned long propagation, struct err *e);

/* Nothing mounted here from now on reaches the host. propagation: OCI rootfsPropagation as MS_* |
 * MS_REC, 0: private. While the rootfs is made up a "shared" is held back to slave; ns_rootfs_pivot
 * sets it. */
int ns_rootfs_isolate(unsigned long propagation, struct err *e);

/*
 * Attaches the detached tree in our mount namespace: on top of "/", where it is in nobody's way, or at a directory when others are to
 * find it by its name. Afterwards the same fd is the root fd for every ns_ and path_ call (borrowed). Behind ns_rootfs_isolate(): in a mount namespace whose mounts are shared with
 * others a copy of the tree would be attached there, too.
 */
int ns_rootfs_attach(int tree_fd, const char *at, struct err *e);

/* The same in a mount namespace that we share with others. Where `at` is on a shared mount, its peers see the tree, as they see all that is mounted there; what is mounted in the tree they do not: it is private. */
int ns_rootfs_attach_among(int tree_fd, const char *at, struct err *e);

/* The numbers of a mount. unique: since Linux 6.8 one that no other mount has until the next boot (STATX_MNT_ID_UNIQUE), before as id; id: that of proc_pid_mountinfo(5). */
struct ns_rootfs_id {
	uint64_t unique, id;
};

/* The numbers of the mount behind tree_fd, attached or not (statx(2)). */
int ns_rootfs_id(int tree_fd, struct ns_rootfs_id *id, struct err *e);

/* Host side: takes the tree away that was attached at that path of ours (without symbolic links) and has these numbers, with all below it; gone already is success. -EBUSY when something is mounted over it. */
int ns_rootfs_detach(const char *at, const struct ns_rootfs_id *id, struct err *e);

/*
 * pivot_root(2) into root, detaches the host's whole tree, chdir to the new /, and verifies that /
 * is the object behind root and that the working directory is reachable. Point of no return: no
 * host path can be opened afterwards.
 */
int ns_rootfs_pivot(int root, unsigned long propagation, struct err *e);

/*
 * The same where pivot_root(2) is not to be had, or would be another's to do: in a mount namespace that we share, or when the host's root is the initial ramdisk (outside.h). The host's mounts
 * stay in the namespace, out of reach.
 */
int ns_rootfs_chroot(int root, unsigned long propagation, struct err *e);

/* Makes the root mount itself (not the mounts in it) read-only; after all mount points have been
 * made. */
int ns_rootfs_readonly(int root, struct err *e);

/* chdir into the container's working directory; made if `create`. Verifies by getcwd(3) that it is
 * inside (CVE-2024-21626). */
int ns_rootfs_chdir(const char *cwd, bool create, struct err *e);
