/* SPDX-License-Identifier: GPL-2.0-only */
/* What the container inherits: an explicit list of descriptors, nothing else. */
#pragma once

#include <stddef.h>

struct err;

/* Marks every descriptor above 2 CLOEXEC, but keep[] (any order, duplicates allowed), which lose
 * it. Right before execve, so that an error of execve can still be told over the (closing) socket.
 */
int ns_fds_keep_only(const int keep[], size_t n, struct err *e);

/* Closes now every descriptor above 2 but keep[]. First act of a long-lived child. */
int ns_fds_close_others(const int keep[], size_t n, struct err *e);
