// SPDX-License-Identifier: GPL-2.0-only
/* Following processes by the kernel's soft-dirty marks, for kernels before 6.7. */
#include "checkpoint/track_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "checkpoint/pagemap_words.h"

/*
 * /proc/PID/pagemap shows a page's mark (bit 55), "4" into /proc/PID/clear_refs takes the marks of all pages of a process away and protects them, and the first write to
 * one brings its mark back (Documentation/admin-guide/mm/soft-dirty.rst). Looking and clearing are two steps, and a page written between them would lose its mark unseen: so
 * all processes stand still for the two (criu's pre-dump freezes them for the same reason, and much else). All are looked at before
 * the first is cleared: the child of a vfork(2) has its parent's marks.
 *
 * A page is unchanged when it has no mark, and is in the same frame of memory as when it was read. The frame is needed: mremap(2) moves whole page tables without setting the
 * marks in them (move_normal_pmd() in mm/mremap.c; move_ptes() does), and the mark of a mapping may be lost when it is joined with another.
 * Nothing else could tell that other pages are at an address now. All that is not known to be unchanged is read, and sent if its hash differs: a huge page is
 * marked as a whole, and what was only swapped, or moved by the kernel, is the same.
 *
 * Marks are no property of ours: whoever may write to clear_refs (each process to its own; a garbage collector may do so) takes them from us. So after each clearing some pages of
 * each process, the witnesses, are given their mark back, and when one of them has lost it nothing of that process counts as unchanged.
 */

/* Of a mapping larger than this, which is mostly holes, only what has pages is looked at while the container stands still: a word for each page of a terabyte takes a second. */
#define LARGE_PAGES (1ull << 18)
/* So many words at once, for that. */
#define MANY_WORDS (64 * CR_LEAF_PAGES)
/* More than a process needs to leave a disk's queue; the one that does not stand still by then costs us this round's clearing. */
#define STILL_MS 300

static uint64_t frame_of(uint64_t word)
{
	return word & (CR_WORD_PRESENT | CR_WORD_SWAPPED | CR_WORD_FRAME);
}

/* Words of the pages of one leaf, and what we know of those pages. */
struct look {
	uint64_t vaddr;
	unsigned first, n; /* in its leaf */
	const uint64_t *sent, *echo;
	uint64_t *frames; /* NULL: none is known */
	uint64_t words[CR_LEAF_PAGES];
};

static bool is_in(const uint64_t *set, const struct look *l, unsigned i)
{
	unsigned at = l->first + i;

	return set && set[at / 64] >> at % 64 & 1;
}

static bool is_sent(const struct look *l, unsigned i)
{
	return is_in(l->sent, l, i);
}

static bool is_clean(const struct look *l, unsigned i)
{
	return cr_word_exists(l->words[i]) && !(l->words[i] & CR_WORD_SOFT_DIRTY) &&
	       is_sent(l, i) && l->frames && l->frames[l->first + i] == frame_of(l->words[i]);
}

/* The next ones of [*at, end). 0 at the end, and then, or before end, when the process is gone, *at is where that was. */
static unsigned look_on(struct cr_proc *p, int pagemap, uint64_t *at, uint64_t end, struct look *l)
{
	uint64_t left = (end - *at) / CR_PAGE_SIZE;

	l->vaddr = *at;
	l->first = (unsigned)(*at / CR_PAGE_SIZE % CR_LEAF_PAGES);
	l->n = CR_LEAF_PAGES - l->first;
	if (l->n > left)
		l->n = (unsigned)left;
	if (l->n)
		l->n = cr_words_read(pagemap, *at, l->n, l->words);
	l->sent = cr_leaves_at(&p->sent, *at, false);
	l->echo = cr_leaves_at(&p->echo, *at, false);
	l->frames = cr_leaves_at(&p->soft.frames, *at, false);
	*at += (uint64_t)l->n * CR_PAGE_SIZE;
	return l->n;
}

