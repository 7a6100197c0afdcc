// SPDX-License-Identifier: GPL-2.0-only
/* What is asked from the source while criu makes the processes: some 30 ms in which the link would be idle. */
#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "checkpoint/pagemap.h"
#include "checkpoint/pages_lazy.h"

#define PAGE ((uint64_t)CR_PAGE_BYTES)

static int plan_one(const struct cr_pagemap *map, void *arg, struct err *e)
{
	struct cr_lazy *l = arg;
	auto_task struct cr_task *t = calloc(1, sizeof(*t));
	struct cr_task **more = reallocarray(l->plan, l->plan_count + 1, sizeof(void *));

	if (more)
		l->plan = more;
	if (!t || !more)
		return err_set(e, ENOMEM, "remember a process: out of memory");
	t->uffd = -EBADF;
	if (cr_task_describe(l, t, map, e) < 0)
		return -e->no;
	cr_ranges_done(&t->left);
	l->plan[l->plan_count++] = t;
	t = NULL;
	return 0;
}

int cr_tasks_plan(struct cr_lazy *l, struct err *e)
{
	return cr_pagemap_each(l->images, plan_one, l, e);
}

void cr_tasks_plan_done(struct cr_lazy *l)
{
	for (size_t i = 0; i < l->plan_count; i++)
		cr_task_free(l->plan[i]);
	free(l->plan);
	l->plan = NULL;
	l->plan_count = 0;
}

int cr_tasks_arrive(struct cr_lazy *l, uint32_t id, uint32_t slot, uint64_t img, uint64_t img_end,
		    struct err *e)
{
	/* Who comes later looks there. */
	if (!l->finished &&
	    cr_pages_index_mark(l->store, slot, img, (img_end - img) / PAGE, true, e) < 0)
		return -e->no;
	for (size_t i = 0; i < l->plan_count; i++)
		if (l->plan[i]->id == id && cr_ranges_cut(&l->plan[i]->absent, img, img_end, e) < 0)
			return -e->no;
	for (size_t i = 0; i < l->task_count; i++) {
		struct cr_task *t = l->tasks[i];

		if (t->id != id || t->uffd < 0)
			continue;
		t->slot = slot;
		if (cr_ranges_arrive(&t->absent, &t->left, img, img_end, e) < 0)
			return -e->no;
	}
	return 0;
}
