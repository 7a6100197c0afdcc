/* SPDX-License-Identifier: GPL-2.0-only */
/* A container's root: read-only template layers under its own upper layer, by the new mount API. */
#pragma once

/*
 * Host side, before clone. Lower layers hold real ids 0..65535 and are id-mapped into the container's user namespace; the
 * upper layer is owned by the shifted ids themselves, since an overlay whose upper layer is id-mapped comes out read-only
 * when it is mounted with fsuid 0. The result is a detached mount: whoever moves it into a mount namespace (move_mount(2)) owns
 * its place, and closing the descriptor without that makes it vanish.
 */

#include <stdbool.h>
#include <stdint.h>

struct err;

#define ST_OVERLAY_LOWER_MAX 64

/*
 * Mounts lower[0] (topmost) .. lower[n - 1] with upper and work (both negative: no upper layer, read-only). userns is a descriptor of
 * the user namespace to map the lower layers into, or -1. readonly makes the mount, not the layer, read-only. Returns the mount
 * fd. By descriptors where the kernel takes them (overlayfs since 6.13), else by st_overlay_mount_staged.
 */
int st_overlay_mount(const int lower[], int n, int upper, int work, int userns, bool readonly,
		     struct err *e);

/*
 * The same for older kernels, which know layers by name only and none on a detached mount: a child places them in a mount
 * namespace of its own and hands the overlay back. upper and work must be upper/ and work/ of one directory, as st_layer_create
 * makes them. For tests to force; everyone else calls st_overlay_mount.
 */
int st_overlay_mount_staged(const int lower[], int n, int upper, int work, int userns,
			    bool readonly, struct err *e);

/* A detached clone of the tree at dir, id-mapped into userns (as one of st_overlay_mount's lower layers is). Recursive: no. */
int st_idmapped_clone(int dir, int userns, struct err *e);

/*
 * Makes upper and work below dir (of ct/NAME, or of the mounted disk image): upper has the mode of the template's root and
 * belongs to id_base, as the root of the container must belong to its root. Existing ones stay. upper/work are directory descriptors; either may be NULL.
 */
int st_layer_create(int dir, uint32_t id_base, int template_root, int *upper, int *work,
		    struct err *e);

/* Opens upper and work of st_layer_create. -ENOENT if they are not there. */
int st_layer_open(int dir, int *upper, int *work, struct err *e);

/* Removes both. Gone already is success. */
int st_layer_remove(int dir, struct err *e);
