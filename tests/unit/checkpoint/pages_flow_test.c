// SPDX-License-Identifier: GPL-2.0-only
/* Pages under way on links of every length and width: the link is full, and who waits for a page waits for few others. In simulated time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "checkpoint/pages_flow.h"

#define PAGE	UINT64_C(4096)
#define ANSWER	64 /* pages, as the source sends them */
#define MS	UINT64_C(1000000)
#define SECOND	(1000 * MS)
#define ASKED	64
#define REQUEST 256

struct link {
	const char *name;
	uint64_t round_ns, bytes_a_second;
	uint64_t stall_ns; /* the source begins to answer only then */
};

static const struct link links[] = {
	{"two hosts of one machine", 100000, 500000000, 0},
	{"a rack, 10 Gbit/s", 200000, 1250000000, 0},
	{"a rack, 1 Gbit/s", 300000, 125000000, 0},
	{"a city, 10 Gbit/s", 3 * MS, 1250000000, 0},
	{"a country, 1 Gbit/s", 20 * MS, 125000000, 0},
	{"a country, 100 Mbit/s", 20 * MS, 12500000, 0},
	{"an ocean, 100 Mbit/s", 100 * MS, 12500000, 0},
	{"a slow line", 10 * MS, 1000000, 0},
	{"a source that dumps still, 10 Gbit/s", 200000, 1250000000, 400 * MS},
	{"a source that dumps still, 100 Mbit/s", 20 * MS, 12500000, 400 * MS},
};

struct asked {
	uint32_t left;
	bool want, begun;
	struct cr_flow_mark mark;
	uint64_t at_source;
};

struct sim {
	const struct link *link;
	struct cr_flow flow;
	struct asked asked[ASKED];
	unsigned count;
	uint64_t now, free_at; /* the link's sending end */
	uint64_t asked_pages, come_pages;
	uint64_t waits, longest_wait, wait_sum;
};

static void ask(struct sim *s, uint32_t npages, bool want)
{
	assert_true(s->count < ASKED);
	s->asked[s->count++] = (struct asked){.left = npages,
					      .want = want,
					      .mark = cr_flow_ask(&s->flow, npages, s->now),
					      .at_source = s->now + s->link->round_ns / 2};
}

/* The next answer: time goes on to when it is here. */
static void take(struct sim *s)
{
	struct asked *q = &s->asked[0];
	uint32_t n = q->left < ANSWER ? q->left : ANSWER;
	uint64_t begins = q->at_source > s->free_at ? q->at_source : s->free_at;

	if (begins < s->link->stall_ns)
		begins = s->link->stall_ns;
	s->free_at = begins + n * PAGE * SECOND / s->link->bytes_a_second;
	s->now = begins + s->link->round_ns / 2;
	if (!q->begun)
		cr_flow_begin(&s->flow, &q->mark, s->now);
	q->begun = true;
	s->now = s->free_at + s->link->round_ns / 2;
	q->left -= n;
	s->come_pages += n;
	cr_flow_come(&s->flow, &q->mark, n, !q->left, s->now);
	if (q->left)
		return;
	if (q->want) {
		uint64_t took = s->now - q->mark.sent_ns;

		s->waits++;
		s->wait_sum += took;
		if (took > s->longest_wait)
			s->longest_wait = took;
	}
	memmove(s->asked, s->asked + 1, --s->count * sizeof(*s->asked));
}

/* npages come; faults: a task waits for another page as soon as it has one. */
static struct sim run(const struct link *link, uint64_t npages, bool faults)
{
	struct sim s = {.link = link};
	uint64_t waits = 0;
	uint32_t n;

	while (s.come_pages < npages) {
		/* It runs when the source answers at all. */
		if (faults && s.waits == waits && s.now >= link->stall_ns + 8 * link->round_ns) {
			waits = s.waits + 1;
			cr_flow_wait(&s.flow, s.now);
			ask(&s, 1, true);
			s.asked_pages++;
		}
		while (s.count < ASKED - 1 && s.asked_pages < npages &&
		       (n = cr_flow_next(&s.flow, REQUEST, s.now)) > 0) {
			ask(&s, n, false);
			s.asked_pages += n;
		}
		assert_true(s.count > 0);
		take(&s);
	}
	assert_int_equal(s.flow.under_way, s.asked_pages - s.come_pages);
	return s;
}

/* Of what the link could bring: after some round trips in which it is found out. */
static void expect_full(const struct sim *s)
{
	const struct link *l = s->link;
	uint64_t could = s->come_pages * PAGE * SECOND / l->bytes_a_second;
	uint64_t most = l->stall_ns + 12 * l->round_ns + could + could / 10;

	if (s->now > most)
		fail_msg("%s: %llu us, where %llu are enough", l->name,
			 (unsigned long long)s->now / 1000, (unsigned long long)most / 1000);
}

/* Four seconds of each link. */
static uint64_t pages_of(const struct link *l)
{
	return 4 * l->bytes_a_second / PAGE;
}

static void test_full(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		struct sim s = run(&links[i], pages_of(&links[i]), false);

		expect_full(&s);
	}
}

static void test_waits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		const struct link *l = &links[i];
		struct sim s = run(l, pages_of(l), true);
		/* A round trip, half a one more or a millisecond, a request that was under way too many, and what is always under way. */
		uint64_t bit = l->round_ns / 2 > MS ? l->round_ns / 2 : MS;
		uint64_t least = 16 * PAGE * SECOND / l->bytes_a_second;
		uint64_t most = l->round_ns + bit + bit / 2 + least;

		expect_full(&s);
		assert_true(s.waits > 10);
		if (s.wait_sum / s.waits > most)
			fail_msg("%s: a wait of %llu us, where %llu are enough", l->name,
				 (unsigned long long)(s.wait_sum / s.waits) / 1000,
				 (unsigned long long)most / 1000);
	}
}

/* A link that is lost: what was under way is not waited for on the next one. */
static void test_anew(void **state)
{
	struct cr_flow f = {0};

	(void)state;
	(void)cr_flow_ask(&f, 16, 1);
	assert_int_equal(cr_flow_next(&f, REQUEST, 2), 0);
	f = (struct cr_flow){0};
	assert_int_not_equal(cr_flow_next(&f, REQUEST, 3), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
