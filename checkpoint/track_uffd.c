// SPDX-License-Identifier: GPL-2.0-only
/* Following processes by userfaultfd: the registrations, the scans, and what to believe after each of the kernel's answers. */
#include "checkpoint/track_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "cgroups/freezer.h"

/*
 * criu 4.2.1 dumps a process whose mappings carry the flag "uw": its parser of VmFlags (criu/proc_parse.c) ignores words that it does not know; it refuses only a descriptor
 * of a userfaultfd, and the process has none. tests/unit/checkpoint/track_test.c has one dumped and restored.
 *
 * Why an address that is in p->sent is really unchanged, whatever the process did: the scan fails with EPERM unless every mapping in it is registered
 * in asynchronous mode, and a registration belongs to the mapping it was made for. mmap(2), mremap(2) to elsewhere, fork(2) and execve(2) all make mappings without
 * one (UFFD_FEATURE_EVENT_REMAP and _FORK are not asked for); a mapping that grows keeps it, and its new pages are unprotected; pages dropped by
 * madvise(2) come back unprotected; a page that KSM replaced or khugepaged collapsed counts as written; swapping keeps the mark.
 */

/* At most so many pages are protected before they are read: 16 MiB. */
#define SCAN_PAGES 4096u

/* A vfork(2) child, until it calls execve(2), has its parent's memory: a second follower would take the first one's news. */
static bool shares_memory(const struct cr_track *t, const struct cr_proc *p)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->procs[i].pid == p->parent)
			return syscall(SYS_kcmp, p->pid, p->parent, KCMP_VM, 0, 0) == 0;
	return false;
}

/* D would not stop in time, Z and X have no memory, t belongs to another tracer. */
static bool can_be_entered(const struct cr_track *t, const struct cr_proc *p)
{
	if (p->uffd >= 0 || p->refused >= CR_TRACK_TRIES)
		return false;
	if (p->state == 'D' || p->state == 'Z' || p->state == 'X' || p->state == 't')
		return false;
	return !shares_memory(t, p);
}

int cr_track_uffd_enter(struct cr_track *t, struct cr_track_stats *stats, struct err *e)
{
	auto_free struct cr_uffd_ask *asks = calloc(t->count + 1, sizeof(*asks));
	auto_free size_t *which = calloc(t->count + 1, sizeof(*which));
	struct err ignored = {0};
	size_t n = 0;
	int r;

	if (!asks || !which)
		return err_set(e, ENOMEM, "no memory for %zu processes", t->count);
	/* In a frozen group an injected call would begin with the thaw. */
	if (cg_frozen(t->cg, &ignored) == 1)
		return 0;
	for (size_t i = 0; i < t->count; i++)
		if (can_be_entered(t, &t->procs[i])) {
			asks[n].pid = t->procs[i].pid;
			asks[n].ticks = t->procs[i].ticks;
			which[n++] = i;
		}
	r = cr_uffd_take(asks, n, e);
	for (size_t i = 0; i < n; i++) {
		struct cr_proc *p = &t->procs[which[i]];

		p->uffd = asks[i].fd;
		p->begun = false;
		p->refused += p->uffd < 0;
		if (asks[i].stop_ns > stats->stop_ns)
			stats->stop_ns = asks[i].stop_ns;
	}
	return r;
}

