// SPDX-License-Identifier: GPL-2.0-only
/* The target's half of pages_wire.h: asks for pages, puts the answers into the store. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "checkpoint/pages_lazy.h"

#define PAGE	   ((uint64_t)CR_PAGE_BYTES)
#define FILL_MOST  256 /* pages of a request that nobody waits for */
#define FILLS_MOST 48  /* requests, of which the others are for tasks that wait */
#define DRAIN_NS   UINT64_C(2000000000)

_Static_assert(FILL_MOST <= CR_PAGES_RUN_MOST && FILLS_MOST < CR_PAGES_ASKED_MOST,
	       "of the protocol");

int cr_source_set(struct cr_lazy *l, int in, int out, struct err *e)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &l->source};
	struct cr_source *s = &l->source;

	cr_source_close(l, false);
	s->in = in;
	s->out = out;
	s->expected = true;
	s->flow = (struct cr_flow){0};
	if (!s->data)
		s->data = malloc(CR_PAGES_RUN_MOST * PAGE);
	if (!s->data)
		return err_set(e, ENOMEM, "ask the source: out of memory");
	if (fcntl(in, F_SETFL, fcntl(in, F_GETFL) | O_NONBLOCK) < 0 ||
	    epoll_ctl(l->epoll, EPOLL_CTL_ADD, in, &ev) < 0)
		return err_sys(e, "watch the link to the source");
	return 0;
}

/* Requests are few and short: they fit into what any pipe or socket holds. One that does not is of a link that is stuck. */
static void send_request(struct cr_lazy *l, uint32_t kind, uint32_t id, uint64_t img,
			 uint32_t npages)
{
	struct cr_source *s = &l->source;
	const struct cr_pages_request q = {.magic = CR_PAGES_WIRE_MAGIC,
					   .kind = kind,
					   .id = id,
					   .npages = npages,
					   .vaddr = img};
	struct err why = {0};

	s->asked[s->asked_count++] =
		(struct cr_asked){.id = id,
				  .npages = npages,
				  .img = img,
				  .wanted = kind == CR_PAGES_WANT,
				  .mark = cr_flow_ask(&s->flow, npages, cr_lazy_now_ns())};
	if (file_write_all(s->out, &q, sizeof(q), &why) < 0)
		cr_source_close(l, false);
}

static uint64_t asked_end(const struct cr_asked *q)
{
	return q->img + q->npages * PAGE;
}

/* The request that has the page; NULL: none. */
static const struct cr_asked *find_asked(const struct cr_source *s, uint32_t id, uint64_t img)
{
	for (unsigned i = 0; i < s->asked_count; i++)
		if (s->asked[i].id == id && img >= s->asked[i].img && img < asked_end(&s->asked[i]))
			return &s->asked[i];
	return NULL;
}

/* Where the first request behind `at` begins, or end. */
static uint64_t next_asked(const struct cr_source *s, uint32_t id, uint64_t at, uint64_t end)
{
	for (unsigned i = 0; i < s->asked_count; i++)
		if (s->asked[i].id == id && s->asked[i].img > at && s->asked[i].img < end)
			end = s->asked[i].img;
	return end;
}

int cr_source_want(struct cr_lazy *l, uint32_t id, uint64_t img, struct err *e)
{
	struct cr_source *s = &l->source;

	if (!s->expected)
		return err_set(e, ENODATA, "a page at %#llx of process %u is nowhere",
			       (unsigned long long)img, id);
	cr_flow_wait(&s->flow, cr_lazy_now_ns());
	/* No room, or no link: it waits with its fault, which is tried again when something has come. */
	if (s->out >= 0 && s->asked_count < CR_PAGES_ASKED_MOST && !find_asked(s, id, img))
		send_request(l, CR_PAGES_WANT, id, img, 1);
	return 0;
}

