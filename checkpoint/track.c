// SPDX-License-Identifier: GPL-2.0-only
/* The tracker's rounds, and the final. */
#include "checkpoint/track.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "checkpoint/track_proc.h"

/* User addresses end below, also with five levels of page tables. */
#define VADDR_MOST (1ull << 57)

int cr_track_open(const struct cg *cg, enum cr_track_backend backend, struct cr_track **out,
		  struct err *e)
{
	struct cr_track *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (cr_track_supported(backend, e) < 0) {
		free(t);
		err_class(e, ERR_UNSUPPORTED);
		e->no = EOPNOTSUPP;
		return err_wrap(e, "follow a container's memory");
	}
	if (t)
		t->reader.data = malloc((size_t)CR_TRACK_BATCH * CR_PAGE_SIZE);
	if (!t || !t->reader.data) {
		free(t);
		return err_set(e, ENOMEM, "no memory to follow a container's");
	}
	if (getrandom(t->secret, sizeof(t->secret), 0) != (ssize_t)sizeof(t->secret)) {
		err_sys(e, "draw a secret");
		free(t->reader.data);
		free(t);
		return -e->no;
	}
	t->cg = cg;
	t->backend = backend;
	t->still = (struct cr_still)CR_STILL_INIT;
	*out = t;
	return 0;
}

void cr_track_close(struct cr_track **t)
{
	if (!*t)
		return;
	cr_still_close(&(*t)->still);
	for (size_t i = 0; i < (*t)->count; i++)
		cr_proc_forget(&(*t)->procs[i]);
	free((*t)->procs);
	free((*t)->reader.data);
	free(*t);
	*t = NULL;
}

int cr_send_pages(void *arg, uint64_t vaddr, uint32_t npages, const void *data, struct err *e)
{
	struct cr_send *s = arg;
	uint64_t before;
	int r = s->sink(s->arg, s->p->id, vaddr, npages, data, e);

	if (r < 0)
		return r;
	before = cr_set_remove(&s->p->ever, vaddr, npages);
	if (cr_set_add(&s->p->ever, vaddr, npages) < 0 ||
	    cr_set_add(&s->p->sent, vaddr, npages) < 0)
		return err_set(e, ENOMEM, "no memory for the list of sent pages");
	s->stats->pages += npages;
	s->stats->dirty += before;
	s->stats->fresh += npages - before;
	s->stats->bytes += (uint64_t)npages * CR_PAGE_SIZE;
	return 0;
}

/* The sink's time is measured around it, so that all else is known, too. */
struct timed {
	cr_track_sink sink;
	void *arg;
	uint64_t ns;
};

static int timed_sink(void *arg, uint32_t id, uint64_t vaddr, uint32_t npages, const void *data,
		      struct err *e)
{
	struct timed *t = arg;
	uint64_t since = log_now_ns();
	int r = t->sink(t->arg, id, vaddr, npages, data, e);

	t->ns += log_now_ns() - since;
	return r;
}

/* What of it was written is found out only by reading it all. */
static bool is_untracked(const struct cr_track *t, const struct cr_proc *p)
{
	switch (t->backend) {
	case CR_TRACK_UFFD:
		return p->uffd < 0 || p->partial;
	case CR_TRACK_SOFT_DIRTY:
		return !p->soft.cleared || p->soft.doubted;
	case CR_TRACK_CONTENT:
		break;
	}
	return false;
}

static int round_all(struct cr_track *t, struct timed *to, struct cr_track_stats *stats,
		     struct err *e)
{
	static int (*const rounds[])(struct cr_send * s, struct err * e) = {
		[CR_TRACK_UFFD] = cr_track_uffd_round,
		[CR_TRACK_SOFT_DIRTY] = cr_track_soft_round,
		[CR_TRACK_CONTENT] = cr_track_content_round,
	};
	int r = cr_procs_list(t, stats, e);

