// SPDX-License-Identifier: GPL-2.0-only
/* When compression is on, over links, compressors and other ends of known speeds: all that happens takes the time it is said to take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/adapt.h"
#include "base/own.h"

#define CHUNK (1U << 20)
#define MB    1000000ull
/* Of the socket, and of one core: what writes cost, and what the compressor does with text and libraries. */
#define ROOM	   (4U << 20)
#define WRITE	   (5000 * MB)
#define COMPRESSOR (390 * MB)

struct wire {
	struct adapt adapt;
	uint64_t now, waited, queued;
	/* Bytes a second: of the link, plain or packed, and of the compressor. How many of a hundred bytes are left. */
	uint64_t link, link_on, compressor, left;
	/* Of a second, what others wait for processors. */
	uint64_t waits;
	uint64_t before; /* what was packed, in bytes as they were */
};

static struct wire wire_of(uint64_t link, uint64_t left)
{
	struct wire w = {.now = 1000000000,
			 .waited = 5000,
			 .link = link,
			 .link_on = link,
			 .compressor = COMPRESSOR,
			 .left = left};

	adapt_init(&w.adapt, 0, w.now, w.waited);
	return w;
}

static void pass(struct wire *w, uint64_t ns)
{
	uint64_t sent = (w->adapt.on ? w->link_on : w->link) * ns / 1000000000;

	w->now += ns;
	w->waited += w->waits * ns / 1000000000;
	w->queued -= sent < w->queued ? sent : w->queued;
}

static uint64_t takes(uint64_t bytes, uint64_t per_s)
{
	return bytes * 1000000000 / per_s;
}

/* What blocks until there is room. */
static void put(struct wire *w, uint64_t bytes)
{
	w->queued += bytes;
	pass(w, takes(bytes, WRITE));
	if (w->queued > ROOM)
		pass(w, takes(w->queued - ROOM, w->adapt.on ? w->link_on : w->link) + 1);
}

static size_t becomes(const struct wire *w, size_t len)
{
	return w->left > 87 ? len : len / 100 * w->left;
}

/* Sends so many chunks; the last of them that went packed, counted from 1; 0: none. */
static unsigned send_chunks(struct wire *w, unsigned chunks)
{
	unsigned last = 0;

	for (unsigned i = 1; i <= chunks; i++) {
		size_t out = CHUNK, piece;

		if (adapt_look(&w->adapt, w->now, (int)w->queued))
			adapt_speed(&w->adapt, w->now, (int)w->queued, w->waited);
		if (adapt_wants(&w->adapt)) {
			uint64_t began = w->now;

			pass(w, takes(CHUNK, w->compressor));
			out = becomes(w, CHUNK);
			adapt_packed(&w->adapt, CHUNK, out, began, w->now - began);
			w->before += CHUNK;
			last = out < CHUNK ? i : last;
		} else {
			piece = adapt_trial(&w->adapt, CHUNK);
			pass(w, takes(piece, w->compressor));
			if (piece)
				adapt_tried(&w->adapt, piece, becomes(w, piece),
					    takes(piece, w->compressor));
		}
		put(w, out);
		adapt_passed(&w->adapt, CHUNK, out, w->now);
	}
	return last;
}

/* On as soon as it is seen that what the socket has taken does not leave it, and for good. */
static void test_slow(void **state)
{
	struct wire w = wire_of(20 * MB, 50);

	(void)state;
	assert_int_equal(send_chunks(&w, 2000), 2000);
	assert_in_range(w.before, 1990ull << 20, 1996ull << 20);
}

/* On by a trial, for half of 100 MB/s is less than what 390 MB/s gain; not for half of 160. */
static void test_between(void **state)
{
	struct wire w = wire_of(100 * MB, 50), near = wire_of(160 * MB, 50);

	(void)state;
	assert_int_equal(send_chunks(&w, 2000), 2000);
	assert_true(w.before > 1980ull << 20);
	assert_int_equal(send_chunks(&near, 2000), 0);
	assert_int_equal(near.before, 0);
}