/* The first pages that are absent and not asked for, up to *npages. */
static bool next_fill(const struct cr_lazy *l, uint32_t *id, uint64_t *img, uint32_t *npages)
{
	const struct cr_source *s = &l->source;
	struct cr_task *const *tasks = l->finished ? l->tasks : l->plan;
	size_t count = l->finished ? l->task_count : l->plan_count;

	for (size_t i = 0; i < count; i++) {
		const struct cr_task *t = tasks[i];

		for (size_t k = 0; k < t->absent.count; k++) {
			const struct cr_range *r = &t->absent.all[t->absent.first + k];
			uint64_t at = r->img, end = r->img + (r->end - r->start);
			const struct cr_asked *q;

			while (at < end && (q = find_asked(s, t->id, at)))
				at = asked_end(q);
			if (at >= end)
				continue;
			if (end - at > *npages * PAGE)
				end = at + *npages * PAGE;
			*id = t->id;
			*img = at;
			*npages = (uint32_t)((next_asked(s, t->id, at, end) - at) / PAGE);
			return true;
		}
	}
	return false;
}

int cr_source_fill(struct cr_lazy *l, struct err *e)
{
	struct cr_source *s = &l->source;
	uint32_t id, npages;
	uint64_t img;

	(void)e;
	while (s->out >= 0 && s->asked_count < FILLS_MOST &&
	       (npages = cr_flow_next(&s->flow, FILL_MOST, cr_lazy_now_ns())) > 0 &&
	       next_fill(l, &id, &img, &npages))
		send_request(l, CR_PAGES_FILL, id, img, npages);
	return 0;
}

/* --- answers --- */

static int check_answer(const struct cr_source *s, struct err *e)
{
	const struct cr_pages_answer *a = &s->head;
	const struct cr_asked *q = &s->asked[0];

	if (a->magic != CR_PAGES_WIRE_MAGIC || !s->asked_count || a->id != q->id ||
	    a->vaddr != q->img || !a->npages || a->npages > q->npages)
		return err_set(e, EPROTO, "the source answers what was not asked");
	if (a->flags & CR_PAGES_GONE)
		return err_set(e, ENODATA, "the source has no page %#llx of process %u",
			       (unsigned long long)a->vaddr, a->id);
	return 0;
}

static size_t data_len(const struct cr_pages_answer *a)
{
	return a->flags & CR_PAGES_ZERO ? 0 : a->npages * PAGE;
}

static uint32_t slot_make(struct cr_lazy *l, uint32_t id)
{
	uint32_t i = 0;

	while (i < l->index->count && l->index->id[i] != id)
		i++;
	if (i == CR_PAGES_PROCESSES_MOST)
		return 0;
	if (i == l->index->count) {
		l->index->id[i] = id;
		l->index->count++;
	}
	return i + 1;
}

/* The answer is whole. */
static void note_answer(struct cr_source *s)
{
	s->head_have = s->data_have = 0;
	s->asked[0].img += s->head.npages * PAGE;
	s->asked[0].npages -= s->head.npages;
	cr_flow_come(&s->flow, &s->asked[0].mark, s->head.npages, !s->asked[0].npages,
		     cr_lazy_now_ns());
	if (!s->asked[0].npages)
		memmove(s->asked, s->asked + 1, --s->asked_count * sizeof(*s->asked));
}

/*
 * Whose pages they are, if only one process can have them: those that are one by fork get them out of the store. To a process that is not whole yet nothing
 * may be copied; it gets them from there, too.
 */
static struct cr_task *only_one(const struct cr_lazy *l, uint32_t id)
{
	struct cr_task *found = NULL;

	for (size_t i = 0; l->finished && i < l->task_count; i++) {
		struct cr_task *t = l->tasks[i];

		if (t->id != id || t->uffd < 0)
			continue;
		if (found || t->family->forked)
			return NULL;
		found = t;
	}
	return found;
}

/* 1: the process that misses them has them all. By way of the store each would be copied twice more. */
static int hand_over(struct cr_lazy *l, const struct cr_pages_answer *a, struct err *e)
{
	struct cr_source *s = &l->source;
	struct cr_task *t = only_one(l, a->id);
	uint64_t *count = s->asked[0].wanted ? &l->report.faulted : &l->report.pushed;
	int n = t ? cr_task_take(l, t, a->vaddr, a->npages, s->data, e) : 0;

	if (n > 0)
		*count += (uint64_t)n;
	return n < 0 ? n : n == (int)a->npages;
}

