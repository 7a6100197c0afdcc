// SPDX-License-Identifier: GPL-2.0-only
/* The names of a tree, as nodes of a tree. */
#include "storage/manifest.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <time.h>

#include "base/err.h"
#include "storage/manifest_state.h"

/* Of sums: they cover 256 times as much. Files beyond that are sent whole. */
#define BLOCKS_MOST_BYTES (256ULL << 20)

/* A clock tick is at most 10 ms. */
#define TRUST_NS 50000000LL
/* Direct writes are under way for as long as the disk takes. */
#define TRUST_CONTENT_NS 2000000000LL

struct st_manifest *st_manifest_new(void)
{
	struct st_manifest *m = calloc(1, sizeof(*m));
	struct err ignored = {0};

	if (!m)
		return NULL;
	m->root = st_noted_new(m, NULL, "");
	if (m->root && st_block_key_init(&m->key, &ignored) >= 0)
		return m;
	st_manifest_free(m);
	return NULL;
}

void st_manifest_free(struct st_manifest *m)
{
	if (!m)
		return;
	if (m->root)
		st_noted_free(m, m->root);
	free(m);
}

size_t st_manifest_count(const struct st_manifest *m)
{
	return m->count;
}

struct st_noted *st_manifest_root(struct st_manifest *m)
{
	return m->root;
}

const struct st_block_key *st_manifest_key(const struct st_manifest *m)
{
	return &m->key;
}

struct st_noted *st_noted_new(struct st_manifest *m, struct st_noted *up, const char *name)
{
	size_t len = strlen(name) + 1;
	struct st_noted *n = calloc(1, sizeof(*n) + len);

	if (!n)
		return NULL;
	n->up = up;
	memcpy(n->name, name, len);
	m->count++;
	return n;
}

void st_noted_free(struct st_manifest *m, struct st_noted *n)
{
	for (size_t i = 0; i < n->n_kids; i++)
		st_noted_free(m, n->kids[i]);
	free(n->kids);
	st_noted_blocks_drop(m, n);
	free(n);
	m->count--;
}

struct st_block *st_noted_blocks(struct st_manifest *m, struct st_noted *n, uint64_t size)
{
	size_t count = st_blocks_count(size);

	st_noted_blocks_drop(m, n);
	if (count * sizeof(*n->blocks) > BLOCKS_MOST_BYTES - m->blocks_bytes)
		return NULL;
	n->blocks = malloc((count + 1) * sizeof(*n->blocks));
	if (!n->blocks)
		return NULL;
	n->size = size;
	m->blocks_bytes += count * sizeof(*n->blocks);
	for (size_t i = 0; i < count; i++)
		n->blocks[i] = ST_BLOCK_UNKNOWN;
	return n->blocks;
}

void st_noted_blocks_drop(struct st_manifest *m, struct st_noted *n)
{
	if (n->blocks)
		m->blocks_bytes -= st_blocks_count(n->size) * sizeof(*n->blocks);
	free(n->blocks);
	n->blocks = NULL;
}

void st_noted_blocks_lend(struct st_manifest *m, struct st_noted *n)
{
	m->blocks_bytes -= st_blocks_count(n->size) * sizeof(*n->blocks);
	n->blocks = NULL;
}

static int64_t ns_of(const struct timespec *t)
{
	return t->tv_sec * 1000000000LL + t->tv_nsec;
}

int st_manifest_begin(struct st_manifest *m, int dir, struct err *e)
{
	struct timespec real, boot;
	struct statfs fs;
	int64_t offset;

	if (fstatfs(dir, &fs) < 0)
		return err_sys(e, "look at the file system of a tree");
	m->blind = fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC;
	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	offset = ns_of(&real) - ns_of(&boot);
	if (m->begun && offset < m->offset_ns)
		m->setback_ns += m->offset_ns - offset;
	m->offset_ns = offset;
	m->begun = true;
	return 0;
}

void st_noted_set(struct st_manifest *m, struct st_noted *n, const struct stat *st,
		  const struct timespec *now)
{
	n->ino = st->st_ino;
	n->size = (uint64_t)st->st_size;
	n->rdev = st->st_rdev;
	n->mode = st->st_mode;
	n->uid = st->st_uid;
	n->gid = st->st_gid;
	n->nlink = (uint32_t)st->st_nlink;
	n->ctime_ns = ns_of(&st->st_ctim);
	n->state = ST_NOTED_SAME;
	st_noted_age(m, n, now);
}

void st_noted_age(const struct st_manifest *m, struct st_noted *n, const struct timespec *now)
{
	n->age_ns = ns_of(now) - n->ctime_ns + m->setback_ns;
}

void st_noted_lose(struct st_noted *n)
{
	n->age_ns = INT64_MIN / 2;
}

enum st_noted_match st_noted_match(const struct st_manifest *m, const struct st_noted *n,
				   const struct stat *st)
{
	int64_t age = n->age_ns - m->setback_ns;

	if (st_is_whiteout(n->mode, n->rdev))
		return st_is_whiteout(st->st_mode, st->st_rdev) ? ST_MATCH : ST_MATCH_NOT;
	if (n->ino != st->st_ino || n->mode != st->st_mode || n->uid != st->st_uid ||
	    n->gid != st->st_gid || n->rdev != st->st_rdev || n->ctime_ns != ns_of(&st->st_ctim) ||
	    age <= TRUST_NS)
		return ST_MATCH_NOT;
	if (S_ISDIR(n->mode))
		return ST_MATCH;
	if (n->nlink != st->st_nlink || n->size != (uint64_t)st->st_size)
		return ST_MATCH_NOT;
	/* Of the names of one inode, the one that its content was sent with answers for all. */
	if (!S_ISREG(n->mode) || n->alias || (age > TRUST_CONTENT_NS && !m->blind))
		return ST_MATCH;
	return n->blocks ? ST_MATCH_CONTENT : ST_MATCH_NOT;
}
