/* SPDX-License-Identifier: GPL-2.0-only */
/* A process that is nobody's child: for work that goes on when its caller has ended, or that nobody is to wait for. */
#pragma once

#include <stddef.h>

/*
 * As fork(2), but for its two answers: 0 in the orphan, which is called name (as in prctl PR_SET_NAME, 15 bytes), leads a session of its own (no
 * terminal's signal ends it), stands in / and has the descriptors keep[] alone, the first three among the others; 1 in the caller, who has no child by it. -errno: there
 * is none. Its end is by _exit(2).
 */
int ns_orphan(const char *name, const int keep[], size_t n);