/* It is whole: where it is missed, or into the store, and every process of that id can have it. */
static int take_answer(struct cr_lazy *l, struct err *e)
{
	struct cr_source *s = &l->source;
	const struct cr_pages_answer a = s->head;
	size_t len = a.npages * PAGE;
	uint32_t slot;
	int r;

	if (a.flags & CR_PAGES_ZERO)
		memset(s->data, 0, len);
	else if (cr_pages_sum(0, s->data, a.npages) != a.sum)
		return err_set(e, EBADMSG, "pages from the source are damaged");
	r = hand_over(l, &a, e);
	if (r > 0) {
		l->report.fetched += a.npages;
		note_answer(s);
	}
	if (r != 0)
		return r;
	slot = slot_make(l, a.id);
	if (!slot)
		return err_set(e, ENOSPC, "no room for more processes in the store of pages");
	if (pwrite(l->store, s->data, len, (off_t)cr_pages_at(slot, a.vaddr)) != (ssize_t)len)
		return err_sys(e, "keep pages of memory");
	l->report.fetched += a.npages;
	note_answer(s);
	return cr_tasks_arrive(l, a.id, slot, a.vaddr, a.vaddr + len, e) < 0 ? -e->no : 1;
}

/* Reads on: 1: it was all there, 0: not yet, -EPIPE (e untouched): the link broke. */
static int read_on(struct cr_source *s, void *to, size_t want, size_t *have)
{
	while (*have < want) {
		ssize_t n = read(s->in, (uint8_t *)to + *have, want - *have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return -EPIPE;
		*have += (size_t)n;
	}
	return 1;
}

int cr_source_read(struct cr_lazy *l, struct err *e)
{
	struct cr_source *s = &l->source;
	bool fresh = s->head_have < sizeof(s->head);
	int r = read_on(s, &s->head, sizeof(s->head), &s->head_have);

	if (r > 0 && fresh) {
		if (check_answer(s, e) < 0)
			return -e->no;
		cr_flow_begin(&s->flow, &s->asked[0].mark, cr_lazy_now_ns());
	}
	if (r > 0)
		r = read_on(s, s->data, data_len(&s->head), &s->data_have);
	if (r > 0)
		r = take_answer(l, e);
	if (e->no == EBADMSG) {
		/* A fault of the link, not of the pages: the same are asked again over the next one. */
		err_clear(e);
		r = -EPIPE;
	}
	if (r == -EPIPE && !e->no) {
		cr_source_close(l, false);
		return 0;
	}
	return r;
}

/* What was asked and is needed no more. */
static void drain(struct cr_source *s)
{
	uint64_t until = cr_lazy_now_ns() + DRAIN_NS, now;
	struct pollfd p = {.fd = s->in, .events = POLLIN};
	struct err ignored = {0};

	while (s->asked_count && (now = cr_lazy_now_ns()) < until &&
	       poll(&p, 1, (int)((until - now) / 1000000) + 1) > 0) {
		int r = read_on(s, &s->head, sizeof(s->head), &s->head_have);

		if (r > 0 && check_answer(s, &ignored) < 0)
			return;
		if (r > 0)
			r = read_on(s, s->data, data_len(&s->head), &s->data_have);
		if (r > 0)
			note_answer(s);
		if (r < 0)
			return;
	}
}

void cr_source_close(struct cr_lazy *l, bool done)
{
	struct cr_source *s = &l->source;
	const struct cr_pages_request last = {.magic = CR_PAGES_WIRE_MAGIC, .kind = CR_PAGES_DONE};
	struct err ignored = {0};

	/* To a source that is gone it does not matter: it finds out by `migrate --continue`. */
	if (done && s->out >= 0 && file_write_all(s->out, &last, sizeof(last), &ignored) >= 0)
		drain(s);
	if (s->in >= 0)
		(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->in, NULL);
	if (s->out != s->in)
		own_close_fd(&s->out);
	own_close_fd(&s->in);
	s->out = -EBADF;
	s->asked_count = 0;
	s->head_have = s->data_have = 0;
}
