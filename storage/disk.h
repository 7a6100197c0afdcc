/* SPDX-License-Identifier: GPL-2.0-only */
/* A container's disk of a fixed size: a sparse ext4 image on a loop device that exists only while it is mounted. */
#pragma once

/*
 * Life: created (stopped), mounted to a detached mount (loop device with autoclear: the kernel frees it with the last
 * mount), grown, removed with the file. Nobody detaches a loop device by hand.
 */

#include <stdbool.h>
#include <stdint.h>

struct err;

#define ST_DISK_LEAST_BYTES (4ULL << 20)

struct st_disk_usage {
	uint64_t size_bytes, used_bytes, free_bytes; /* as seen inside: statfs(2) */
	uint64_t inodes, inodes_used;
	uint64_t host_bytes; /* what the image takes on the host */
};

/* Makes dir/name, mode 0600. -EEXIST if it is there; nothing stays after a failure. */
int st_disk_create(int dir, const char *name, uint64_t size_bytes, struct err *e);

/* Returns a detached mount of the image: a directory to hold upper and work. -EBUSY, class RUNNING, while it is mounted elsewhere. */
int st_disk_mount(int dir, const char *name, bool readonly, struct err *e);

/*
 * Grows it; smaller is -EINVAL, class VALUE. With mount >= 0 while it is mounted (EXT4_IOC_RESIZE_FS: wants CAP_SYS_RESOURCE; -EPERM says so), else
 * offline by e2fsck and resize2fs.
 */
int st_disk_grow(int dir, const char *name, int mount, uint64_t size_bytes, struct err *e);

/* dir/name for host_bytes; mount for the rest (zeros if negative). */
int st_disk_usage(int dir, const char *name, int mount, struct st_disk_usage *usage, struct err *e);

/* Gives blocks that the container freed back to the host. Returns 0; freed_bytes may be NULL. */
int st_disk_trim(int mount, uint64_t *freed_bytes, struct err *e);

/* Removes the image. Gone already is success. */
int st_disk_remove(int dir, const char *name, struct err *e);
