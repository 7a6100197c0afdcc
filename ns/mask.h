/* SPDX-License-Identifier: GPL-2.0-only */
/* Paths a container must not read (masked) or write (read-only). */
#pragma once

#include <stddef.h>

struct err;

/* Paths of the default profile (security.md's table), NULL-terminated. */
extern const char *const ns_mask_default[];
extern const char *const ns_mask_readonly_default[];

/*
 * Init side, before the pivot. Each path below root: a directory gets one shared, empty, read-only
 * tmpfs; anything else the host's verified /dev/null. Missing paths are skipped.
 */
int ns_mask_paths(int root, const char *const paths[], size_t n, struct err *e);

/* Each path is bound on itself and made read-only, with all mounts below it. Missing paths are
 * skipped. */
int ns_mask_readonly(int root, const char *const paths[], size_t n, struct err *e);
