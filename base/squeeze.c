// SPDX-License-Identifier: GPL-2.0-only
/* When compression pays, and the compressing. */
#include "base/squeeze.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/sockios.h>
#include <zstd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"

/* 390 MB/s to 0.41 of libraries' text on one core of 2022, 4 GB/s through what is random; -1 is hardly faster and leaves 0.47. */
#define LEVEL 1
/* A chunk is smaller by an eighth, or not worth the other side's work. */
#define WORTH(len) ((len) - (len) / 8)
#define LEAST	   512

/* Below this it pays whatever is in it: the compressor is several times faster. Above FAST what is gained is less than the noise. */
#define SLOW 40000000ull
#define FAST 250000000ull
/* What the link's speed is taken over: a queue that was never empty meanwhile. */
#define LOOK_BYTES (1u << 20)
#define LOOK_NS	   20000000ull
/* A trial: some of each of a few chunks. The next one after at least GAP bytes; after each that was in vain twice that, four times when it was on in vain. */
#define TRIAL_PIECE (128u << 10)
#define TRIAL_BYTES (4 * TRIAL_PIECE)
#define GAP_LEAST   (8u << 20)
#define GAP_MOST    (128u << 20)
/* It is judged over so much, against what the link carried before it: while it is on a link is slower, too, whose other end is busy unpacking. */
#define JUDGE_BYTES (8u << 20)
#define GAIN	    1.1
/* An old speed of the link is asked for again after so much. */
#define STALE (256u << 20)

struct squeeze {
	enum squeeze_when when;
	int fd;
	bool on, hurry;
	uint64_t limit;
	/* The link: its speed, 0: it was never waited for; and the stretch in which it is being waited for. */
	uint64_t link, began, wrote, queued, stale;
	int pressure;		 /* /proc/pressure/cpu, or -errno */
	uint64_t waited, looked; /* ns that it said, and when */
	/* The compressor, over the last few megabytes. */
	uint64_t in, out, ns;
	/* Off: bytes since the last trial, and how many until the next. */
	uint64_t since, gap;
	/* On: what it took, of the compressor and of the writes. */
	uint64_t judged, judged_ns, packed_at, to_beat;
	struct squeeze_stats stats;
	ZSTD_CCtx *zstd;
	uint8_t *room;
};

static const char *const words[] = {
#define X(name, word) [SQUEEZE_##name] = word,
	SQUEEZE_WHEN(X)
#undef X
};

int squeeze_when_from_str(const char *word, enum squeeze_when *when, struct err *e)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(word, words[i])) {
			*when = (enum squeeze_when)i;
			return 0;
		}
	err_set(e, EINVAL, "'%.64s' is not one of auto, zstd, none", word);
	return err_class(e, ERR_VALUE);
}

/*
 * Where somebody waits for a processor half of the time, what looks like a slow link may be its other end, or the program that encrypts, waiting for one; and what
 * compression gains on the wire it takes from those. Pressure stall information is in microseconds since boot.
 */
static bool short_of_processors(struct squeeze *s, uint64_t now)
{
	char text[128] = "";
	const char *total;
	uint64_t waited = s->waited;

	if (s->pressure < 0 || pread(s->pressure, text, sizeof(text) - 1, 0) <= 0)
		return false;
	total = strstr(text, "total=");
	s->waited = total ? strtoull(total + 6, NULL, 10) * 1000 : 0;
	waited = s->waited - waited;
	now -= s->looked;
	s->looked += now;
	return waited > now / 2;
}

struct squeeze *squeeze_new(enum squeeze_when when, int fd, uint64_t limit, struct err *e)
{
	struct squeeze *s = calloc(1, sizeof(*s));
	size_t r = 0;

	if (s) {
		*s = (struct squeeze){.when = when, .fd = fd, .limit = limit};
		s->pressure = open("/proc/pressure/cpu", O_RDONLY | O_CLOEXEC);
		(void)short_of_processors(s, log_now_ns());
		s->room = malloc(SQUEEZE_MOST);
		s->zstd = ZSTD_createCCtx();
	}
	if (s && s->zstd && s->room) {
		r = ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_compressionLevel, LEVEL);
		/* A flipped bit is found, not believed: pages have sums of their own, files have not. */
		if (!ZSTD_isError(r))
			r = ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_checksumFlag, 1);
		if (!ZSTD_isError(r))
			return s;
	}
	squeeze_free(s);
	err_set(e, ENOMEM, "compress: %s",
		ZSTD_isError(r) ? ZSTD_getErrorName(r) : "out of memory");
	return NULL;
}