/* Some of all pages, each as likely as another; rather one that was not written lately, which the process will hardly mark again by itself. */
static void draw_witness(struct cr_proc *p, const struct look *l)
{
	struct cr_soft *s = &p->soft;
	int any = -1, calm = -1;
	unsigned at = s->seen;

	for (unsigned i = 0; i < l->n && calm < 0; i++) {
		if (is_clean(l, i))
			calm = (int)i;
		if (cr_word_exists(l->words[i]))
			any = (int)i;
	}
	if (any < 0)
		return;
	if (at >= CR_TRACK_WITNESSES)
		at = (unsigned)random() % (s->seen + 1);
	s->seen++;
	if (at < CR_TRACK_WITNESSES)
		s->drawn[at] = l->vaddr + (uint64_t)(calm >= 0 ? calm : any) * CR_PAGE_SIZE;
}

/*
 * GUP for writing marks a page as any write does, and process_vm_writev(2) does it before it finds that our side cannot be read: so the page is marked and
 * none of its bytes is written, as a device could be writing there at this moment. A mapping that is not writable refuses, and is no witness.
 */
static void mark_witnesses(struct cr_proc *p)
{
	auto_fd int pagemap = openat(p->soft.dir, "pagemap", O_RDONLY | O_CLOEXEC);
	static char *nothing;
	struct cr_soft *s = &p->soft;
	unsigned drawn = s->seen < CR_TRACK_WITNESSES ? s->seen : CR_TRACK_WITNESSES;

	if (!nothing) {
		void *m = mmap(NULL, CR_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		nothing = m == MAP_FAILED ? NULL : m;
	}
	s->witnesses = 0;
	for (unsigned i = 0; i < drawn && nothing; i++) {
		struct iovec here = {nothing, 1}, there = {(void *)s->drawn[i], 1};
		uint64_t word = 0;

		(void)process_vm_writev(p->pid, &here, 1, &there, 1, 0);
		if (cr_words_read(pagemap, s->drawn[i], 1, &word) && cr_word_exists(word) &&
		    word & CR_WORD_SOFT_DIRTY)
			s->witness[s->witnesses++] = s->drawn[i];
	}
}

/* Whether the marks since the latest clearing are all there: no witness has lost its own, and one at least is where it was. */
static bool witnessed(const struct cr_proc *p, int pagemap)
{
	unsigned good = 0;

	for (unsigned i = 0; i < p->soft.witnesses; i++) {
		uint64_t word = 0;

		if (!cr_words_read(pagemap, p->soft.witness[i], 1, &word) || !cr_word_exists(word))
			continue;
		if (!(word & CR_WORD_SOFT_DIRTY))
			return false;
		good++;
	}
	return good > 0;
}

/* Then every page is compared with what was sent. */
static void trust_nothing(struct cr_proc *p)
{
	if (p->soft.cleared)
		log_debug("process %d: marks of written memory were cleared by somebody else",
			  p->pid);
	cr_leaves_done(&p->soft.frames);
	p->soft.doubted = p->soft.cleared;
}

static int append(struct cr_soft *s, size_t *room, uint64_t vaddr, uint64_t npages, struct err *e)
{
	struct cr_run *last = s->count ? &s->runs[s->count - 1] : NULL;

	if (last && last->vaddr + last->npages * CR_PAGE_SIZE == vaddr) {
		last->npages += npages;
		return 0;
	}
	if ((size_t)s->count == *room) {
		struct cr_run *more = realloc(s->runs, (*room = *room * 2 + 64) * sizeof(*s->runs));

		if (!more)
			return err_set(e, ENOMEM, "no memory for a list of mappings");
		s->runs = more;
	}
	s->runs[s->count++] = (struct cr_run){vaddr, npages};
	return 0;
}

/* Its blocks that have pages now. What comes into being in the others before all stand still was not sent, and so is found in the next round. */
static int append_large(struct cr_soft *s, size_t *room, int pagemap, const struct cr_run *m,
			struct err *e)
{
	auto_free uint64_t *words = malloc(MANY_WORDS * sizeof(*words));
	uint64_t at = m->vaddr, end = at + m->npages * CR_PAGE_SIZE;
	int r = 0;

	if (!words)
		return err_set(e, ENOMEM, "no memory for the words of a page map");
	while (at < end && r >= 0) {
		uint64_t want = (end - at) / CR_PAGE_SIZE;
		unsigned n =
			cr_words_read(pagemap, at, want < MANY_WORDS ? want : MANY_WORDS, words);

		if (n == 0)
			break;
		for (unsigned i = 0; i < n && r >= 0; i += CR_LEAF_PAGES) {
			unsigned to = n - i < CR_LEAF_PAGES ? n : i + CR_LEAF_PAGES, k = i;

			while (k < to && !cr_word_exists(words[k]))
				k++;
			if (k < to)
				r = append(s, room, at + (uint64_t)i * CR_PAGE_SIZE, to - i, e);
		}
		at += (uint64_t)n * CR_PAGE_SIZE;
	}
	return r;
}

/* Where pages can be. 0, also for a process that is gone: it has no runs then. */
static int list_runs(struct cr_proc *p, int pagemap, struct err *e)
{
	auto_free struct cr_run *maps = NULL;
	struct cr_soft *s = &p->soft;
	size_t room = 0;
	bool aio = false;
	int count = pagemap < 0 ? 0 : cr_mappings_read(p->pid, &maps, &aio, e), r = count;

	p->direct = p->direct || aio;

	free(s->runs);
	s->runs = NULL;
	s->count = 0;
	for (int i = 0; i < count && r >= 0; i++)
		r = maps[i].npages > LARGE_PAGES
			    ? append_large(s, &room, pagemap, &maps[i], e)
			    : append(s, &room, maps[i].vaddr, maps[i].npages, e);
	return r < 0 ? r : 0;
}

/* /proc/PID of this very process, whoever has its number later. */
static int open_proc(const struct cr_proc *p)
{
	struct err ignored = {0};
	auto_fd int dir = -EBADF;
	uint64_t ticks;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", p->pid);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || proc_start_time(p->pid, &ticks, &ignored) < 0 || ticks != p->ticks)
		return -ESRCH;
	return take_fd(&dir);
}

/* Notes what of it is to be read, in runs: all stand still for this. */
static int note_written(struct cr_proc *p, struct look *l)
{
	unsigned from = 0;

	for (unsigned i = 0; i <= l->n; i++) {
		uint64_t vaddr = l->vaddr + (uint64_t)from * CR_PAGE_SIZE;

		if (i < l->n && cr_word_exists(l->words[i]) && !is_clean(l, i)) {
			if (!l->frames)
				l->frames = cr_leaves_at(&p->soft.frames, vaddr, true);
			if (!l->frames)
				return -ENOMEM;
			l->frames[l->first + i] = frame_of(l->words[i]);
			continue;
		}
		if (from < i && cr_set_add(&p->soft.todo, vaddr, i - from) < 0)
			return -ENOMEM;
		from = i + 1;
		/* Nothing is there now. */
		if (i < l->n && !cr_word_exists(l->words[i]) && is_sent(l, i))
			cr_set_remove(&p->sent, l->vaddr + (uint64_t)i * CR_PAGE_SIZE, 1);
	}
	return 0;
}

/* Finds what was written. The process stands still, or its marks are not cleared after it. */
static int find_written(struct cr_proc *p, int pagemap, struct err *e)
{
	struct cr_soft *s = &p->soft;

	s->doubted = false;
	if (!witnessed(p, pagemap))
		trust_nothing(p);
	s->seen = 0;
	cr_leaves_done(&s->todo);
	cr_proc_forget_gaps(p, s->runs, s->count);
	for (int r = 0; r < s->count; r++) {
		uint64_t at = s->runs[r].vaddr, end = at + s->runs[r].npages * CR_PAGE_SIZE;
		struct look l;

		while (look_on(p, pagemap, &at, end, &l)) {
			draw_witness(p, &l);
			if (note_written(p, &l) < 0)
				return err_set(e, ENOMEM, "no memory for a list of pages");
		}
	}
	/* None of them counts as sent until it was read. */
	cr_set_subtract(&p->sent, &s->todo);
	return 0;
}

static void clear_marks(struct cr_proc *p)
{
	auto_fd int refs = openat(p->soft.dir, "clear_refs", O_WRONLY | O_CLOEXEC);

	p->soft.cleared = refs >= 0 && write(refs, "4", 1) == 1;
}

/* For one that cannot be looked at nothing is known. */
static int look_at(struct cr_proc *p, struct err *e)
{
	auto_fd int pagemap = openat(p->soft.dir, "pagemap", O_RDONLY | O_CLOEXEC);

	if (pagemap < 0) {
		own_close_fd(&p->soft.dir);
		cr_leaves_done(&p->sent);
		return 0;
	}
	return find_written(p, pagemap, e);
}

/* In three steps, as some have the same memory: one's marks are another's, and so are its witnesses. */
static int look_and_clear(struct cr_track *t, bool clear, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < t->count && r >= 0; i++)
		r = look_at(&t->procs[i], e);
	for (size_t i = 0; i < t->count && r >= 0 && clear; i++)
		if (t->procs[i].soft.dir >= 0)
			clear_marks(&t->procs[i]);
	for (size_t i = 0; i < t->count && r >= 0 && clear; i++)
		if (t->procs[i].soft.dir >= 0 && t->procs[i].soft.cleared)
			mark_witnesses(&t->procs[i]);
	return r;
}