	if (r >= 0 && t->backend == CR_TRACK_UFFD)
		r = cr_track_uffd_enter(t, stats, e);
	if (r >= 0 && t->backend == CR_TRACK_SOFT_DIRTY)
		r = cr_track_soft_begin(t, stats, e);
	t->began = true;
	t->stopped = false;
	for (size_t i = 0; i < t->count && r >= 0; i++) {
		struct cr_proc *p = &t->procs[i];
		struct cr_send s = {t, p, timed_sink, to, stats};

		if (p->state == 'Z' || p->state == 'X')
			continue;
		cr_reader_begin(&t->reader, p->pid, cr_send_pages, NULL, &s);
		r = rounds[t->backend](&s, e);
		stats->processes++;
		stats->untracked += is_untracked(t, p);
	}
	return r;
}

int cr_track_round(struct cr_track *t, cr_track_sink sink, void *arg, struct cr_track_stats *stats,
		   struct err *e)
{
	struct timed to = {sink, arg, 0};
	uint64_t since = log_now_ns();
	int r = round_all(t, &to, stats, e);
	uint64_t ns = log_now_ns() - since;

	stats->ns += ns;
	stats->sink_ns += to.ns;
	return r < 0 ? r : 0;
}

int cr_track_pending(struct cr_track *t, uint64_t *pages, struct err *e)
{
	int r = 0;

	*pages = UINT64_MAX;
	if (!t->began || t->backend == CR_TRACK_CONTENT)
		return 0;
	*pages = 0;
	for (size_t i = 0; i < t->count && r >= 0; i++)
		r = t->backend == CR_TRACK_UFFD ? cr_track_uffd_pending(t, &t->procs[i], pages, e)
						: cr_track_soft_pending(t, &t->procs[i], pages, e);
	return r < 0 ? r : 0;
}

static struct cr_proc *find_id(struct cr_track *t, uint32_t id)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->procs[i].id == id)
			return &t->procs[i];
	return NULL;
}

/* The process of an id, now that all are stopped. */
static int stopped_proc(struct cr_track *t, uint32_t id, struct cr_proc **p, struct err *e)
{
	struct cr_track_stats ignored = {0};
	int r = t->stopped ? 0 : cr_procs_list(t, &ignored, e);

	if (r < 0)
		return r;
	t->stopped = true;
	*p = find_id(t, id);
	if (!*p)
		return err_set(e, ESRCH, "the container has no process %" PRIu32, id);
	return 0;
}

static int check_needed(const struct cr_run *needed, size_t count, struct err *e)
{
	uint64_t least = 0;

	for (size_t i = 0; i < count; i++) {
		const struct cr_run *n = &needed[i];

		if (n->vaddr % CR_PAGE_SIZE || n->vaddr < least || n->vaddr >= VADDR_MOST ||
		    n->npages == 0 || n->npages > (VADDR_MOST - n->vaddr) / CR_PAGE_SIZE)
			return err_set(e, EINVAL, "a list of pages is impossible at entry %zu", i);
		least = n->vaddr + n->npages * CR_PAGE_SIZE;
	}
	return 0;
}

/* After it, what is not in sent is what must go. */
static int settle(struct cr_track *t, uint32_t id, const struct cr_run *needed, size_t count,
		  struct cr_proc **p, struct err *e)
{
	int r = check_needed(needed, count, e);

	if (r == 0)
		r = stopped_proc(t, id, p, e);
	if (r < 0)
		return r;
	if (t->backend == CR_TRACK_UFFD)
		return cr_track_uffd_settle(t, *p, e);
	if (t->backend == CR_TRACK_SOFT_DIRTY)
		return cr_track_soft_settle(t, *p, needed, count, e);
	return cr_track_content_settle(t, *p, needed, count, e);
}

int cr_track_left(struct cr_track *t, uint32_t id, const struct cr_run *needed, size_t count,
		  struct cr_run **left, struct err *e)
{
	auto_free struct cr_run *v = NULL;
	struct cr_proc *p = NULL;
	size_t n = 0, room = 0;
	int r;

