/* SPDX-License-Identifier: GPL-2.0-only */
/* A mount namespace that cannot be left by pivot_root(2). */
#pragma once

struct err;

/*
 * Init side, in a mount namespace of its own: ns_rootfs_pivot(), and where the kernel cannot do that (the host's root is the initial ramdisk, which nothing holds; pivot_root(2): EINVAL) ns_rootfs_chroot() with the
 * host's mounts taken away first. Out of reach would not be enough: the kernel lets a user namespace inside mount procfs and sysfs where a whole one is anywhere in the mount namespace (mount_too_revealing() in
 * fs/namespace.c), so that the masks of the container's own would mean nothing. What is not ours to take away (a user namespace's copies are locked) is covered if it is one of those; -EBUSY when
 * that cannot be done either, because another mount is in the way. What lies outside of a chroot that the caller is in itself is not known, and stays.
 * The root directory is not the mount namespace's own then: whoever may unmount there, or enter the namespace anew, finds the old root, of which only the first mount is left. exec.c takes init's.
 */
int ns_outside_leave(int root, unsigned long propagation, struct err *e);
