// SPDX-License-Identifier: GPL-2.0-only
/* The content of a file in the tree stream: all of it, or what differs from what was sent. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "storage/stream_sender.h"

#define RUN_BLOCKS (ST_DATA_MAX / ST_BLOCK_SIZE)

static int put_end(struct st_sender *s, uint64_t size)
{
	st_put_u8(&s->frame, ST_RECORD_FILE);
	st_put_u64(&s->frame, size);
	return s->frame.failed;
}

/* Up to `end`, or to where the file ends now; from is where a block begins. Returns 1 if it ended. */
static int put_stretch(struct st_sender *s, int fd, off_t from, off_t end, struct st_block *sums,
		       struct err *e)
{
	while (from < end) {
		size_t want = end - from < (off_t)ST_DATA_MAX ? (size_t)(end - from) : ST_DATA_MAX;
		uint8_t *room = st_put_room(&s->frame, 1 + 8 + 4 + want);
		ssize_t n;

		if (!room)
			return s->frame.failed;
		n = st_blocks_pread(fd, room + 13, want, from);
		if (n < 0)
			return err_set(e, (int)-n, "read /%s: %s", s->path, strerror((int)-n));
		if (n == 0)
			return 1;
		if (sums)
			st_blocks_sum(st_manifest_key(s->sent), room + 13, (size_t)n,
				      sums + from / ST_BLOCK_SIZE);
		st_put_u8(&s->frame, ST_RECORD_DATA);
		st_put_u64(&s->frame, (uint64_t)from);
		st_put_u32(&s->frame, (uint32_t)n);
		st_put_fill(&s->frame, (size_t)n);
		s->stats.bytes += (uint64_t)n;
		if ((size_t)n < want)
			return 1;
		from += n;
	}
	return 0;
}

/* Sends size bytes, the size when it was opened: a file that grows for ever must not keep us for ever. */
int st_put_content(struct st_sender *s, struct st_noted *n, int fd, uint64_t size, struct err *e)
{
	struct st_block *sums = s->keep ? st_noted_blocks(s->sent, n, size) : NULL;
	off_t at = 0, end = (off_t)size;
	int r = 0;

	if (s->keep)
		st_blocks_protect(fd);
	while (at < end && r == 0) {
		off_t data = lseek(fd, at, SEEK_DATA), hole;
		size_t first;

		if (data < 0 && errno != ENXIO)
			return err_sys(e, "find the data of /%s", s->path);
		data = data < 0 || data > end ? end : data & ~(off_t)(ST_BLOCK_SIZE - 1);
		first = st_blocks_count((uint64_t)at);
		for (size_t i = first; sums && i < st_blocks_count((uint64_t)data); i++)
			sums[i] = ST_BLOCK_HOLE;
		if (data >= end)
			break;
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0 && errno == ENXIO)
			break;
		if (hole < 0)
			return err_sys(e, "find the holes of /%s", s->path);
		hole = (off_t)st_blocks_count((uint64_t)hole) * ST_BLOCK_SIZE;
		r = put_stretch(s, fd, data, hole < end ? hole : end, sums, e);
		at = hole;
	}
	return r < 0 ? r : put_end(s, size);
}

/* What was data there and is none any more. */
static void put_hole(struct st_sender *s, size_t from, size_t end, uint64_t size)
{
	uint64_t at = (uint64_t)from * ST_BLOCK_SIZE, to = (uint64_t)end * ST_BLOCK_SIZE;

	st_put_u8(&s->frame, ST_RECORD_HOLE);
	st_put_u64(&s->frame, at);
	st_put_u64(&s->frame, (to < size ? to : size) - at);
}

/*
 * The sums were taken by several threads; what differs is read again, and it is the sums of what is sent that are kept. A block that was the same then and is
 * not now was changed after the ctime that is noted.
 */
static int put_differing(struct st_sender *s, int fd, uint64_t size, const struct st_block *had,
			 size_t n_had, struct st_block *now, struct err *e)
{
	size_t n = st_blocks_count(size), end;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i = end) {
		bool hole = st_block_is_hole(&now[i]);

		end = i + 1;
		if (i < n_had ? st_block_same(&had[i], &now[i]) : hole)
			continue;
		while (end < n && (hole || end < i + RUN_BLOCKS) &&
		       st_block_is_hole(&now[end]) == hole &&
		       (end < n_had ? !st_block_same(&had[end], &now[end]) : !hole))
			end++;
		if (hole)
			put_hole(s, i, end, size);
		else
			r = put_stretch(s, fd, (off_t)i * ST_BLOCK_SIZE,
					end < n ? (off_t)end * ST_BLOCK_SIZE : (off_t)size, now, e);
		if (s->frame.failed)
			return s->frame.failed;
	}
	return r < 0 ? r : 0;
}

int st_put_difference(struct st_sender *s, struct st_noted *n, int fd, uint64_t size, struct err *e)
{
	auto_free struct st_block *had = n->blocks;
	size_t n_had = st_blocks_count(n->size);
	auto_free struct st_block *spare = NULL;
	struct st_block *now;
	int r;

	st_noted_blocks_lend(s->sent, n);
	now = st_noted_blocks(s->sent, n, size);
	if (!now) {
		spare = calloc(st_blocks_count(size) + 1, sizeof(*spare));
		now = spare;
	}
	if (!now)
		return err_sys(e, "read /%s", s->path);
	if (s->keep)
		st_blocks_protect(fd);
	r = st_blocks_read(st_manifest_key(s->sent), fd, size, now, st_blocks_count(size));
	if (r < 0)
		return err_set(e, -r, "read /%s: %s", s->path, strerror(-r));
	r = put_differing(s, fd, size, had, n_had, now, e);
	return r < 0 ? r : put_end(s, size);
}
