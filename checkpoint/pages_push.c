// SPDX-License-Identifier: GPL-2.0-only
/* What is pushed into the restored processes while they ask for nothing. */
#include "base/err.h"
#include "checkpoint/pages_lazy.h"

#define PAGE ((uint64_t)CR_PAGE_BYTES)

/*
 * The hand has the second half, we the first. Nothing else is done meanwhile: no event is read, so what the kernel refuses to the hand it refuses for a reason that we find when we
 * come there.
 */
static int push_both(struct cr_lazy *l, struct cr_task *t, struct err *e)
{
	const struct cr_range r = *cr_ranges_first(&t->left);
	uint64_t all = (r.end - r.start) / PAGE,
		 half = all / 2 < CR_LAZY_HALF ? all / 2 : CR_LAZY_HALF;
	uint64_t second = r.start + half * PAGE;
	struct cr_hand_job job = {.uffd = t->uffd,
				  .store = l->store,
				  .addr = second,
				  .at = cr_pages_at(t->slot, r.img + half * PAGE),
				  .npages = (uint32_t)half,
				  .keep = t->family->forked};
	int mine = 0, n = 1;

	cr_hand_give(l->hand, &job);
	while (n > 0 && (uint64_t)mine < half) {
		uint64_t left = half - (uint64_t)mine;

		n = cr_task_push(l, t, r.start + (uint64_t)mine * PAGE,
				 left < CR_LAZY_BUFFER ? (uint32_t)left : CR_LAZY_BUFFER, e);
		mine += n > 0 ? n : 0;
	}
	cr_hand_take(l->hand);
	/* The next faults may be near: alone, and in small pieces. */
	if (job.error)
		l->push_pages = CR_LAZY_PUSH_LEAST;
	if (n >= 0 && t->uffd >= 0 &&
	    cr_ranges_cut(&t->left, second, second + job.done * PAGE, e) < 0)
		n = -e->no;
	return n < 0 ? n : mine + (int)job.done;
}

static bool may_push(const struct cr_lazy *l, const struct cr_task *t)
{
	return l->finished && t->uffd >= 0 && t->left.count && !t->again;
}

/* A second processor is used when nobody waits for it: not while the two hosts agree on letting the tasks run, and not while these ask for pages. */
static bool may_use_both(const struct cr_lazy *l, const struct cr_task *t)
{
	const struct cr_range *r = cr_ranges_first(&t->left);

	return l->hand && l->push_pages == CR_LAZY_PUSH_MOST &&
	       (r->end - r->start) / PAGE >= CR_LAZY_HALF &&
	       (l->thawed || cr_lazy_now_ns() - l->report.finished_ns >= CR_LAZY_GIVE_WAY_NS);
}

int cr_tasks_push(struct cr_lazy *l, struct err *e)
{
	for (size_t i = 0; i < l->task_count; i++) {
		struct cr_task *t = l->tasks[(l->turn + i) % l->task_count];
		int n;

		if (!may_push(l, t))
			continue;
		l->turn = (l->turn + i) % l->task_count;
		n = may_use_both(l, t) ? push_both(l, t, e)
				       : cr_task_push(l, t, cr_ranges_first(&t->left)->start,
						      l->push_pages, e);
		if (n == 0) /* not now, or it has ended */
			continue;
		if (n > 0) {
			l->report.pushed += (uint64_t)n;
			if (l->push_pages < CR_LAZY_PUSH_MOST)
				l->push_pages *= 2;
		}
		return n < 0 ? n : 1;
	}
	return 0;
}
