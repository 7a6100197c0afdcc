/* SPDX-License-Identifier: GPL-2.0-only */
/* A followed process that does what the test tells it, step by step. */
#pragma once

#include "track_fixture.h"

#include "checkpoint/uffd.h"

#define PAGES  1024u
#define MEMORY ((size_t)PAGES * CR_PAGE_SIZE)

/* A process with memory that does what it is told, a byte at a time. Kept in step by two pipes. */
struct worker {
	int (*fn)(struct worker *w);
	int go[2], done[2];
	char *area; /* MEMORY bytes, page i filled with i */
	pid_t pid;
};

struct lab {
	struct cg cg;
	struct cr_track *t;
	struct target to;
	struct cr_track_stats last; /* of the latest round */
	struct worker w;
};

/* In the worker: says where it is and waits for the next word. */
static inline char next_word(struct worker *w)
{
	char c = 0;

	if (write(w->done[1], &w->area, sizeof(w->area)) != sizeof(w->area) ||
	    read(w->go[0], &c, 1) != 1)
		_exit(3);
	return c;
}

static inline char *filled(void)
{
	char *m = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (unsigned i = 0; i < PAGES; i++)
		memset(m + (size_t)i * CR_PAGE_SIZE, (int)(i % 251 + 1), CR_PAGE_SIZE);
	return m;
}

/* A huge page may count as written as a whole: these tests count small ones, also those that a worker inherits. churn.h has both. */
static inline int small_pages(void **state)
{
	(void)state;
	return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

static inline int run_worker(void *arg)
{
	struct worker *w = arg;

	w->area = filled();
	return w->fn(w);
}

static inline void wait_worker(struct lab *l)
{
	assert_int_equal(read(l->w.done[0], &l->w.area, sizeof(l->w.area)), sizeof(l->w.area));
}

static inline void tell(struct lab *l, char word)
{
	assert_int_equal(write(l->w.go[1], &word, 1), 1);
	wait_worker(l);
}

/* A kernel may lack one of them. */
static inline void need(enum cr_track_backend b)
{
	struct err e = {0};

	if (cr_track_supported(b, &e) >= 0)
		return;
	print_message("skip: no %s: %s\n", cr_track_backend_to_str(b), e.text);
	skip();
}

static inline void begin(struct lab *l, const char *name, enum cr_track_backend b,
			 int (*fn)(struct worker *w))
{
	struct err e = {0};

	need(b);
	*l = (struct lab){.w.fn = fn};
	cr_uffd_stop_wait_ms = 10000;
	test_make(name, &l->cg);
	assert_int_equal(pipe2(l->w.go, 0), 0);
	assert_int_equal(pipe2(l->w.done, 0), 0);
	l->w.pid = test_spawn(&l->cg, run_worker, &l->w);
	wait_worker(l);
	OK(cr_track_open(&l->cg, b, &l->t, &e));
}

static inline void end(struct lab *l)
{
	struct err e = {0};

	cr_track_close(&l->t);
	target_done(&l->to);
	OK(cg_thaw(&l->cg, 30000, &e));
	OK(cg_kill(&l->cg, &e));
	test_reap(l->w.pid);
	for (int i = 0; i < 2; i++) {
		close(l->w.go[i]);
		close(l->w.done[i]);
	}
	test_end(&l->cg);
}

static inline void one_round(struct lab *l)
{
	struct err e = {0};

	l->last = (struct cr_track_stats){0};
	OK(cr_track_round(l->t, to_store, &l->to, &l->last, &e));
}

/* What the process itself dirties by running: its stack, its data. */
#define OWN_PAGES 24

/* Writes into the page whose number is the word, times eight. 'N': makes the upper half of it inaccessible; the rest as the names say. */
static inline int write_pages(struct worker *w)
{
	for (;;) {
		char c = next_word(w);
		size_t at = (size_t)(unsigned char)c * 8 % PAGES * CR_PAGE_SIZE;

		w->area[at + 11] = (char)(w->area[at + 11] + 1);
	}
	return 0;
}

/* With each backend that there is. */
#define EACH(f)                                                                 \
	{#f " uffd", f, NULL, NULL, (void *)CR_TRACK_UFFD},                     \
		{#f " soft-dirty", f, NULL, NULL, (void *)CR_TRACK_SOFT_DIRTY}, \
	{                                                                       \
#f " content", f, NULL, NULL, (void *)CR_TRACK_CONTENT          \
	}
/* With those that follow, and do not just read. */
#define FOLLOWED(f) {#f " uffd", f, NULL, NULL, (void *)CR_TRACK_UFFD}, SOFT(f)
#define SOFT(f)                                                              \
	{                                                                    \
#f " soft-dirty", f, NULL, NULL, (void *)CR_TRACK_SOFT_DIRTY \
	}
