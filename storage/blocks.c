// SPDX-License-Identifier: GPL-2.0-only
/* NH over blocks, and a file read by several threads. */
#include "storage/blocks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/err.h"
#include "storage/team.h"

/* A thread's share at a time, and what it reads at once: the sum is taken while the data is in the processor's cache. */
#define SHARE_BLOCKS 1024U
#define READ_BLOCKS  32U

int st_block_key_init(struct st_block_key *key, struct err *e)
{
	uint8_t *p = (uint8_t *)key;

	for (size_t done = 0; done < sizeof(*key);) {
		ssize_t n = getrandom(p + done, sizeof(*key) - done, 0);

		if (n < 0 && errno != EINTR)
			return err_sys(e, "get random bytes");
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static struct st_block sum_one(const struct st_block_key *key, const uint8_t *data)
{
	unsigned __int128 even = 0, odd = 0;

	for (size_t i = 0; i < ST_BLOCK_SIZE / 8; i += 4) {
		uint64_t w[4];

		memcpy(w, data + 8 * i, sizeof(w));
		even += (unsigned __int128)(w[0] + key->word[i]) * (w[1] + key->word[i + 1]);
		odd += (unsigned __int128)(w[2] + key->word[i + 2]) * (w[3] + key->word[i + 3]);
	}
	even += odd;
	return (struct st_block){(uint64_t)even, (uint64_t)(even >> 64)};
}

void st_blocks_sum(const struct st_block_key *key, const uint8_t *data, size_t len,
		   struct st_block *sums)
{
	uint8_t last[ST_BLOCK_SIZE];

	for (; len >= ST_BLOCK_SIZE; data += ST_BLOCK_SIZE, len -= ST_BLOCK_SIZE)
		*sums++ = sum_one(key, data);
	if (!len)
		return;
	memset(last, 0, sizeof(last));
	memcpy(last, data, len);
	*sums = sum_one(key, last);
}

bool st_block_same(const struct st_block *a, const struct st_block *b)
{
	if (a->low == UINT64_MAX && a->high == UINT64_MAX)
		return false;
	return a->low == b->low && a->high == b->high;
}

bool st_block_is_hole(const struct st_block *b)
{
	return !b->low && !b->high;
}

void st_blocks_protect(int fd)
{
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE);
}

struct reading {
	const struct st_block_key *key;
	int fd;
	off_t size;
	struct st_block *sums;
	size_t n;
	atomic_int failed; /* -errno */
};

ssize_t st_blocks_pread(int fd, uint8_t *data, size_t len, off_t at)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, data + done, len - done, at + (off_t)done);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* The blocks [at, end), which hold data. Returns 1 at the end of the file, -errno. */
static int read_data(struct reading *r, size_t at, size_t end)
{
	uint8_t buf[READ_BLOCKS * ST_BLOCK_SIZE];

	while (at < end) {
		size_t blocks = end - at < READ_BLOCKS ? end - at : READ_BLOCKS;
		ssize_t n = st_blocks_pread(r->fd, buf, blocks * ST_BLOCK_SIZE,
					    (off_t)at * ST_BLOCK_SIZE);

		if (n < 0)
			return (int)n;
		/* What was appended since the size was looked at is not of this pass. */
		if ((off_t)at * ST_BLOCK_SIZE + n > r->size)
			n = r->size - (off_t)at * ST_BLOCK_SIZE;
		if (n <= 0)
			return 1;
		st_blocks_sum(r->key, buf, (size_t)n, r->sums + at);
		if ((size_t)n < blocks * ST_BLOCK_SIZE)
			return 1;
		at += blocks;
	}
	return 0;
}

/* Every seek of lseek(2) for data or holes waits for the buffered write that is under way (see stream_file.c). */
static int read_share(struct reading *r, size_t at, size_t end)
{
	int done = 0;

	for (size_t i = at; i < end; i++)
		r->sums[i] = ST_BLOCK_UNKNOWN;
	while (at < end && !done) {
		off_t data = lseek(r->fd, (off_t)at * ST_BLOCK_SIZE, SEEK_DATA), hole;
		size_t from = data < 0 ? end : (size_t)data / ST_BLOCK_SIZE, to;

		if (data < 0 && errno != ENXIO)
			return -errno;
		for (; at < from && at < end; at++)
			r->sums[at] = ST_BLOCK_HOLE;
		if (at >= end)
			break;
		hole = lseek(r->fd, data, SEEK_HOLE);
		if (hole < 0)
			return errno == ENXIO ? 0 : -errno;
		to = st_blocks_count((uint64_t)hole);
		done = read_data(r, at, to < end ? to : end);
		at = to;
	}
	return done < 0 ? done : 0;
}

static void read_job(void *arg, size_t i)
{
	struct reading *r = arg;
	size_t at = i * SHARE_BLOCKS, end = at + SHARE_BLOCKS;
	int failed = read_share(r, at, end < r->n ? end : r->n);

	if (failed < 0)
		atomic_store(&r->failed, failed);
}

int st_blocks_read_alone(const struct st_block_key *key, int fd, uint64_t size,
			 struct st_block *sums, size_t n)
{
	struct reading r = {.key = key, .fd = fd, .size = (off_t)size, .sums = sums, .n = n};

	return read_share(&r, 0, n);
}

int st_blocks_read(const struct st_block_key *key, int fd, uint64_t size, struct st_block *sums,
		   size_t n)
{
	struct reading r = {.key = key, .fd = fd, .size = (off_t)size, .sums = sums, .n = n};

	if (n <= SHARE_BLOCKS)
		return st_blocks_read_alone(key, fd, size, sums, n);
	st_team_run((n + SHARE_BLOCKS - 1) / SHARE_BLOCKS, read_job, &r);
	return atomic_load(&r.failed);
}