void squeeze_free(struct squeeze *s)
{
	if (!s)
		return;
	own_close_fd(&s->pressure);
	ZSTD_freeCCtx(s->zstd);
	free(s->room);
	free(s);
}

void squeeze_hurry(struct squeeze *s)
{
	if (s)
		s->hurry = true;
}

static size_t compress(struct squeeze *s, const void *data, size_t len, size_t room)
{
	size_t n = ZSTD_compress2(s->zstd, s->room, room, data, len);

	return ZSTD_isError(n) ? 0 : n;
}

static void note_speed(struct squeeze *s, size_t len, size_t became, uint64_t ns)
{
	if (s->in > 2 * JUDGE_BYTES) {
		s->in /= 2;
		s->out /= 2;
		s->ns /= 2;
	}
	s->in += len;
	s->out += became;
	s->ns += ns;
}

/* Called when a chunk is there to be sent: what the link has done since the last one. */
static void look(struct squeeze *s)
{
	uint64_t now = log_now_ns(), gone, speed;
	int queued = 0;

	if (ioctl(s->fd, SIOCOUTQ, &queued) < 0 || queued <= 0) {
		s->began = now;
		s->wrote = s->queued = 0;
		return;
	}
	if (s->wrote < LOOK_BYTES || now - s->began < LOOK_NS)
		return;
	/* The queue counts what the kernel's buffers take, which is somewhat more than their bytes. */
	gone = s->wrote + s->queued > (uint64_t)queued ? s->wrote + s->queued - (uint64_t)queued
						       : 0;
	speed = (uint64_t)((double)gone * 1e9 / (double)(now - s->began)) + 1;
	if (!short_of_processors(s, now) || speed < SLOW) {
		s->link = speed;
		s->stale = 0;
	}
	s->began = now;
	s->wrote = 0;
	s->queued = (uint64_t)queued;
}

static uint64_t link_speed(const struct squeeze *s)
{
	uint64_t limit = s->hurry ? 0 : s->limit;

	if (!limit || !s->link)
		return limit ? limit : s->link;
	return limit < s->link ? limit : s->link;
}

/* By what is known. The third is for what is not: the other side's work, the processors that both need. */
static bool pays(const struct squeeze *s)
{
	uint64_t link = link_speed(s);

	if (!link || link > FAST)
		return false;
	if (link < SLOW)
		return true;
	return s->in >= TRIAL_BYTES && s->ns && s->out < s->in &&
	       (double)link * 1.33 < (double)(s->in - s->out) * 1e9 / (double)s->ns;
}

static void turn(struct squeeze *s, bool on)
{
	s->on = on;
	s->to_beat = link_speed(s);
	s->since = s->judged = s->judged_ns = s->stale = 0;
	log_debug("compression %s: link %llu MB/s, compressor %llu MB/s to %llu %%",
		  on ? "on" : "off", (unsigned long long)link_speed(s) / 1000000,
		  (unsigned long long)(s->ns ? s->in * 1000 / s->ns : 0),
		  (unsigned long long)(s->in ? s->out * 100 / s->in : 0));
}

/* Not again soon, and then by a new trial. */
static void in_vain(struct squeeze *s, unsigned times)
{
	uint64_t gap = s->gap ? times * s->gap : GAP_LEAST;

	s->gap = gap < GAP_MOST ? gap : GAP_MOST;
	s->since = s->in = s->out = s->ns = 0;
}

