// SPDX-License-Identifier: GPL-2.0-only
/* When compression makes a link faster. */
#include "base/adapt.h"

#include "base/log.h"

/* Below this it pays whatever is in it: the compressor is several times faster. Above FAST what is gained is less than the noise. */
#define SLOW 40000000ull
#define FAST 250000000ull
/* What the link's speed is taken over: a queue that was never empty meanwhile. */
#define LOOK_BYTES (1u << 20)
#define LOOK_NS	   20000000ull
/* A trial: some of each of a few chunks. The next one after at least GAP bytes; after each that was in vain twice that, four times when it was on in vain. */
#define TRIAL_LEAST 512
#define TRIAL_PIECE (128u << 10)
#define TRIAL_BYTES (4 * TRIAL_PIECE)
#define GAP_LEAST   (8u << 20)
#define GAP_MOST    (128u << 20)
/* It is judged over so much, against what the link carried before it: while it is on a link is slower, too, whose other end is busy unpacking. */
#define JUDGE_BYTES (8u << 20)
#define GAIN	    1.1
/* An old speed of the link is asked for again after so much. */
#define STALE (256u << 20)

void adapt_init(struct adapt *a, uint64_t limit, uint64_t now, uint64_t waited)
{
	*a = (struct adapt){.limit = limit, .looked = now, .waited = waited};
}

void adapt_hurry(struct adapt *a)
{
	a->hurry = true;
}

static void note_compressor(struct adapt *a, size_t len, size_t became, uint64_t ns)
{
	if (a->in > 2 * JUDGE_BYTES) {
		a->in /= 2;
		a->out /= 2;
		a->ns /= 2;
	}
	a->in += len;
	a->out += became;
	a->ns += ns;
}

bool adapt_look(struct adapt *a, uint64_t now, int queued)
{
	if (queued > 0)
		return a->wrote >= LOOK_BYTES && now - a->began >= LOOK_NS;
	a->began = now;
	a->wrote = a->queued = 0;
	return false;
}

/*
 * Where somebody waits for a processor half of the time, what looks like a slow link may be its other end, or the program that encrypts, waiting for one; and what
 * compression gains on the wire it takes from those.
 */
static bool short_of_processors(struct adapt *a, uint64_t now, uint64_t waited)
{
	uint64_t more = waited - a->waited, since = now - a->looked;

	a->waited = waited;
	a->looked = now;
	return waited && more > since / 2;
}

void adapt_speed(struct adapt *a, uint64_t now, int queued, uint64_t waited)
{
	uint64_t still = (uint64_t)queued, all = a->wrote + a->queued, gone, speed;

	/* The queue counts what the kernel's buffers take, which is somewhat more than their bytes. */
	gone = all > still ? all - still : 0;
	speed = (uint64_t)((double)gone * 1e9 / (double)(now - a->began)) + 1;
	if (!short_of_processors(a, now, waited) || speed < SLOW) {
		a->link = speed;
		a->stale = 0;
	}
	a->began = now;
	a->wrote = 0;
	a->queued = still;
}

static uint64_t link_speed(const struct adapt *a)
{
	uint64_t limit = a->hurry ? 0 : a->limit;

	if (!limit || !a->link)
		return limit ? limit : a->link;
	return limit < a->link ? limit : a->link;
}

/* By what is known. The third is for what is not: the other side's work, the processors that both need. */
static bool pays(const struct adapt *a)
{
	uint64_t link = link_speed(a);

	if (!link || link > FAST)
		return false;
	if (link < SLOW)
		return true;
	return a->in >= TRIAL_BYTES && a->ns && a->out < a->in &&
	       (double)link * 1.33 < (double)(a->in - a->out) * 1e9 / (double)a->ns;
}

static void turn(struct adapt *a, bool on)
{
	a->on = on;
	a->to_beat = link_speed(a);
	a->since = a->judged = a->judged_ns = a->stale = 0;
	log_debug("compression %s: link %llu MB/s, compressor %llu MB/s to %llu %%",
		  on ? "on" : "off", (unsigned long long)link_speed(a) / 1000000,
		  (unsigned long long)(a->ns ? a->in * 1000 / a->ns : 0),
		  (unsigned long long)(a->in ? a->out * 100 / a->in : 0));
}

/* Not again soon, and then by a new trial. */
static void in_vain(struct adapt *a, unsigned times)
{
	uint64_t gap = a->gap ? times * a->gap : GAP_LEAST;

	a->gap = gap < GAP_MOST ? gap : GAP_MOST;
	a->since = a->in = a->out = a->ns = 0;
}

/* On: whether what was seen stands against it. */
static void judge(struct adapt *a)
{
	unsigned again;

	if (a->stale > STALE && !a->hurry && a->link) {
		/* The link was not waited for since then: it may be a faster one by now, which only sending as it is can tell. */
		a->link = 0;
		if (!pays(a))
			turn(a, false);
		a->stale = 0;
		return;
	}
	/* With nobody waiting for the link, only the limit's end: it stays as it is. */
	if (!link_speed(a))
		return;
	if (!pays(a)) {
		turn(a, false);
		in_vain(a, 2);
	} else if (a->judged >= JUDGE_BYTES) {
		bool faster = (double)a->judged * 1e9 >
			      GAIN * (double)a->to_beat * (double)a->judged_ns;

		a->judged = a->judged_ns = 0;
		if (faster)
			return;
		/* Of what hardly becomes less, something else may follow. */
		again = a->out > a->in / 10 * 9 ? 2 : 4;
		turn(a, false);
		in_vain(a, again);
	}
}

bool adapt_wants(struct adapt *a)
{
	if (a->on)
		judge(a);
	else if (a->since >= a->gap && pays(a))
		turn(a, true);
	return a->on;
}

size_t adapt_trial(struct adapt *a, size_t len)
{
	uint64_t link = link_speed(a);

	if (a->hurry || !link || link > FAST || a->since < a->gap || len < TRIAL_LEAST)
		return 0;
	if (a->in >= TRIAL_BYTES) {
		/* There was a trial, and it is still off. */
		in_vain(a, 2);
		return 0;
	}
	return len < TRIAL_PIECE ? len : TRIAL_PIECE;
}

void adapt_tried(struct adapt *a, size_t len, size_t became, uint64_t ns)
{
	note_compressor(a, len, became, ns);
}

void adapt_packed(struct adapt *a, size_t len, size_t became, uint64_t began, uint64_t ns)
{
	a->packed_at = began;
	note_compressor(a, len, became, ns);
}

void adapt_passed(struct adapt *a, size_t plain, size_t wire, uint64_t now)
{
	a->wrote += wire;
	if (!a->on) {
		a->since += plain;
		return;
	}
	a->stale += plain;
	if (!a->packed_at)
		return;
	a->judged += plain;
	a->judged_ns += now - a->packed_at;
	a->packed_at = 0;
}
