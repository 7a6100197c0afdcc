/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's mounts in a container's mount namespace that it has left by chroot(2) alone. */
#pragma once

struct err;

/*
 * Init side, in a mount namespace of its own, right before ns_rootfs_chroot(). The kernel lets a user namespace inside mount procfs and sysfs where a whole one is in the mount namespace already, in reach or not
 * (mount_too_revealing() in fs/namespace.c): with the host's there the masks of the container's own would mean nothing. All whole ones that are not below root are taken away, or, where that is not ours to do (a user
 * namespace's copies are locked), covered.
 */
int ns_outside_hide(int root, struct err *e);