/* On: whether what was seen stands against it. */
static void judge(struct squeeze *s)
{
	unsigned again;

	if (s->stale > STALE && !s->hurry && s->link) {
		/* The link was not waited for since then: it may be a faster one by now, which only sending as it is can tell. */
		s->link = 0;
		if (!pays(s))
			turn(s, false);
		s->stale = 0;
		return;
	}
	/* With nobody waiting for the link, only the limit's end: it stays as it is. */
	if (!link_speed(s))
		return;
	if (!pays(s)) {
		turn(s, false);
		in_vain(s, 2);
	} else if (s->judged >= JUDGE_BYTES) {
		bool faster = (double)s->judged * 1e9 >
			      GAIN * (double)s->to_beat * (double)s->judged_ns;

		s->judged = s->judged_ns = 0;
		if (faster)
			return;
		/* Of what hardly becomes less, something else may follow. */
		again = s->out > s->in / 10 * 9 ? 2 : 4;
		turn(s, false);
		in_vain(s, again);
	}
}

bool squeeze_wants(struct squeeze *s)
{
	if (!s || s->when != SQUEEZE_AUTO)
		return s && s->when == SQUEEZE_ZSTD;
	look(s);
	if (s->on)
		judge(s);
	else if (s->since >= s->gap && pays(s))
		turn(s, true);
	return s->on;
}

/* Off, and the link may be slow enough: what would be gained with this chunk. */
static void try(struct squeeze *s, const void *data, size_t len)
{
	uint64_t link = link_speed(s), began;
	size_t n;

	if (s->when != SQUEEZE_AUTO || s->hurry || !link || link > FAST || s->since < s->gap ||
	    len < LEAST)
		return;
	if (s->in >= TRIAL_BYTES) {
		/* There was a trial, and it is still off. */
		in_vain(s, 2);
		return;
	}
	len = len < TRIAL_PIECE ? len : TRIAL_PIECE;
	/* The first one ever pays for the tables' memory. */
	if (!s->in && !compress(s, data, len, SQUEEZE_MOST))
		return;
	began = log_now_ns();
	n = compress(s, data, len, SQUEEZE_MOST);
	if (n)
		note_speed(s, len, n < WORTH(len) ? n : len, log_now_ns() - began);
}

bool squeeze_leaves(struct squeeze *s, const void *data, size_t len)
{
	bool leaves = !squeeze_wants(s);

	if (leaves && s)
		try(s, data, len);
	return leaves;
}

size_t squeeze_pack(struct squeeze *s, const void *data, size_t len, const void **packed)
{
	uint64_t began;
	size_t n;

	if (squeeze_leaves(s, data, len))
		return 0;
	if (len < LEAST || len > SQUEEZE_MOST)
		return 0;
	began = log_now_ns();
	n = compress(s, data, len, WORTH(len));
	s->packed_at = began;
	note_speed(s, len, n ? n : len, log_now_ns() - began);
	s->stats.before += len;
	s->stats.after += n ? n : len;
	*packed = s->room;
	return n;
}

void squeeze_passed(struct squeeze *s, size_t plain, size_t wire)
{
	if (!s)
		return;
	s->wrote += wire;
	if (!s->on) {
		s->since += plain;
		return;
	}
	s->stale += plain;
	if (!s->packed_at)
		return;
	s->judged += plain;
	s->judged_ns += log_now_ns() - s->packed_at;
	s->packed_at = 0;
}

struct squeeze_stats squeeze_stats(const struct squeeze *s)
{
	return s ? s->stats : (struct squeeze_stats){0};
}

static int damaged(struct err *e, const char *why)
{
	return err_set(e, EBADMSG, "compressed data is damaged: %s", why);
}

int squeeze_unpack(const void *packed, size_t size, void *out, size_t len, struct err *e)
{
	static const uint8_t magic[] = {0x28, 0xb5, 0x2f, 0xfd};
	size_t n;

	/* One frame of today's format, and no other: what libzstd knows of older ones, and frames to be skipped, are no part of the protocol. */
	if (size < sizeof(magic) || memcmp(packed, magic, sizeof(magic)) != 0)
		return damaged(e, "it is none");
	n = ZSTD_findFrameCompressedSize(packed, size);
	if (ZSTD_isError(n))
		return damaged(e, ZSTD_getErrorName(n));
	if (n != size)
		return damaged(e, "something follows it");
	/* Straight into out, and never beyond: neither a window nor what the frame's head says is believed. */
	n = ZSTD_decompress(out, len, packed, size);
	if (ZSTD_isError(n))
		return damaged(e, ZSTD_getErrorName(n));
	return n == len ? 0 : damaged(e, "it is less than was said");
}
