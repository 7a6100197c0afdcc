/* SPDX-License-Identifier: GPL-2.0-only */
/* What a file held, block by block: so that of a large file only what changed is sent again. */
#pragma once

/*
 * A sum is NH (Black and others, UMAC, 1999): two blocks that differ have the same one with a probability of 2^-64, whatever is in them, as long as who wrote
 * them does not know the key. It is random, lives in the sender's memory and nothing made with it leaves that.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

#define ST_BLOCK_SIZE 4096U

struct st_block_key {
	uint64_t word[ST_BLOCK_SIZE / 8];
};

struct st_block {
	uint64_t low, high;
};

/* A block of a hole, and one that nobody knows: equal to none, not to itself. */
#define ST_BLOCK_HOLE	 ((struct st_block){0, 0})
#define ST_BLOCK_UNKNOWN ((struct st_block){UINT64_MAX, UINT64_MAX})

int st_block_key_init(struct st_block_key *key, struct err *e);

/* The number of blocks in a file of that size. */
static inline size_t st_blocks_count(uint64_t size)
{
	return (size_t)((size + ST_BLOCK_SIZE - 1) / ST_BLOCK_SIZE);
}

/* Of the len bytes at data, as if zeros followed to the end of the last block; sums has room for st_blocks_count(len). */
void st_blocks_sum(const struct st_block_key *key, const uint8_t *data, size_t len,
		   struct st_block *sums);

/* pread(2) that is short only at the end of the file: a block must not be taken for one that ends early. Returns the length or -errno. */
ssize_t st_blocks_pread(int fd, uint8_t *data, size_t len, off_t at);

/*
 * Reading what others write. ctime moves when a write begins, not when it ends, and the ctime that goes with a content is looked at before: the end of a
 * write that was under way then must not come after our read. The file system's own lock sees to it: a buffered write holds the inode's from before it sets the
 * ctime, and lseek(2) for data and holes takes it (ext4_llseek, btrfs' find_desired_extent, f2fs_seek_block, shmem_file_llseek), on xfs the read itself. So
 * each reader seeks first. A direct write is under way for as long as the disk takes: so the ctime of a file counts only when it is 2 s old (manifest.c).
 *
 * A page that is mapped shared and dirty can be written again without a page fault, and then ctime does not move. st_blocks_protect writes it back, which
 * protects it, so that a later store faults and is seen; it comes after the stat whose ctime is noted and before the read.
 */
void st_blocks_protect(int fd);

/* Of the whole file, on several threads; what lies behind its end by now is UNKNOWN. sums has room for n, which covers size bytes. */
int st_blocks_read(const struct st_block_key *key, int fd, uint64_t size, struct st_block *sums,
		   size_t n);
/* The same on this thread. */
int st_blocks_read_alone(const struct st_block_key *key, int fd, uint64_t size,
			 struct st_block *sums, size_t n);

bool st_block_same(const struct st_block *a, const struct st_block *b);
bool st_block_is_hole(const struct st_block *b);
