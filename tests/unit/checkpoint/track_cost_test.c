// SPDX-License-Identifier: GPL-2.0-only
/* What following costs: SKEP_BENCH=1 prints a table for 180 MB; without it only that an idle round is cheap. */
#include "track_fixture.h"

#include "checkpoint/uffd.h"

#define RUNS 7

struct writer {
	int go[2], done[2];
	size_t pages;
};

/* Has the pages, and writes to every nth of them when it is told n (0: to none). */
static int writes(void *arg)
{
	struct writer *w = arg;
	char *m = mmap(NULL, w->pages * CR_PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t seed = 1;
	unsigned n;

	madvise(m, w->pages * CR_PAGE_SIZE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < w->pages * CR_PAGE_SIZE / 8; i++)
		((uint64_t *)m)[i] = seed = seed * 6364136223846793005ull + 1;
	while (write(w->done[1], "d", 1) == 1 && read(w->go[0], &n, sizeof(n)) == sizeof(n))
		for (size_t i = 0; n && i < w->pages; i += n)
			m[i * CR_PAGE_SIZE]++;
	return 0;
}

static void wait_writer(struct writer *w)
{
	char c;

	assert_int_equal(read(w->done[0], &c, 1), 1);
}

static int to_nowhere(void *arg, uint32_t id, uint64_t vaddr, uint32_t npages, const void *data,
		      struct err *e)
{
	(void)arg, (void)id, (void)vaddr, (void)npages, (void)data, (void)e;
	return 0;
}

/* The least time of several rounds, each after every nth page was written. */
static struct cr_track_stats rounds(struct cr_track *t, struct writer *w, unsigned nth)
{
	struct cr_track_stats best = {.ns = UINT64_MAX};
	struct err e = {0};

	for (int i = 0; i < RUNS; i++) {
		struct cr_track_stats s = {0};

		assert_int_equal(write(w->go[1], &nth, sizeof(nth)), sizeof(nth));
		wait_writer(w);
		OK(cr_track_round(t, to_nowhere, NULL, &s, &e));
		if (s.ns < best.ns)
			best = s;
	}
	return best;
}

static void row(bool print, const char *what, const struct cr_track_stats *s)
{
	if (print)
		print_message("%-24s %8.2f ms  %6lu pages\n", what, (double)s->ns / 1e6, s->pages);
}

static uint64_t cost(enum cr_track_backend b, size_t pages, bool print, uint64_t *first_ns)
{
	struct cr_track_stats first = {0}, s;
	struct writer w = {.pages = pages};
	struct cr_track *t = NULL;
	struct err e = {0};
	uint64_t since, pending;
	struct cg cg;
	pid_t pid;

	test_make("cost", &cg);
	assert_int_equal(pipe2(w.go, 0), 0);
	assert_int_equal(pipe2(w.done, 0), 0);
	pid = test_spawn(&cg, writes, &w);
	wait_writer(&w);
	OK(cr_track_open(&cg, b, &t, &e));
	OK(cr_track_round(t, to_nowhere, NULL, &first, &e));
	*first_ns = first.ns;
	row(print, "first round", &first);
	if (print && b != CR_TRACK_CONTENT)
		print_message("%-24s %8.3f ms\n", "process stopped", (double)first.stop_ns / 1e6);
	for (unsigned i = 0; print && i < 3; i++) {
		static const struct {
			const char *name;
			unsigned nth;
		} dirty[] = {{"1 % written", 100}, {"10 % written", 10}, {"100 % written", 1}};

		s = rounds(t, &w, dirty[i].nth);
		row(true, dirty[i].name, &s);
	}
	since = log_now_ns();
	OK(cr_track_pending(t, &pending, &e));
	if (print)
		print_message("%-24s %8.3f ms\n", "pending", (double)(log_now_ns() - since) / 1e6);
	s = rounds(t, &w, 0);
	row(print, "nothing written", &s);
	if (print)
		print_message("%-24s %8zu bytes\n", "memory", cr_track_memory(t));
	since = log_now_ns();
	cr_track_close(&t);
	if (print)
		print_message("%-24s %8.2f ms\n", "close", (double)(log_now_ns() - since) / 1e6);
	kill(pid, SIGKILL);
	test_reap(pid);
	for (int i = 0; i < 2; i++) {
		close(w.go[i]);
		close(w.done[i]);
	}
	test_end(&cg);
	return s.ns;
}

/* Eight times at the least: it is hundreds on a quiet machine. */
static void an_idle_round_is_cheap(void **state)
{
	bool print = getenv("SKEP_BENCH") != NULL;
	size_t pages = (size_t)(print ? 180 : 64) << 8;
	uint64_t first, idle;
	enum cr_track_backend b;
	char why[CR_TRACK_WHY];
	struct err e = {0};

	(void)state;
	cr_uffd_stop_wait_ms = 10000;
	if (print)
		print_message("the best:\n");
	idle = cost(cr_track_choose(&b, why, &e) < 0 ? CR_TRACK_UFFD : b, pages, print, &first);
	assert_true(idle < first / 8);
	if (print && b != CR_TRACK_SOFT_DIRTY && cr_track_supported(CR_TRACK_SOFT_DIRTY, &e) >= 0) {
		print_message("soft-dirty:\n");
		cost(CR_TRACK_SOFT_DIRTY, pages, print, &first);
	}
	if (print)
		print_message("content:\n");
	if (print)
		cost(CR_TRACK_CONTENT, pages, print, &first);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_round_is_cheap),
	};

	return cmocka_run_group_tests_name("track_cost", tests, NULL, test_clean);
}