static int prepare(struct cr_proc *p, struct err *e)
{
	auto_fd int pagemap = -EBADF;

	own_close_fd(&p->soft.dir);
	if (p->state != 'Z' && p->state != 'X')
		p->soft.dir = open_proc(p);
	if (p->soft.dir >= 0)
		pagemap = openat(p->soft.dir, "pagemap", O_RDONLY | O_CLOEXEC);
	return list_runs(p, pagemap, e);
}

int cr_track_soft_begin(struct cr_track *t, struct cr_track_stats *stats, struct err *e)
{
	struct err why = {0};
	uint64_t since;
	bool still;
	int r = 0;

	for (size_t i = 0; i < t->count && r >= 0; i++)
		r = prepare(&t->procs[i], e);
	if (r < 0)
		return r;
	since = log_now_ns();
	still = cr_still_begin(&t->still, t->cg, STILL_MS, &why) >= 0;
	if (!still)
		log_info("marks of written memory are not cleared in this round: %s", why.text);
	r = look_and_clear(t, still, e);
	for (size_t i = 0; i < t->count; i++)
		own_close_fd(&t->procs[i].soft.dir);
	if (still && cr_still_end(&t->still, t->cg, r < 0 ? &why : e) < 0 && r >= 0)
		r = -e->no;
	if (still && log_now_ns() - since > stats->stop_ns)
		stats->stop_ns = log_now_ns() - since;
	t->marked = t->differed = 0;
	return r;
}