	*left = NULL;
	r = settle(t, id, needed, count, &p, e);
	for (size_t i = 0; i < count && r >= 0; i++) {
		uint64_t at = needed[i].vaddr, end = at + needed[i].npages * CR_PAGE_SIZE;
		struct cr_run run;

		for (; (run = cr_set_next(&p->sent, at, end, false)).npages;
		     at = run.vaddr + run.npages * CR_PAGE_SIZE) {
			if (n == room) {
				struct cr_run *more =
					realloc(v, (room = room * 2 + 64) * sizeof(*v));

				if (!more)
					return err_set(e, ENOMEM, "no memory for a list of pages");
				v = more;
			}
			v[n++] = run;
		}
	}
	if (r < 0)
		return r;
	*left = take_ptr(&v);
	return (int)n;
}

bool cr_track_is_quick(const struct cr_track *t)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->procs[i].direct)
			return false;
	return t->began && t->backend == CR_TRACK_UFFD;
}

static int missed(void *arg, uint64_t vaddr, struct err *e)
{
	const struct cr_send *s = arg;

	return err_set(e, EFAULT, "page %" PRIx64 " of process %" PRIu32 " cannot be read", vaddr,
		       s->p->id);
}

int cr_track_final(struct cr_track *t, uint32_t id, const struct cr_run *needed, size_t count,
		   cr_track_sink sink, void *arg, struct cr_track_stats *stats, struct err *e)
{
	auto_free struct cr_run *left = NULL;
	struct timed to = {sink, arg, 0};
	struct cr_send s = {t, NULL, timed_sink, &to, stats};
	uint64_t since = log_now_ns();
	int n = cr_track_left(t, id, needed, count, &left, e), r = 0;

	if (n < 0)
		return n;
	s.p = find_id(t, id);
	cr_reader_begin(&t->reader, s.p->pid,
			t->backend == CR_TRACK_UFFD ? cr_send_pages : cr_content_send, missed, &s);
	for (int i = 0; i < n && r >= 0; i++)
		r = cr_reader_add(&t->reader, left[i].vaddr, left[i].npages, e);
	if (r >= 0)
		r = cr_reader_flush(&t->reader, e);
	if (r >= 0 && t->reader.gone)
		r = err_set(e, ESRCH, "process %" PRIu32 " has ended", id);
	stats->processes++;
	stats->untracked += is_untracked(t, s.p);
	stats->ns += log_now_ns() - since;
	stats->sink_ns += to.ns;
	return r < 0 ? r : 0;
}

int cr_track_read(struct cr_track *t, uint32_t id, uint64_t vaddr, uint32_t npages, void *data,
		  struct err *e)
{
	struct cr_run run = {vaddr, npages};
	struct cr_proc *p = NULL;
	int r = check_needed(&run, 1, e);

	if (r == 0 && npages > CR_TRACK_BATCH)
		r = err_set(e, EINVAL, "%" PRIu32 " pages are too many at once", npages);
	if (r == 0)
		r = stopped_proc(t, id, &p, e);
	if (r < 0)
		return r;
	r = cr_pages_read(p->pid, vaddr, npages, data);
	if (r == -ESRCH)
		return err_set(e, ESRCH, "process %" PRIu32 " has ended", id);
	if (r != (int)npages)
		return err_set(e, EFAULT, "page %" PRIx64 " of process %" PRIu32 " cannot be read",
			       vaddr + (uint64_t)r * CR_PAGE_SIZE, id);
	return 0;
}

size_t cr_track_memory(const struct cr_track *t)
{
	size_t sum = sizeof(*t) + t->count * sizeof(*t->procs);

	for (size_t i = 0; i < t->count; i++)
		sum += cr_leaves_memory(&t->procs[i].sent) + cr_leaves_memory(&t->procs[i].ever) +
		       cr_leaves_memory(&t->procs[i].echo) + cr_leaves_memory(&t->procs[i].hashes) +
		       cr_leaves_memory(&t->procs[i].soft.frames);
	return sum;
}