/* Faster than the sender writes: it is never waited for. Faster than what could be gained: not even tried, and left when it becomes so. */
static void test_fast(void **state)
{
	struct wire w = wire_of(2 * WRITE, 50), ten_gigabit = wire_of(1200 * MB, 50);

	(void)state;
	ten_gigabit.compressor = 4000 * MB;
	assert_int_equal(send_chunks(&w, 2000), 0);
	assert_int_equal(w.adapt.link, 0);
	assert_int_equal(send_chunks(&ten_gigabit, 2000), 0);
	assert_in_range(ten_gigabit.adapt.link, 1100 * MB, 1300 * MB);
	assert_int_equal(ten_gigabit.adapt.gap, 0);
	w = wire_of(100 * MB, 50);
	w.compressor = 4000 * MB;
	assert_int_equal(send_chunks(&w, 100), 100);
	w.link = w.link_on = 1200 * MB;
	assert_in_range(send_chunks(&w, 200), 1, 60);
}

/* Noise. Over 100 MB/s it is tried and left; over 20 it is on at once, judged, and given up, each time for longer. */
static void test_in_vain(void **state)
{
	struct wire w = wire_of(100 * MB, 100), slow = wire_of(20 * MB, 100);

	(void)state;
	assert_int_equal(send_chunks(&w, 2000), 0);
	assert_int_equal(w.before, 0);
	assert_int_equal(w.adapt.gap, 128U << 20);
	assert_int_equal(send_chunks(&slow, 2000), 0);
	assert_in_range(slow.before, 8U << 20, 200U << 20);
	assert_int_equal(slow.adapt.gap, 128U << 20);
}

/* The other end is the slow one, and unpacking makes it slower: what went out packed is less than what had gone out before. */
static void test_other_end(void **state)
{
	struct wire w = wire_of(30 * MB, 50);

	(void)state;
	w.link_on = 15 * MB;
	(void)send_chunks(&w, 2000);
	assert_in_range(w.before, 8U << 20, 300U << 20);
	assert_false(w.adapt.on);
}

/* The compressor is not given a processor: a second for what it did in three milliseconds. */
static void test_starved_compressor(void **state)
{
	struct wire w = wire_of(100 * MB, 50);

	(void)state;
	assert_int_equal(send_chunks(&w, 100), 100);
	w.compressor = 1 * MB;
	(void)send_chunks(&w, 100);
	assert_false(w.adapt.on);
}

/* Others wait for processors: what looks like 100 MB/s may be no link's speed; what looks like 20 is too slow for that to be why. */
static void test_short_of_processors(void **state)
{
	struct wire w = wire_of(100 * MB, 50), slow = wire_of(20 * MB, 50);

	(void)state;
	w.waits = slow.waits = 600000000;
	assert_int_equal(send_chunks(&w, 200), 0);
	assert_int_equal(w.adapt.link, 0);
	w.waits = 400000000;
	assert_int_equal(send_chunks(&w, 200), 200);
	assert_int_equal(send_chunks(&slow, 200), 200);
}

/* While it is on, a link that has become a faster one is not waited for, which says nothing of its speed: that is asked for again. */
static void test_stale(void **state)
{
	struct wire w = wire_of(100 * MB, 50);

	(void)state;
	assert_int_equal(send_chunks(&w, 100), 100);
	w.link = w.link_on = 2 * WRITE;
	w.queued = 0;
	assert_in_range(send_chunks(&w, 2000), 250, 300);
}

/* With somebody waiting, nothing is tried: what is on stays on, what is off stays off. */
static void test_hurry(void **state)
{
	struct wire w = wire_of(100 * MB, 50), off = w;

	(void)state;
	assert_int_equal(send_chunks(&w, 100), 100);
	adapt_hurry(&w.adapt);
	assert_int_equal(send_chunks(&w, 500), 500);
	adapt_hurry(&off.adapt);
	assert_int_equal(send_chunks(&off, 500), 0);
	assert_int_equal(off.adapt.in, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_between),
		cmocka_unit_test(test_fast),
		cmocka_unit_test(test_in_vain),
		cmocka_unit_test(test_other_end),
		cmocka_unit_test(test_starved_compressor),
		cmocka_unit_test(test_short_of_processors),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_hurry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