/* Hands all pages of a set to the reader. */
static int read_set(struct cr_send *s, struct cr_leaves *set, uint64_t *pages, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < set->count && r >= 0; i++) {
		uint64_t at = set->v[i].key << CR_LEAF_SHIFT, end = at + (1ull << CR_LEAF_SHIFT);
		struct cr_run run;

		for (; r >= 0 && (run = cr_set_next(set, at, end, true)).npages;
		     at = run.vaddr + run.npages * CR_PAGE_SIZE) {
			r = cr_reader_add(&s->t->reader, run.vaddr, run.npages, e);
			*pages += run.npages;
		}
	}
	return r < 0 ? r : cr_reader_flush(&s->t->reader, e);
}

int cr_track_soft_round(struct cr_send *s, struct err *e)
{
	struct cr_leaves *todo = &s->p->soft.todo, *echo = &s->p->echo;
	uint64_t before = s->stats->pages, again = 0;
	int r;

	s->t->reader.got = cr_content_compare;
	r = read_set(s, todo, &s->t->marked, e);
	s->t->differed += s->stats->pages - before;
	cr_proc_look_for_pins(s->p, false);
	/* What was read in the last round, and had no mark since. */
	cr_set_subtract(echo, todo);
	if (r >= 0)
		r = read_set(s, echo, &again, e);
	cr_leaves_done(echo);
	if (s->p->direct) {
		*echo = *todo;
		*todo = (struct cr_leaves)CR_SET_INIT;
	}
	cr_leaves_done(todo);
	return r;
}

