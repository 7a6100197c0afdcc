/* SPDX-License-Identifier: GPL-2.0-only */
/* Where our helper programs are. */
#pragma once

#include <stddef.h>

struct err;

/* The absolute path of a helper: beside the running executable (a build tree), else in SKEP_LIBEXECDIR. -ENOENT with a hint. */
int ct_libexec_find(const char *name, char *path, size_t size, struct err *e);
