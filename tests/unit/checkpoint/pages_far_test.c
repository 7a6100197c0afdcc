// SPDX-License-Identifier: GPL-2.0-only
/* The real skep-pages and a source that is 20 ms away: many pages are under way while tasks wait for one after the other, and these come in time. */
#include "tests/unit/checkpoint/pages_lab.h"

#include <pthread.h>
#include <time.h>

#include "checkpoint/pages_wire.h"
#include "tests/unit/checkpoint/pages_process.h"

#define ROUND_NS UINT64_C(20000000)
#define PAGES	 8000u
#define OPEN	 CR_PAGES_ASKED_MOST

struct far {
	pthread_t thread;
	int fd;
	struct {
		struct cr_pages_request q;
		uint64_t due;
	} open[OPEN];
	size_t count;
	uint64_t under_way, beside; /* pages; beside: that were under way at each want, in all */
	uint64_t wants;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool hear(struct far *s)
{
	struct cr_pages_request q;

	if (recv(s->fd, &q, sizeof(q), MSG_WAITALL) != (ssize_t)sizeof(q) ||
	    q.kind == CR_PAGES_DONE || s->count == OPEN)
		return false;
	s->wants += q.kind == CR_PAGES_WANT;
	s->beside += q.kind == CR_PAGES_WANT ? s->under_way : 0;
	s->open[s->count].q = q;
	s->open[s->count++].due = now_ns() + ROUND_NS;
	s->under_way += q.npages;
	return true;
}

static bool send_all(int fd, const void *data, size_t len)
{
	return send(fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool answer_first(struct far *s)
{
	const struct cr_pages_request q = s->open[0].q;
	static uint8_t data[256 * PAGE];
	struct cr_pages_answer a = {
		.magic = CR_PAGES_WIRE_MAGIC, .id = q.id, .npages = q.npages, .vaddr = q.vaddr};

	if (q.npages > 256)
		return false;
	for (uint64_t i = 0; i < q.npages; i++)
		lab_fill(q.id, q.vaddr + i * PAGE, data + i * PAGE);
	a.sum = cr_pages_sum(0, data, q.npages);
	memmove(s->open, s->open + 1, --s->count * sizeof(s->open[0]));
	s->under_way -= q.npages;
	return send_all(s->fd, &a, sizeof(a)) && send_all(s->fd, data, q.npages * PAGE);
}

static void *serve_far(void *arg)
{
	struct far *s = arg;
	bool ok = true;

	while (ok) {
		struct pollfd p = {.fd = s->fd, .events = POLLIN};
		uint64_t now = now_ns();
		int left = !s->count		   ? DEADLINE_MS
			   : s->open[0].due <= now ? 0
						   : (int)((s->open[0].due - now) / 1000000) + 1;

		if (poll(&p, 1, left) > 0)
			ok = hear(s);
		else if (s->count)
			ok = answer_first(s);
		else
			ok = false;
	}
	close(s->fd);
	return NULL;
}

/* From the end on, while the rest is filled from the beginning. */
static void body_backwards(const struct lab *l)
{
	uint8_t *m = be_restored(l, PAGES);

	step('f');
	finish();
	for (uint64_t i = PAGES; i-- > 0;)
		want(lab_same(ID, m + i * PAGE, BASE + i * PAGE, 1));
	step('r');
}

static void test_far(void **state)
{
	static const struct cr_page_run runs[] = {{BASE, PAGES, CR_PAGE_LAZY}};
	struct lab *l = *state;
	struct far s = {0};
	struct process p;
	int pair[2];

	lab_pagemap(l, ID, runs, 1);
	lab_source(l, pair);
	s.fd = pair[0];
	lab_start(l);
	close(pair[1]);
	assert_int_equal(pthread_create(&s.thread, NULL, serve_far, &s), 0);
	p = spawn(l, body_backwards);
	let(&p, 'b');
	let(&p, 'f');
	assert_int_equal(lab_report(l).left, 0);
	pthread_join(s.thread, NULL);
	let(&p, 'r');
	end_well(l, &p);
	/* With two requests under way it was 6 pages; now it is some 450. */
	assert_true(s.wants > 2);
	if (s.beside / s.wants < 64)
		fail_msg("%llu pages were under way beside each of %llu that were waited for",
			 (unsigned long long)(s.beside / s.wants), (unsigned long long)s.wants);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_far, lab_set_up, lab_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
