// SPDX-License-Identifier: GPL-2.0-only
#include "checkpoint/pages_flow.h"

#define SECOND_NS     UINT64_C(1000000000)
#define ROUND_MOST_NS SECOND_NS
#define RATE_MOST     UINT64_C(100000000)
/* Under way in any case, 64 KiB, and at most, 16 MiB. */
#define WINDOW_LEAST 16
#define WINDOW_MOST  4096
/*
 * A request is an eighth of what is to be under way: an answer counts when it is whole, so up to two parts are not on the link any more while the next is asked for. With a quarter a link of 100 Mbit/s
 * and 20 ms was idle for a sixth of the time.
 */
#define PARTS	    8
#define PIECE_LEAST 4
/* The bit that a task waits longer: half a round trip, but at least so long, and longer when none has waited for a while. */
#define BIT_LEAST_NS UINT64_C(1000000)
#define BIT_IDLE_NS  UINT64_C(4000000)
#define IDLE_NS	     UINT64_C(20000000)

static uint64_t clamp(uint64_t v, uint64_t least, uint64_t most)
{
	return v < least ? least : v > most ? most : v;
}

struct cr_flow_mark cr_flow_ask(struct cr_flow *f, uint32_t npages, uint64_t now)
{
	f->under_way += npages;
	return (struct cr_flow_mark){.sent_ns = now, .come = f->come};
}

void cr_flow_begin(struct cr_flow *f, const struct cr_flow_mark *m, uint64_t now)
{
	uint64_t took = clamp(now - m->sent_ns, 1, ROUND_MOST_NS);

	if (!f->round_ns || took < f->round_ns)
		f->round_ns = took;
}

void cr_flow_come(struct cr_flow *f, const struct cr_flow_mark *m, uint32_t npages, bool last,
		  uint64_t now)
{
	uint64_t rate;

	f->under_way -= npages;
	f->come += npages;
	if (!last)
		return;
	rate = clamp((f->come - m->come) * SECOND_NS / clamp(now - m->sent_ns, 1, UINT64_MAX), 0,
		     RATE_MOST);
	/* One bad moment does not empty the link. */
	f->rate = rate > f->rate ? rate : f->rate - (f->rate - rate) / 8;
}

void cr_flow_wait(struct cr_flow *f, uint64_t now)
{
	f->waited_ns = now;
}

static uint64_t window(const struct cr_flow *f, uint64_t now)
{
	uint64_t bit = f->waited_ns && now - f->waited_ns < IDLE_NS ? BIT_LEAST_NS : BIT_IDLE_NS;

	bit = clamp(f->round_ns / 2, bit, ROUND_MOST_NS);
	return clamp(f->rate * (f->round_ns + bit) / SECOND_NS, WINDOW_LEAST, WINDOW_MOST);
}

uint32_t cr_flow_next(const struct cr_flow *f, uint32_t most, uint64_t now)
{
	uint64_t room = window(f, now), piece = clamp(room / PARTS, PIECE_LEAST, most);

	return room >= f->under_way + piece ? (uint32_t)piece : 0;
}
