/* SPDX-License-Identifier: GPL-2.0-only */
/* A limit of bytes a second over everything that a migration sends: files, memory, images. */
#pragma once

/*
 * A bucket that fills with time: cr_pace_take() waits until what is wanted is in it. It holds a tenth of a second's worth, so that short pauses of the sender are
 * made good and a long one gives no burst. While the container is frozen the limit is not kept (cr_pace.off): it would only be frozen for longer.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct cr_pace {
	uint64_t bytes_per_s; /* 0: no limit */
	uint64_t full_ns;     /* log_now_ns() when the bucket was, or will be, full */
	bool off;
};

/* Waits. -EINTR, class MIGRATE, when a signal came meanwhile. p NULL: no limit, but the signal is looked for. */
int cr_pace_take(struct cr_pace *p, size_t bytes, struct err *e);
/* A st_stream_pace; arg: struct cr_pace. */
int cr_pace_stream(void *arg, size_t bytes, struct err *e);
