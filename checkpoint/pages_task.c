// SPDX-License-Identifier: GPL-2.0-only
/* One restored process: its faults, its events, its pages. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "checkpoint/pages_lazy.h"

#define PAGE	      ((uint64_t)CR_PAGE_BYTES)
#define MESSAGES_MOST 16 /* of one process before the next one is heard */

void cr_task_end(struct cr_task *t)
{
	own_close_fd(&t->uffd);
	cr_ranges_done(&t->left);
	cr_ranges_done(&t->absent);
	free(t->waiting);
	t->waiting = NULL;
	t->waiting_count = t->waiting_room = 0;
	if (t->family && --t->family->members == 0)
		free(t->family);
	t->family = NULL;
}

void cr_task_free(struct cr_task *t)
{
	if (t)
		cr_task_end(t);
	free(t);
}

void cr_task_drop(struct cr_task **t)
{
	cr_task_free(*t);
	*t = NULL;
}

bool cr_task_is_complete(const struct cr_task *t)
{
	return !t->left.count && !t->absent.count && !t->waiting_count;
}

/* --- a new one --- */

static uint32_t slot_of(const struct cr_lazy *l, uint32_t id)
{
	for (uint32_t i = 0; i < l->index->count; i++)
		if (l->index->id[i] == id)
			return i + 1;
	return 0;
}

/* Divides a run of missing pages into those that the store has and those that it has not. */
static int add_run(struct cr_lazy *l, struct cr_task *t, const struct cr_page_run *run,
		   struct err *e)
{
	uint64_t end = run->vaddr + run->npages * PAGE, n = run->npages;
	bool stored = false;

	for (uint64_t at = run->vaddr; at < end; at += n * PAGE) {
		if (t->slot && cr_pages_index_run(l->store, t->slot, at, (end - at) / PAGE, &stored,
						  &n, e) < 0)
			return -e->no;
		if (cr_ranges_add(stored ? &t->left : &t->absent,
				  (struct cr_range){at, at + n * PAGE, at}, e) < 0)
			return -e->no;
	}
	return 0;
}

int cr_task_describe(struct cr_lazy *l, struct cr_task *t, const struct cr_pagemap *map,
		     struct err *e)
{
	t->id = map->id;
	t->slot = slot_of(l, map->id);
	for (size_t i = 0; i < map->count; i++)
		if ((map->runs[i].flags & CR_PAGE_LAZY) && add_run(l, t, &map->runs[i], e) < 0)
			return -e->no;
	return 0;
}

static int find_missing(struct cr_lazy *l, struct cr_task *t, uint32_t id, struct err *e)
{
	auto_pagemap struct cr_pagemap map = {0};
	int r = cr_pagemap_load(l->images, id, &map, e);

	if (r == -ENOENT && !e->no)
		return err_set(e, EPROTO, "there is no image of the pages of process %u", id);
	if (r >= 0)
		r = cr_task_describe(l, t, &map, e);
	if (r >= 0 && t->absent.count && !l->source.expected)
		return err_set(e, ENODATA, "%llu pages of process %u are nowhere",
			       (unsigned long long)t->absent.pages, id);
	return r;
}

static int enlist(struct cr_lazy *l, struct cr_task *t, struct err *e)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = t};

	if (l->task_count == l->task_room) {
		size_t room = 2 * l->task_room + 16;
		struct cr_task **more = reallocarray(l->tasks, room, sizeof(void *));

		if (!more)
			return err_set(e, ENOMEM, "remember a process: out of memory");
		l->tasks = more;
		l->task_room = room;
	}
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, t->uffd, &ev) < 0)
		return err_sys(e, "watch a userfaultfd");
	l->tasks[l->task_count++] = t;
	return 0;
}

