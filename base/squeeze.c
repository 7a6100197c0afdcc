// SPDX-License-Identifier: GPL-2.0-only
/* The compressing, and what is measured of it. */
#include "base/squeeze.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/sockios.h>
#include <zstd.h>

#include "base/adapt.h"
#include "base/err.h"
#include "base/log.h"
#include "base/own.h"

/* 390 MB/s to 0.41 of libraries' text on one core of 2022, 4 GB/s through what is random; -1 is hardly faster and leaves 0.47. */
#define LEVEL 1
/* A chunk is smaller by an eighth, or not worth the other side's work. */
#define WORTH(len) ((len) - (len) / 8)
#define LEAST	   512

struct squeeze {
	enum squeeze_when when;
	int fd;
	int pressure; /* /proc/pressure/cpu, or -errno */
	struct adapt adapt;
	bool warm;
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

/* Pressure stall information, which is in microseconds since boot; 0: the kernel has none. */
static uint64_t waited_for_processors(const struct squeeze *s)
{
	char text[128] = "";
	const char *total;

	if (s->pressure < 0 || pread(s->pressure, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	total = strstr(text, "total=");
	return total ? strtoull(total + 6, NULL, 10) * 1000 : 0;
}

struct squeeze *squeeze_new(enum squeeze_when when, int fd, uint64_t limit, struct err *e)
{
	struct squeeze *s = calloc(1, sizeof(*s));
	size_t r = 0;

	if (s) {
		*s = (struct squeeze){.when = when, .fd = fd};
		s->pressure = open("/proc/pressure/cpu", O_RDONLY | O_CLOEXEC);
		adapt_init(&s->adapt, limit, log_now_ns(), waited_for_processors(s));
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
		adapt_hurry(&s->adapt);
}

static size_t compress(struct squeeze *s, const void *data, size_t len, size_t room)
{
	size_t n = ZSTD_compress2(s->zstd, s->room, room, data, len);

	return ZSTD_isError(n) ? 0 : n;
}

static void look(struct squeeze *s)
{
	uint64_t now = log_now_ns();
	int queued = 0;

	if (ioctl(s->fd, SIOCOUTQ, &queued) < 0)
		queued = 0;
	if (adapt_look(&s->adapt, now, queued))
		adapt_speed(&s->adapt, now, queued, waited_for_processors(s));
}

bool squeeze_wants(struct squeeze *s)
{
	if (!s || s->when != SQUEEZE_AUTO)
		return s && s->when == SQUEEZE_ZSTD;
	look(s);
	return adapt_wants(&s->adapt);
}

/* Off, and the link may be slow enough: what would be gained with this chunk. */
static void try(struct squeeze *s, const void *data, size_t len)
{
	uint64_t began;
	size_t n;

	len = s->when == SQUEEZE_AUTO ? adapt_trial(&s->adapt, len) : 0;
	/* The first one ever pays for the tables' memory. */
	if (!len || (!s->warm && !compress(s, data, len, SQUEEZE_MOST)))
		return;
	s->warm = true;
	began = log_now_ns();
	n = compress(s, data, len, SQUEEZE_MOST);
	if (n)
		adapt_tried(&s->adapt, len, n < WORTH(len) ? n : len, log_now_ns() - began);
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
	adapt_packed(&s->adapt, len, n ? n : len, began, log_now_ns() - began);
	s->stats.before += len;
	s->stats.after += n ? n : len;
	*packed = s->room;
	return n;
}

void squeeze_passed(struct squeeze *s, size_t plain, size_t wire)
{
	if (s)
		adapt_passed(&s->adapt, plain, wire, log_now_ns());
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
