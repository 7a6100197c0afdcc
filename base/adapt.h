/* SPDX-License-Identifier: GPL-2.0-only */
/* When compression makes a link faster: decided from what was measured, and from nothing else. */
#pragma once

/*
 * It is off until the link is known to be slow: what the socket still holds when the next chunk is there has waited for the link, so the speed is what went out of the
 * socket's queue meanwhile; an empty queue says that the link is not what is waited for. Then a little of what goes is compressed for trial, and it is on when
 * that gains more bytes a second than the link carries. While it is on it is judged by the time that it and the writes really took: a link to a host that is itself the slow one becomes no faster by it.
 *
 * For each chunk: adapt_look(), with adapt_speed() when that says so; adapt_wants(), and then either adapt_packed() or, when adapt_trial() asks for it, adapt_tried(); at last adapt_passed().
 * Nothing here reads a clock or a descriptor: times are the caller's, nanoseconds of one monotonic clock.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct adapt {
	bool on, hurry;
	uint64_t limit;
	/* The link: its speed, 0: it was never waited for; and the stretch in which it is being waited for. */
	uint64_t link, began, wrote, queued, stale;
	uint64_t waited, looked; /* for processors, ns, and when that was said */
	/* The compressor, over the last few megabytes. */
	uint64_t in, out, ns;
	/* Off: bytes since the last trial, and how many until the next. */
	uint64_t since, gap;
	/* On: what it took, of the compressor and of the writes. */
	uint64_t judged, judged_ns, packed_at, to_beat;
};

/* limit: bytes a second that the caller holds the link to, 0: none; waited: as for adapt_speed(). */
void adapt_init(struct adapt *a, uint64_t limit, uint64_t now, uint64_t waited);

/* From now on somebody waits for every chunk: no trials, and the limit holds no more. */
void adapt_hurry(struct adapt *a);

/* A chunk is there to be sent, and the socket holds so many bytes of those before it, <= 0: none. Whether the link's speed can be said: then adapt_speed() is to be called. */
bool adapt_look(struct adapt *a, uint64_t now, int queued);

/* waited: ns since boot in which some task waited for a processor (/proc/pressure/cpu); always 0: not known. */
void adapt_speed(struct adapt *a, uint64_t now, int queued, uint64_t waited);

/* Whether the chunk is to be packed. */
bool adapt_wants(struct adapt *a);

/* Off: how much of a chunk of len bytes is to be compressed for trial; 0: nothing. */
size_t adapt_trial(struct adapt *a, size_t len);
/* became == len: it is not worth it. */
void adapt_tried(struct adapt *a, size_t len, size_t became, uint64_t ns);

/* On: the compressor has begun with the chunk at `began` and taken ns. */
void adapt_packed(struct adapt *a, size_t len, size_t became, uint64_t began, uint64_t ns);

/* `plain` bytes have been written, at `now`, as `wire` ones, packed or not. */
void adapt_passed(struct adapt *a, size_t plain, size_t wire, uint64_t now);