static int open_pagemap(const struct cr_proc *p)
{
	char path[48];

	/* Opened anew each time: an open one stays with the memory of before an execve(2). */
	snprintf(path, sizeof(path), "/proc/%d/pagemap", p->pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Protects and reads [from, to). Errors of the kernel are returned with e->no == 0, and mean that nothing in the range can be believed. */
static int scan(struct cr_send *s, int pagemap, enum cr_scan what, uint64_t from, uint64_t to,
		struct err *e)
{
	struct cr_region *v = s->t->regions;

	for (uint64_t at = from; at < to;) {
		uint64_t before = at;
		int n = cr_uffd_scan(pagemap, what, &at, to, SCAN_PAGES, v, CR_TRACK_REGIONS);

		if (n < 0)
			return n;
		/* All marked first: the reader may end at any page, and those it did not reach must not count as sent. */
		for (int i = 0; i < n; i++) {
			uint64_t pages = (v[i].end - v[i].start) / CR_PAGE_SIZE;

			cr_set_remove(&s->p->sent, v[i].start, pages);
			if (cr_set_add(&s->p->echo, v[i].start, pages) < 0)
				return err_set(e, ENOMEM, "no memory for the list of pages");
		}
		for (int i = 0; i < n; i++) {
			int r = cr_reader_add(&s->t->reader, v[i].start,
					      (v[i].end - v[i].start) / CR_PAGE_SIZE, e);

			if (r < 0)
				return r;
		}
		if (at <= before)
			return -EIO;
	}
	return 0;
}

static void doubt(struct cr_proc *p, const struct cr_run *m)
{
	cr_set_remove(&p->sent, m->vaddr, m->npages);
}

/*
 * One mapping. 1: followed; 0: not followed, whatever the reason; -ESTALE, e untouched: the userfaultfd is not of this memory; other errors are the
 * sink's.
 */
static int round_mapping(struct cr_send *s, int pagemap, const struct cr_run *m, struct err *e)
{
	uint64_t end = m->vaddr + m->npages * CR_PAGE_SIZE;
	struct cr_proc *p = s->p;
	int r = -EPERM;

	/* Not before our own registration: another's (of a process with the same memory) would do for the scan. */
	if (p->begun)
		r = scan(s, pagemap, CR_SCAN_PROTECT, m->vaddr, end, e);
	if (r < 0 && !e->no) {
		doubt(p, m);
		if (r != -EPERM)
			return 0;
		r = cr_uffd_follow(p->uffd, m->vaddr, end);
		/* EBUSY in a process just entered: a CLONE_VM twin, or it has a userfaultfd of its own. */
		if (r == -ENOMEM || r == -ESRCH || (r == -EBUSY && !p->begun))
			return -ESTALE;
		if (r < 0)
			return 0;
		r = scan(s, pagemap, CR_SCAN_PROTECT_ALL, m->vaddr, end, e);
		if (r < 0 && !e->no)
			doubt(p, m);
	}
	if (r < 0)
		return e->no ? r : 0;
	return 1;
}

/* Gives once more what the last round gave and this one did not. */
static int give_echo(struct cr_send *s, struct cr_leaves *old, struct err *e)
{
	cr_set_subtract(old, &s->p->echo);
	for (size_t i = 0; i < old->count; i++) {
		uint64_t at = old->v[i].key << CR_LEAF_SHIFT, end = at + (1ull << CR_LEAF_SHIFT);
		struct cr_run run;

		for (; (run = cr_set_next(old, at, end, true)).npages;
		     at = run.vaddr + run.npages * CR_PAGE_SIZE) {
			int r = cr_reader_add(&s->t->reader, run.vaddr, run.npages, e);

			if (r < 0)
				return r;
		}
	}
	return cr_reader_flush(&s->t->reader, e);
}

static int round_mappings(struct cr_send *s, int pagemap, const struct cr_run *maps, int count,
			  struct err *e)
{
	struct cr_proc *p = s->p;
	int followed = 0, r = 0;

	p->partial = false;
	for (int i = 0; i < count && r >= 0; i++) {
		r = round_mapping(s, pagemap, &maps[i], e);
		followed += r > 0;
		p->partial |= r == 0;
	}
	if (r >= 0)
		r = cr_reader_flush(&s->t->reader, e);
	/* Registered, and still not followed, all of it: the userfaultfd is alive (someone else has the old memory), but this memory is another. */
	if (r >= 0 && count && !followed)
		r = -ESTALE;
	p->begun = true;
	return r;
}

int cr_track_uffd_round(struct cr_send *s, struct err *e)
{
	struct cr_leaves old = s->p->echo;
	auto_free struct cr_run *maps = NULL;
	auto_fd int pagemap = -EBADF;
	struct cr_proc *p = s->p;
	int count, r;
	bool aio;

	if (p->uffd < 0)
		return 0;
	p->echo = (struct cr_leaves)CR_SET_INIT;
	pagemap = open_pagemap(p);
	count = pagemap < 0 ? 0 : cr_mappings_read(p->pid, &maps, &aio, e);
	if (count <= 0) {
		cr_leaves_done(&old);
		return count;
	}
	r = round_mappings(s, pagemap, maps, count, e);
	cr_proc_look_for_pins(p, aio);
	if (r >= 0 && p->direct)
		r = give_echo(s, &old, e);
	if (!p->direct)
		cr_leaves_done(&p->echo);
	cr_leaves_done(&old);
	if (r == -ESTALE && !e->no) {
		cr_proc_forget(p);
		p->uffd = -ESTALE;
		s->stats->gone++;
		return 0;
	}
	return r;
}

void cr_proc_forget_gaps(struct cr_proc *p, const struct cr_run *maps, int count)
{
	uint64_t at = 0, most = 1ull << 63;

	for (int i = 0; i <= count; i++) {
		uint64_t to = i < count ? maps[i].vaddr : most;

		if (to > at)
			cr_set_remove(&p->sent, at, (to - at) / CR_PAGE_SIZE);
		if (i < count)
			at = maps[i].vaddr + maps[i].npages * CR_PAGE_SIZE;
	}
}

int cr_track_uffd_settle(struct cr_track *t, struct cr_proc *p, struct err *e)
{
	auto_free struct cr_run *maps = NULL;
	auto_fd int pagemap = -EBADF;
	struct cr_region *v = t->regions;
	int count;
	bool aio;

	/* What an earlier final gave may have been written since: nobody watched. */
	if (p->uffd < 0 || p->pinned)
		cr_leaves_done(&p->sent);
	if (p->uffd < 0)
		return 0;
	pagemap = open_pagemap(p);
	count = pagemap < 0 ? 0 : cr_mappings_read(p->pid, &maps, &aio, e);
	if (count < 0)
		return count;
	cr_proc_forget_gaps(p, maps, count);
	for (int m = 0; m < count; m++) {
		uint64_t end = maps[m].vaddr + maps[m].npages * CR_PAGE_SIZE;

		for (uint64_t at = maps[m].vaddr, before = 0; at < end;) {
			int n = -EIO;

			if (at > before)
				before = at, n = cr_uffd_scan(pagemap, CR_SCAN_PROTECT, &at, end, 0,
							      v, CR_TRACK_REGIONS);
			if (n < 0) {
				doubt(p, &maps[m]);
				break;
			}
			for (int i = 0; i < n; i++)
				cr_set_remove(&p->sent, v[i].start,
					      (v[i].end - v[i].start) / CR_PAGE_SIZE);
		}
	}
	cr_set_subtract(&p->sent, &p->echo);
	cr_leaves_done(&p->echo);
	return 0;
}

static int count_pages(struct cr_track *t, int pagemap, enum cr_scan what, const struct cr_run *m,
		       uint64_t *pages)
{
	uint64_t end = m->vaddr + m->npages * CR_PAGE_SIZE;

	for (uint64_t at = m->vaddr, before = 0; at < end && at > before;) {
		int n = cr_uffd_scan(pagemap, what, (before = at, &at), end, 0, t->regions,
				     CR_TRACK_REGIONS);

		if (n < 0)
			return n;
		for (int i = 0; i < n; i++)
			*pages += (t->regions[i].end - t->regions[i].start) / CR_PAGE_SIZE;
	}
	return 0;
}

int cr_track_uffd_pending(struct cr_track *t, struct cr_proc *p, uint64_t *pages, struct err *e)
{
	auto_free struct cr_run *maps = NULL;
	auto_fd int pagemap = -EBADF;
	int count;
	bool aio;

	if (p->uffd < 0)
		return 0;
	pagemap = open_pagemap(p);
	count = pagemap < 0 ? 0 : cr_mappings_read(p->pid, &maps, &aio, e);
	for (int i = 0; i < count; i++) {
		uint64_t dirty = 0;

		if (count_pages(t, pagemap, CR_SCAN_LOOK, &maps[i], &dirty) < 0) {
			dirty = 0;
			(void)count_pages(t, pagemap, CR_SCAN_PRESENT, &maps[i], &dirty);
		}
		*pages += dirty;
	}
	return count < 0 ? count : 0;
}