int cr_task_add(struct cr_lazy *l, uint32_t id, int *uffd, struct err *e)
{
	auto_task struct cr_task *t = calloc(1, sizeof(*t));
	int flags = fcntl(*uffd, F_GETFL);

	if (t)
		t->uffd = -EBADF;
	if (!t || !(t->family = calloc(1, sizeof(*t->family))))
		return err_set(e, ENOMEM, "remember a process: out of memory");
	t->family->members = 1;
	if (flags < 0 || fcntl(*uffd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(e, "set up a userfaultfd");
	if (find_missing(l, t, id, e) < 0)
		return -e->no;
	l->report.total += t->left.pages + t->absent.pages;
	t->uffd = *uffd;
	if (enlist(l, t, e) < 0) {
		t->uffd = -EBADF;
		return -e->no;
	}
	*uffd = -EBADF;
	t = NULL;
	return 0;
}

/* --- pages into it --- */

static void wake(const struct cr_task *t, uint64_t start, uint64_t len)
{
	struct uffdio_range range = {.start = start, .len = len};

	(void)ioctl(t->uffd, UFFDIO_WAKE, &range);
}

/*
 * What an ioctl that puts pages said: done (bytes, if it did some of them), else errno. Returns pages that need no more care; 0: not now; -errno with e.
 * ENOENT: nothing is mapped there that is registered, or the range goes over the end of a mapping (then a shorter one tells which).
 */
static int judge(struct cr_lazy *l, struct cr_task *t, const char *what, uint64_t addr,
		 uint32_t *npages, int64_t done, int error, struct err *e)
{
	if (done > 0) {
		l->starved_ns = 0;
		return (int)((uint64_t)done / PAGE);
	}
	switch (error) {
	case ENOMEM:
		if (!l->starved_ns)
			l->starved_ns = cr_lazy_now_ns();
		t->again = true;
		return 0;
	case EAGAIN:
		t->again = true;
		return 0;
	case EEXIST:
		wake(t, addr, PAGE);
		return 1;
	case ENOENT:
		if (*npages > 1) {
			*npages /= 2;
			return -EAGAIN; /* try that */
		}
		wake(t, addr, PAGE);
		return 1;
	case ENOSPC: /* kernels up to 4.13 */
	case ESRCH:
		cr_task_end(t);
		return 0;
	default:
		return err_set(e, error, "%s %u pages at %#llx of process %u: %s", what, *npages,
			       (unsigned long long)addr, t->id, strerror(error));
	}
}

/* Pages that lie at `from`. Returns how many need no more care, 0: not now. */
static int put_from(struct cr_lazy *l, struct cr_task *t, uint64_t addr, const void *from,
		    uint32_t npages, struct err *e)
{
	int done, n;

	do {
		struct uffdio_copy c = {
			.dst = addr, .src = (uint64_t)(uintptr_t)from, .len = npages * PAGE};

		n = ioctl(t->uffd, UFFDIO_COPY, &c);
		done = judge(l, t, "copy", addr, &npages, n < 0 ? c.copy : (int64_t)c.len,
			     n < 0 ? errno : 0, e);
	} while (done == -EAGAIN && !e->no);
	return done;
}

/*
 * Pages of the store at `at`, which are contiguous. Through a buffer that stays in the processor's cache: 46 ms of it for 180 MB; to map the store and let the kernel copy
 * from there takes 54, with larger pieces more.
 */
static int put(struct cr_lazy *l, struct cr_task *t, uint64_t addr, uint64_t at, uint32_t npages,
	       struct err *e)
{
	if (pread(l->store, l->buffer, npages * PAGE, (off_t)at) != (ssize_t)(npages * PAGE))
		return err_sys(e, "read the store of pages");
	return put_from(l, t, addr, l->buffer, npages, e);
}

/* npages of one range of `left`. */
static int copy(struct cr_lazy *l, struct cr_task *t, const struct cr_range *r, uint64_t addr,
		uint32_t npages, struct err *e)
{
	uint64_t at = cr_pages_at(t->slot, r->img + (addr - r->start));
	int done = put(l, t, addr, at, npages, e);

	if (done <= 0)
		return done;
	if (!t->family->forked && fallocate(l->store, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					    (off_t)at, (off_t)((uint64_t)done * PAGE)) < 0)
		return err_sys(e, "free the store of pages");
	if (cr_ranges_cut(&t->left, addr, addr + (uint64_t)done * PAGE, e) < 0)
		return -e->no;
	return done;
}

int cr_task_push(struct cr_lazy *l, struct cr_task *t, uint64_t addr, uint32_t npages,
		 struct err *e)
{
	const struct cr_range *r = cr_ranges_find(&t->left, addr);
	uint64_t most = (r->end - addr) / PAGE;

	return copy(l, t, r, addr, npages < most ? npages : (uint32_t)most, e);
}

/* The first part of what is absent that was dumped in [img, img_end). */
static bool find_absent(const struct cr_task *t, uint64_t img, uint64_t img_end,
			struct cr_range *part)
{
	for (size_t i = 0; i < t->absent.count; i++) {
		const struct cr_range *r = &t->absent.all[t->absent.first + i];
		uint64_t end = r->img + (r->end - r->start);
		uint64_t from = r->img > img ? r->img : img;

		end = end < img_end ? end : img_end;
		if (from >= end)
			continue;
		part->img = from;
		part->start = r->start + (from - r->img);
		part->end = part->start + (end - from);
		return true;
	}
	return false;
}

/* Nobody waits for those any more. */
static void forget_waiting(struct cr_task *t, uint64_t start, uint64_t end)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->waiting_count; i++)
		if (t->waiting[i] < start || t->waiting[i] >= end)
			t->waiting[kept++] = t->waiting[i];
	t->waiting_count = kept;
}

