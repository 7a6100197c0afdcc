// SPDX-License-Identifier: GPL-2.0-only
/* A bucket of bytes. */
#include "checkpoint/pace.h"

#include <poll.h>

#include "base/err.h"
#include "base/log.h"
#include "checkpoint/interrupt.h"

#define BURST_NS 100000000ull
#define SECOND	 1000000000ull
/* A signal ends the wait within this. */
#define LOOK_MS 100

int cr_pace_take(struct cr_pace *p, size_t bytes, struct err *e)
{
	uint64_t now = log_now_ns();

	if (!p || !p->bytes_per_s || p->off)
		return cr_interrupt_check(e);
	if (p->full_ns < now)
		p->full_ns = now;
	p->full_ns += (uint64_t)((double)bytes * (double)SECOND / (double)p->bytes_per_s);
	while (p->full_ns > (now = log_now_ns()) + BURST_NS) {
		uint64_t ms = (p->full_ns - now - BURST_NS) / 1000000 + 1;

		if (cr_interrupt_check(e) < 0)
			return -e->no;
		poll(NULL, 0, ms < LOOK_MS ? (int)ms : LOOK_MS);
	}
	return cr_interrupt_check(e);
}

int cr_pace_stream(void *arg, size_t bytes, struct err *e)
{
	return cr_pace_take(arg, bytes, e);
}
