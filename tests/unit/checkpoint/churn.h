/* SPDX-License-Identifier: GPL-2.0-only */
/* A process that does to its memory all that the kernel lets it do, at random, for ever. */
#pragma once

#include "tests/unit/cgroups/fixture.h"

#include <pthread.h>
#include <sys/mman.h>

#define CHURN_AREAS 12
#define CHURN_MOST  (2u << 20)

struct churn_area {
	char *at;
	size_t size;
};

struct churn {
	uint64_t random;
	struct churn_area areas[CHURN_AREAS];
	unsigned depth;
	bool may_exec;
};

static inline uint64_t churn_random(struct churn *c, uint64_t below)
{
	c->random = c->random * 6364136223846793005ull + 1442695040888963407ull;
	return (c->random >> 33) % below;
}

static inline void churn_write(struct churn *c, const struct churn_area *a)
{
	uint64_t at = churn_random(c, a->size), n = 1 + churn_random(c, 64);

	for (; n && at < a->size; n--, at += churn_random(c, 3 * 4096))
		a->at[at] = (char)churn_random(c, 256);
}

/* A new mapping, sometimes right behind another one, sometimes with huge pages. */
static inline void churn_map(struct churn *c, struct churn_area *a)
{
	struct churn_area *beside = &c->areas[churn_random(c, CHURN_AREAS)];
	size_t size = (1 + churn_random(c, CHURN_MOST / 4096)) * 4096;
	void *hint = beside->size && churn_random(c, 2) ? beside->at + beside->size : NULL;
	char *m = mmap(hint, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED)
		return;
	if (a->size)
		munmap(a->at, a->size);
	*a = (struct churn_area){m, size};
	if (churn_random(c, 3) == 0)
		madvise(m, size, MADV_HUGEPAGE);
	if (churn_random(c, 2))
		memset(m, (int)churn_random(c, 256), size);
}

/* Growing in place, moving to where there is room, moving over a part of another one. */
static inline void churn_remap(struct churn *c, struct churn_area *a)
{
	struct churn_area *over = &c->areas[churn_random(c, CHURN_AREAS)];
	size_t size = (1 + churn_random(c, CHURN_MOST / 4096)) * 4096;
	char *m;

	if (over != a && over->size >= size && churn_random(c, 2)) {
		m = mremap(a->at, a->size, size, MREMAP_MAYMOVE | MREMAP_FIXED, over->at);
		/* Before Linux 6.17 it may fail with EFAULT, where the old place is two mappings, and after it has unmapped what is too much of both. */
		if (m == MAP_FAILED)
			munmap(over->at, over->size);
		else if (over->size > size)
			munmap(over->at + size, over->size - size);
		over->size = 0;
		if (m == MAP_FAILED) {
			a->size = a->size < size ? a->size : size;
			return;
		}
	} else {
		m = mremap(a->at, a->size, size, churn_random(c, 4) ? MREMAP_MAYMOVE : 0);
		if (m == MAP_FAILED)
			return;
	}
	*a = (struct churn_area){m, size};
}

static inline void churn_punch(struct churn *c, struct churn_area *a, int how)
{
	size_t from = churn_random(c, a->size / 4096) * 4096;
	size_t n = (1 + churn_random(c, (a->size - from) / 4096)) * 4096;

	if (how == 0) {
		madvise(a->at + from, n, MADV_DONTNEED);
	} else if (how == 1 && from) {
		/* A hole in it: what is above is lost to us, but stays mapped, or not. */
		munmap(a->at + from, a->size - from);
		a->size = from;
	} else {
		/* The same addresses, another mapping. */
		mmap(a->at + from, n, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	}
}

static inline void churn_grow_stack(struct churn *c)
{
	volatile char room[64 << 10];

	room[churn_random(c, sizeof(room))] = 1;
	if (churn_random(c, 4))
		churn_grow_stack(c);
	room[0]++;
}

static inline void churn_step(struct churn *c);

static inline void churn_fork(struct churn *c)
{
	pid_t pid;

	if (c->depth >= 2)
		return;
	pid = churn_random(c, 4) ? fork() : vfork();
	if (pid != 0)
		return;
	/* vfork(2)'s child has our memory for as long as it lives; some calls tell that it is not for nothing. */
	for (int i = 0; i < 20; i++)
		sched_yield();
	_exit(0);
}

static inline void churn_family(struct churn *c)
{
	pid_t pid;

	if (c->depth >= 1)
		return;
	pid = fork();
	if (pid != 0)
		return;
	c->depth++;
	for (uint64_t n = churn_random(c, 400); n; n--)
		churn_step(c);
	_exit(0);
}

static inline void churn_exec(struct churn *c)
{
	char seed[24];

	if (!c->may_exec)
		return;
	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)c->random);
	execl("/proc/self/exe", "churn", "churn", seed, NULL);
}

static inline void churn_step(struct churn *c)
{
	struct churn_area *a = &c->areas[churn_random(c, CHURN_AREAS)];
	uint64_t what = churn_random(c, 400);

	if (!a->size) {
		churn_map(c, a);
		return;
	}
	if (what < 330)
		churn_write(c, a);
	else if (what < 340)
		churn_map(c, a);
	else if (what < 355)
		churn_remap(c, a);
	else if (what < 380)
		churn_punch(c, a, (int)churn_random(c, 3));
	else if (what < 385)
		(void)!sbrk((intptr_t)(churn_random(c, 16) * 4096));
	else if (what < 390)
		churn_grow_stack(c);
	else if (what < 395)
		churn_fork(c);
	else if (what < 396 && churn_random(c, 20) == 0)
		churn_family(c);
	else if (what < 397 && churn_random(c, 50) == 0)
		churn_exec(c);
}

/* arg: the seed. A heap that only grows is bounded by the number of steps until the next execve(2). */
static inline int test_churn(void *arg)
{
	struct churn c = {.random = (uint64_t)(uintptr_t)arg, .may_exec = true};

	/* cmocka's own would go on with the tests in here. */
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	signal(SIGILL, SIG_DFL);
	signal(SIGCHLD, SIG_IGN);
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	for (unsigned long n = 0;; n++) {
		churn_step(&c);
		if (n % 64 == 0)
			poll(NULL, 0, 1);
		if (n > 40000)
			churn_exec(&c);
	}
	return 0;
}

/* One thread of many: writes to memory that all have. */
static inline void *churn_thread(void *arg)
{
	struct churn c = *(struct churn *)arg;

	for (unsigned n = 0;; n++) {
		churn_write(&c, &c.areas[0]);
		if (n % 16 == 0)
			poll(NULL, 0, 1);
	}
	return NULL;
}

static inline int test_threads(void *arg)
{
	struct churn c = {.random = (uint64_t)(uintptr_t)arg};
	pthread_t thread;

	churn_map(&c, &c.areas[0]);
	for (int i = 0; i < 8; i++) {
		struct churn *own = malloc(sizeof(*own));

		*own = c;
		own->random += (unsigned)i;
		if (pthread_create(&thread, NULL, churn_thread, own))
			return 1;
	}
	pause();
	return 0;
}
