// SPDX-License-Identifier: GPL-2.0-only
/* The second thread of skep-pages. */
#include "checkpoint/pages_hand.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/err.h"
#include "checkpoint/pagemap.h"

#define PAGE ((uint64_t)CR_PAGE_BYTES)
/* At once: they stay in the processor's cache from the store to the process. */
#define BUFFER_PAGES 64

struct cr_hand {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct cr_hand_job *job; /* NULL: none, or the last one is done */
	bool end;
	uint8_t buffer[BUFFER_PAGES * CR_PAGE_BYTES];
};

/* Returns how many pages of the next part are in place; 0: job->error tells why none. */
static uint32_t put_part(struct cr_hand *h, struct cr_hand_job *job)
{
	uint64_t skip = job->done * PAGE, at = job->at + skip;
	uint32_t left = job->npages - job->done, n = left < BUFFER_PAGES ? left : BUFFER_PAGES;
	struct uffdio_copy c = {
		.dst = job->addr + skip, .src = (uint64_t)(uintptr_t)h->buffer, .len = n * PAGE};

	if (pread(job->store, h->buffer, n * PAGE, (off_t)at) != (ssize_t)(n * PAGE)) {
		job->error = EIO;
		return 0;
	}
	if (ioctl(job->uffd, UFFDIO_COPY, &c) < 0) {
		job->error = errno;
		/* EAGAIN: some of them were put. */
		n = c.copy > 0 ? (uint32_t)((uint64_t)c.copy / PAGE) : 0;
	}
	if (n && !job->keep &&
	    fallocate(job->store, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at,
		      (off_t)(n * PAGE)) < 0)
		job->error = errno;
	return n;
}

static void *work(void *arg)
{
	struct cr_hand *h = arg;

	pthread_mutex_lock(&h->lock);
	while (!h->end) {
		struct cr_hand_job *job = h->job;

		if (!job) {
			pthread_cond_wait(&h->change, &h->lock);
			continue;
		}
		pthread_mutex_unlock(&h->lock);
		while (job->done < job->npages && !job->error)
			job->done += put_part(h, job);
		pthread_mutex_lock(&h->lock);
		h->job = NULL;
		pthread_cond_broadcast(&h->change);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

int cr_hand_start(struct cr_hand **out, struct err *e)
{
	struct cr_hand *h = calloc(1, sizeof(*h));
	int error = h ? 0 : ENOMEM;

	if (!error) {
		pthread_mutex_init(&h->lock, NULL);
		pthread_cond_init(&h->change, NULL);
		error = pthread_create(&h->thread, NULL, work, h);
	}
	if (error) {
		free(h);
		errno = error;
		return err_sys(e, "start a second thread");
	}
	*out = h;
	return 0;
}

void cr_hand_give(struct cr_hand *h, struct cr_hand_job *job)
{
	job->done = 0;
	job->error = 0;
	pthread_mutex_lock(&h->lock);
	h->job = job;
	pthread_cond_broadcast(&h->change);
	pthread_mutex_unlock(&h->lock);
}

void cr_hand_take(struct cr_hand *h)
{
	pthread_mutex_lock(&h->lock);
	while (h->job)
		pthread_cond_wait(&h->change, &h->lock);
	pthread_mutex_unlock(&h->lock);
}

void cr_hand_stop(struct cr_hand *h)
{
	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	h->end = true;
	pthread_cond_broadcast(&h->change);
	pthread_mutex_unlock(&h->lock);
	pthread_join(h->thread, NULL);
	free(h);
}
