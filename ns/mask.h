/* SPDX-License-Identifier: GPL-2.0-only */
/* Paths a container must not read (masked) or write (read-only). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;

/* Paths of the default profile (security.md's table), NULL-terminated. */
extern const char *const ns_mask_default[];
extern const char *const ns_mask_readonly_default[];

/*
 * Where the paths begin: below root, but for those in /proc and /sys, which are taken from there on. Who can rename what is in the root file system could else move the mount
 * away while its files are being masked, and back (as in CVE-2023-28642).
 */
struct ns_mask_tops {
	int root;      /* borrowed */
	int proc, sys; /* O_PATH; -EBADF: as any other path */
};

/*
 * Init side, before the pivot. proc, sys: the mount list has put procfs, sysfs there, and they must be what is there now (-ESTALE). ns_mask_close() also after a failure.
 */
int ns_mask_open(int root, bool proc, bool sys, struct ns_mask_tops *tops, struct err *e);
void ns_mask_close(struct ns_mask_tops *tops);

/*
 * Each path: a directory gets one shared, empty, read-only tmpfs; anything else the host's verified /dev/null. Missing paths are skipped.
 */
int ns_mask_paths(const struct ns_mask_tops *tops, const char *const paths[], size_t n,
		  struct err *e);

/* Each path is bound on itself and made read-only, with all mounts below it. Missing paths are
 * skipped. */
int ns_mask_readonly(const struct ns_mask_tops *tops, const char *const paths[], size_t n,
		     struct err *e);