/*
 * Has the pages read that may be others than those sent. What is sent or compared now is not what the latest round had found in the frame that it noted: pages that are moved
 * away, sent here, and moved back would else count as unchanged (page_tables_that_move in the tests). So the next round compares them.
 */
static int settle_leaf(struct cr_track *t, struct look *l, struct err *e)
{
	int r = 0;

	for (unsigned i = 0; i < l->n && r >= 0; i++) {
		bool clean = is_clean(l, i);

		if (!clean && l->frames)
			l->frames[l->first + i] = 0;
		if (is_sent(l, i) && (!clean || is_in(l->echo, l, i)))
			r = cr_reader_add(&t->reader, l->vaddr + (uint64_t)i * CR_PAGE_SIZE, 1, e);
	}
	return r;
}

int cr_track_soft_settle(struct cr_track *t, struct cr_proc *p, const struct cr_run *needed,
			 size_t count, struct err *e)
{
	auto_fd int dir = open_proc(p), pagemap = -EBADF;
	struct cr_send s = {.t = t, .p = p};
	int r = 0;

	if (dir >= 0)
		pagemap = openat(dir, "pagemap", O_RDONLY | O_CLOEXEC);
	if (pagemap < 0)
		cr_leaves_done(&p->sent);
	else if (p->pinned || !witnessed(p, pagemap))
		trust_nothing(p);
	cr_reader_begin(&t->reader, p->pid, cr_content_doubt, cr_content_unreadable, &s);
	for (size_t k = 0; k < count && r >= 0; k++) {
		uint64_t at = needed[k].vaddr, end = at + needed[k].npages * CR_PAGE_SIZE;
		struct look l;

		while (r >= 0 && look_on(p, pagemap, &at, end, &l))
			r = settle_leaf(t, &l, e);
		/* Nothing is known of the rest. */
		if (at < end)
			cr_set_remove(&p->sent, at, (end - at) / CR_PAGE_SIZE);
	}
	return r < 0 ? r : cr_reader_flush(&t->reader, e);
}

int cr_track_soft_pending(struct cr_track *t, struct cr_proc *p, uint64_t *pages, struct err *e)
{
	auto_fd int dir = open_proc(p), pagemap = -EBADF;
	uint64_t marked = 0;
	int r;

	if (dir >= 0)
		pagemap = openat(dir, "pagemap", O_RDONLY | O_CLOEXEC);
	r = list_runs(p, pagemap, e);
	for (int k = 0; k < p->soft.count && r >= 0; k++) {
		uint64_t at = p->soft.runs[k].vaddr;
		uint64_t end = at + p->soft.runs[k].npages * CR_PAGE_SIZE;
		struct look l;

		while (look_on(p, pagemap, &at, end, &l))
			for (unsigned i = 0; i < l.n; i++)
				marked += cr_word_exists(l.words[i]) && !is_clean(&l, i);
	}
	marked -= marked < p->soft.witnesses ? marked : p->soft.witnesses;
	/* As many of them as in the latest round will turn out to be other than what was sent: of a huge page most is the same. */
	if (t->marked >= CR_LEAF_PAGES)
		marked = (uint64_t)((double)marked * (double)t->differed / (double)t->marked);
	*pages += marked;
	return r;
}