int cr_task_take(struct cr_lazy *l, struct cr_task *t, uint64_t img, uint32_t npages,
		 const uint8_t *data, struct err *e)
{
	uint64_t img_end = img + npages * PAGE;
	struct cr_range part;
	int all = 0;

	while (t->uffd >= 0 && find_absent(t, img, img_end, &part)) {
		uint64_t end;
		int n = put_from(l, t, part.start, data + (part.img - img),
				 (uint32_t)((part.end - part.start) / PAGE), e);

		if (n <= 0)
			return n < 0 ? n : all;
		end = part.start + (uint64_t)n * PAGE;
		if (cr_ranges_cut(&t->absent, part.start, end, e) < 0)
			return -e->no;
		forget_waiting(t, part.start, end);
		all += n;
	}
	return all;
}

/* --- its faults --- */

static int wait_more(struct cr_task *t, uint64_t addr, struct err *e)
{
	for (size_t i = 0; i < t->waiting_count; i++)
		if (t->waiting[i] == addr)
			return 0;
	if (t->waiting_count == t->waiting_room) {
		size_t room = 2 * t->waiting_room + 16;
		uint64_t *more = reallocarray(t->waiting, room, sizeof(*more));

		if (!more)
			return err_set(e, ENOMEM, "remember a fault: out of memory");
		t->waiting = more;
		t->waiting_room = room;
	}
	t->waiting[t->waiting_count++] = addr;
	return 0;
}

static int put_zero(struct cr_lazy *l, struct cr_task *t, uint64_t addr, struct err *e)
{
	struct uffdio_zeropage z = {.range = {.start = addr, .len = PAGE}};
	uint32_t one = 1;
	int n = ioctl(t->uffd, UFFDIO_ZEROPAGE, &z);

	n = judge(l, t, "clear", addr, &one, n < 0 ? z.zeropage : (int64_t)PAGE, n < 0 ? errno : 0,
		  e);
	if (n > 0)
		l->report.zeroed++;
	return n;
}

/* The task that waits gets its page first; of one that goes on from page to page those that follow are put in, too, more each time. */
static int put_fault(struct cr_lazy *l, struct cr_task *t, uint64_t addr, struct err *e)
{
	int n = cr_task_push(l, t, addr, 1, e), m = 0;

	if (n <= 0)
		return n;
	t->ahead = addr != t->ahead_at		       ? 0
		   : !t->ahead			       ? 4
		   : t->ahead < CR_LAZY_AHEAD_MOST / 2 ? 2 * t->ahead
						       : CR_LAZY_AHEAD_MOST;
	if (t->ahead && cr_ranges_find(&t->left, addr + PAGE))
		m = cr_task_push(l, t, addr + PAGE, t->ahead, e);
	if (m < 0)
		return m;
	t->ahead_at = addr + (uint64_t)(n + m) * PAGE;
	l->report.faulted += (uint64_t)(n + m);
	return n;
}

