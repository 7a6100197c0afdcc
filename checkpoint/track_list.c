// SPDX-License-Identifier: GPL-2.0-only
/* The processes of a container, from round to round. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/proc.h"
#include "cgroups/kill.h"
#include "checkpoint/track_proc.h"

#define STATUS_MOST 65536u

void cr_proc_forget(struct cr_proc *p)
{
	own_close_fd(&p->uffd);
	p->begun = p->partial = false;
	cr_leaves_done(&p->sent);
	cr_leaves_done(&p->ever);
	cr_leaves_done(&p->echo);
	cr_leaves_done(&p->hashes);
	own_close_fd(&p->soft.dir);
	free(p->soft.runs);
	p->soft.runs = NULL;
	cr_leaves_done(&p->soft.frames);
	cr_leaves_done(&p->soft.todo);
}

void cr_proc_look_for_pins(struct cr_proc *p, bool aio)
{
	enum cr_pins pins = cr_pins_of(p->pid);

	p->direct = p->direct || aio || pins != CR_PINS_NONE;
	p->pinned = p->pinned || pins == CR_PINS_LASTING;
}

/* State, parent and innermost pid; -ESRCH when it is gone. */
static int read_status(struct cr_proc *p)
{
	auto_free char *text = NULL;
	struct err ignored = {0};
	char path[48];
	const char *state, *parent, *ids;

	snprintf(path, sizeof(path), "/proc/%d/status", p->pid);
	if (file_try_read_at(AT_FDCWD, path, STATUS_MOST, &text, &ignored) < 0)
		return -ESRCH;
	/* The first line has the name, in which a newline is written as "\n" by the kernel. */
	state = strstr(text, "\nState:\t");
	parent = strstr(text, "\nPPid:\t");
	ids = strstr(text, "\nNSpid:\t");
	if (!state || !parent || !ids)
		return -ESRCH;
	p->state = state[8];
	p->parent = (pid_t)strtol(parent + 7, NULL, 10);
	for (ids += 7; *ids == '\t';) {
		char *end;

		p->id = (uint32_t)strtoul(ids + 1, &end, 10);
		ids = end;
	}
	return 0;
}

static struct cr_proc *find_pid(struct cr_track *t, pid_t pid)
{
	size_t low = 0, high = t->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->procs[mid].pid < pid)
			low = mid + 1;
		else
			high = mid;
	}
	return low < t->count && t->procs[low].pid == pid ? &t->procs[low] : NULL;
}

static int by_pid(const void *a, const void *b)
{
	const struct cr_proc *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Those that ended, or are another one of the same number by now. */
static void drop_unlisted(struct cr_track *t, struct cr_track_stats *stats)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->count; i++) {
		if (t->procs[i].listed) {
			t->procs[kept++] = t->procs[i];
		} else {
			cr_proc_forget(&t->procs[i]);
			stats->gone++;
		}
	}
	t->count = kept;
}

/* A process on its way from one group to another may be listed in both. */
static void drop_twins(struct cr_track *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->count; i++)
		if (kept == 0 || t->procs[kept - 1].pid != t->procs[i].pid)
			t->procs[kept++] = t->procs[i];
	t->count = kept;
}

int cr_procs_list(struct cr_track *t, struct cr_track_stats *stats, struct err *e)
{
	auto_free pid_t *pids = NULL;
	int count = cg_pids(t->cg, &pids, e);
	size_t fresh = 0;
	struct cr_proc *more;

	if (count < 0)
		return count;
	more = realloc(t->procs, (t->count + (size_t)count + 1) * sizeof(*more));
	if (!more)
		return err_set(e, ENOMEM, "no memory for %d processes", count);
	t->procs = more;
	for (size_t i = 0; i < t->count; i++)
		t->procs[i].listed = false;
	for (int i = 0; i < count; i++) {
		struct cr_proc *p = find_pid(t, pids[i]);
		struct cr_proc now = {
			.pid = pids[i],
			.uffd = -ECHILD,
			.listed = true,
			.sent = CR_SET_INIT,
			.ever = CR_SET_INIT,
			.echo = CR_SET_INIT,
			.hashes = CR_HASHES_INIT,
			.soft = {.dir = -EBADF, .frames = CR_WORDS_INIT, .todo = CR_SET_INIT}};
		struct err gone = {0};

		if (proc_start_time(pids[i], &now.ticks, &gone) < 0)
			continue;
		if (p && p->ticks == now.ticks) {
			p->listed = true;
			if (p->uffd < 0)
				(void)read_status(p);
		} else if (read_status(&now) == 0) {
			t->procs[t->count + fresh++] = now;
		}
	}
	t->count += fresh;
	drop_unlisted(t, stats);
	qsort(t->procs, t->count, sizeof(*t->procs), by_pid);
	drop_twins(t);
	return 0;
}
