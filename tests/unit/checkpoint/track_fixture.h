/* SPDX-License-Identifier: GPL-2.0-only */
/* The target's side of the tests of the tracker: what came, page by page, and whether it is what the process has. */
#pragma once

#include "tests/unit/cgroups/fixture.h"

#include <inttypes.h>
#include <sys/mman.h>

#include "checkpoint/track.h"
#include "checkpoint/track_set.h"

#define STORES 4096
#define CHUNKS 1024
#define CHUNK  (4u << 20)

struct store {
	uint32_t id;
	struct cr_leaves pages; /* a leaf: 512 pointers to pages */
};

struct target {
	struct store stores[STORES];
	unsigned count;
	/* Where the pages are: not in the heap, which our children inherit and which would come back as theirs. */
	char *chunks[CHUNKS];
	unsigned chunk_count;
	size_t used;	/* of the last one */
	int fail_after; /* the sink fails at that call; 0: never */
};

static inline struct store *store_of(struct target *to, uint32_t id)
{
	for (unsigned i = 0; i < to->count; i++)
		if (to->stores[i].id == id)
			return &to->stores[i];
	assert_true(to->count < STORES);
	to->stores[to->count] =
		(struct store){.id = id, .pages = {.leaf_size = CR_LEAF_PAGES * sizeof(void *)}};
	return &to->stores[to->count++];
}

static inline void **stored(struct store *s, uint64_t vaddr, bool make)
{
	void **leaf = cr_leaves_at(&s->pages, vaddr, make);

	return leaf ? leaf + vaddr / CR_PAGE_SIZE % CR_LEAF_PAGES : NULL;
}

static inline void *new_page(struct target *to)
{
	if (to->chunk_count == 0 || to->used == CHUNK) {
		char *m = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);

		assert_true(m != MAP_FAILED && to->chunk_count < CHUNKS);
		assert_int_equal(madvise(m, CHUNK, MADV_DONTFORK), 0);
		to->chunks[to->chunk_count++] = m;
		to->used = 0;
	}
	to->used += CR_PAGE_SIZE;
	return to->chunks[to->chunk_count - 1] + to->used - CR_PAGE_SIZE;
}

static inline int to_store(void *arg, uint32_t id, uint64_t vaddr, uint32_t npages,
			   const void *data, struct err *e)
{
	struct target *to = arg;
	struct store *s = store_of(to, id);

	assert_in_range(npages, 1, CR_TRACK_BATCH);
	assert_int_equal(vaddr % CR_PAGE_SIZE, 0);
	if (to->fail_after && --to->fail_after == 0)
		return err_set(e, EPIPE, "the test's sink is full");
	for (uint32_t i = 0; i < npages; i++) {
		void **page = stored(s, vaddr + (uint64_t)i * CR_PAGE_SIZE, true);

		if (!*page)
			*page = new_page(to);
		memcpy(*page, (const char *)data + (size_t)i * CR_PAGE_SIZE, CR_PAGE_SIZE);
	}
	return 0;
}

static inline void target_done(struct target *to)
{
	for (unsigned i = 0; i < to->count; i++)
		cr_leaves_done(&to->stores[i].pages);
	for (unsigned i = 0; i < to->chunk_count; i++)
		munmap(to->chunks[i], CHUNK);
	to->count = to->chunk_count = 0;
}

/*
 * What criu would ask for, found in another way than the tracker's: by the words of /proc/PID/pagemap. The page of zeroes is in it, too. Not mappings over
 * a GiB (a sanitizer's): that would take hours.
 */
static inline size_t needed_of(pid_t pid, struct cr_run **out)
{
	char path[48], line[512];
	auto_fd int pagemap = -EBADF;
	auto_file FILE *maps = NULL;
	size_t n = 0, room = 0;

	*out = NULL;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	pagemap = open(path, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		uint64_t from, to;
		unsigned long inode;
		char perms[5], name[64] = "";

		assert_true(sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %*s %lu %60s", &from, &to,
				   perms, &inode, name) >= 4);
		if (perms[3] != 'p' || inode || (to - from) >> 30 || !strncmp(name, "[v", 2))
			continue;
		for (; from < to; from += CR_PAGE_SIZE) {
			uint64_t word = 0;

			assert_int_equal(pread(pagemap, &word, 8, (off_t)(from / CR_PAGE_SIZE * 8)),
					 8);
			if (!(word >> 62) || word & 1ull << 61)
				continue;
			if (n &&
			    (*out)[n - 1].vaddr + (*out)[n - 1].npages * CR_PAGE_SIZE == from) {
				(*out)[n - 1].npages++;
				continue;
			}
			if (n == room)
				*out = realloc(*out, (room = room * 2 + 64) * sizeof(**out));
			(*out)[n++] = (struct cr_run){from, 1};
		}
	}
	return n;
}

/* Every needed page of the store is what the stopped process has. Returns how many there are. */
static inline uint64_t same_memory(struct target *to, pid_t pid, uint32_t id,
				   const struct cr_run *needed, size_t count)
{
	struct store *s = store_of(to, id);
	auto_fd int mem = -EBADF;
	uint64_t pages = 0;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDONLY);
	for (size_t i = 0; i < count; i++)
		for (uint64_t k = 0; k < needed[i].npages; k++) {
			uint64_t at = needed[i].vaddr + k * CR_PAGE_SIZE;
			void **page = stored(s, at, false);
			char now[CR_PAGE_SIZE];

			assert_int_equal(pread(mem, now, sizeof(now), (off_t)at), sizeof(now));
			if (!page || !*page)
				fail_msg("page %" PRIx64 " of %u never came", at, id);
			if (memcmp(*page, now, sizeof(now)))
				fail_msg("page %" PRIx64 " of %u is an old one", at, id);
			pages++;
		}
	return pages;
}

/* Freezes the group, has the final of every process, compares all memory, thaws. Returns how many pages the final gave. */
static inline uint64_t final_is_exact(const struct cg *cg, struct cr_track *t, struct target *to)
{
	auto_free pid_t *pids = NULL;
	struct cr_track_stats stats = {0};
	struct err e = {0};
	int count;

	OK(cg_freeze(cg, 30000, &e));
	OK(count = cg_pids(cg, &pids, &e));
	for (int i = 0; i < count; i++) {
		auto_free struct cr_run *needed = NULL;
		size_t n = needed_of(pids[i], &needed);

		OK(cr_track_final(t, (uint32_t)pids[i], needed, n, to_store, to, &stats, &e));
		same_memory(to, pids[i], (uint32_t)pids[i], needed, n);
	}
	OK(cg_thaw(cg, 30000, &e));
	return stats.pages;
}