/* Serves one fault, or lets it wait. */
static int serve(struct cr_lazy *l, struct cr_task *t, uint64_t addr, struct err *e)
{
	const struct cr_range *absent;
	int r;

	if (cr_ranges_find(&t->left, addr)) {
		r = put_fault(l, t, addr, e);
	} else if ((absent = cr_ranges_find(&t->absent, addr))) {
		r = cr_source_want(l, t->id, absent->img + (addr - absent->start), e);
		return r < 0 ? r : wait_more(t, addr, e);
	} else {
		r = put_zero(l, t, addr, e);
	}
	return r == 0 && t->uffd >= 0 ? wait_more(t, addr, e) : r;
}

int cr_task_retry(struct cr_lazy *l, struct cr_task *t, struct err *e)
{
	auto_free uint64_t *old = take_ptr(&t->waiting);
	size_t count = t->waiting_count;
	int r = 0;

	t->waiting_count = t->waiting_room = 0;
	for (size_t i = 0; r >= 0 && i < count && t->uffd >= 0; i++)
		r = serve(l, t, old[i], e);
	return r;
}

/* --- what it does to its memory --- */

static int follow_fork(struct cr_lazy *l, struct cr_task *parent, int uffd, struct err *e)
{
	auto_task struct cr_task *t = calloc(1, sizeof(*t));

	if (!t) {
		close(uffd);
		return err_set(e, ENOMEM, "remember a process: out of memory");
	}
	t->uffd = uffd;
	t->id = parent->id;
	t->slot = parent->slot;
	t->family = parent->family;
	t->family->members++;
	t->family->forked = true;
	if (cr_ranges_copy(&t->left, &parent->left, e) < 0 ||
	    cr_ranges_copy(&t->absent, &parent->absent, e) < 0 || enlist(l, t, e) < 0)
		return -e->no;
	l->report.total += t->left.pages + t->absent.pages;
	t = NULL;
	return 0;
}

static int follow_remove(struct cr_task *t, uint64_t start, uint64_t end, struct err *e)
{
	if (cr_ranges_cut(&t->left, start, end, e) < 0 ||
	    cr_ranges_cut(&t->absent, start, end, e) < 0)
		return -e->no;
	/* A thread that waits there for a page of ours is to look again what is there now. */
	wake(t, start, end - start);
	return 0;
}

static int follow_move(struct cr_task *t, uint64_t from, uint64_t to, uint64_t len, struct err *e)
{
	if (cr_ranges_move(&t->left, from, to, len, e) < 0 ||
	    cr_ranges_move(&t->absent, from, to, len, e) < 0)
		return -e->no;
	wake(t, from, len);
	return 0;
}

static int follow(struct cr_lazy *l, struct cr_task *t, const struct uffd_msg *m, struct err *e)
{
	switch (m->event) {
	case UFFD_EVENT_PAGEFAULT:
		l->report.faults++;
		l->push_pages = CR_LAZY_PUSH_LEAST;
		return serve(l, t, m->arg.pagefault.address & ~(PAGE - 1), e);
	case UFFD_EVENT_FORK:
		return follow_fork(l, t, (int)m->arg.fork.ufd, e);
	case UFFD_EVENT_REMAP:
		return follow_move(t, m->arg.remap.from, m->arg.remap.to, m->arg.remap.len, e);
	case UFFD_EVENT_REMOVE:
	case UFFD_EVENT_UNMAP:
		return follow_remove(t, m->arg.remove.start, m->arg.remove.end, e);
	default:
		return err_set(e, EPROTO, "the kernel tells something unknown (%u) of process %u",
			       m->event, t->id);
	}
}

int cr_task_read(struct cr_lazy *l, struct cr_task *t, struct err *e)
{
	struct uffd_msg m;

	for (int i = 0; i < MESSAGES_MOST && t->uffd >= 0; i++) {
		ssize_t n = read(t->uffd, &m, sizeof(m));

		if (n < 0 && errno == EINTR)
			continue;
		/* EMFILE: a fork has to wait until others are complete. */
		if (n < 0 && (errno == EAGAIN || errno == EMFILE))
			return 0;
		if (n != (ssize_t)sizeof(m))
			return err_sys(e, "read a userfaultfd");
		if (follow(l, t, &m, e) < 0)
			return -e->no;
	}
	return 0;
}
