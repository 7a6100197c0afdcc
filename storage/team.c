// SPDX-License-Identifier: GPL-2.0-only
/* Threads that live for one call. */
#include "storage/team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#define THREADS_MAX 8

struct team {
	atomic_size_t next;
	size_t n;
	void (*job)(void *arg, size_t i);
	void *arg;
};

static void *work(void *arg)
{
	struct team *t = arg;
	size_t i;

	while ((i = atomic_fetch_add(&t->next, 1)) < t->n)
		t->job(t->arg, i);
	return NULL;
}

static size_t processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < THREADS_MAX ? (size_t)n : THREADS_MAX;
}

void st_team_run(size_t n, void (*job)(void *arg, size_t i), void *arg)
{
	struct team t = {.n = n, .job = job, .arg = arg};
	pthread_t threads[THREADS_MAX];
	size_t want = n < 2 ? 1 : processors(), running = 0;
	sigset_t all, old;

	if (want > n)
		want = n;
	/* A handler of the caller's expects the caller's thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	/* With fewer it takes longer, and that is all. */
	while (running + 1 < want && pthread_create(&threads[running], NULL, work, &t) == 0)
		running++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	work(&t);
	for (size_t i = 0; i < running; i++)
		pthread_join(threads[i], NULL);
}
