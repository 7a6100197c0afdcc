// SPDX-License-Identifier: GPL-2.0-only
/* A hash table of paths. */
#include "storage/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct noted {
	char *path;
	uint64_t ino, size;
	int64_t ctime_ns;
	uint32_t mode;
	bool sure, seen;
};

struct st_manifest {
	struct noted *slots;
	size_t count, room; /* room is a power of two */
};

struct st_manifest *st_manifest_new(void)
{
	return calloc(1, sizeof(struct st_manifest));
}

void st_manifest_free(struct st_manifest *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->room; i++)
		free(m->slots[i].path);
	free(m->slots);
	free(m);
}

size_t st_manifest_count(const struct st_manifest *m)
{
	return m->count;
}

static struct noted *slot_of(struct noted *slots, size_t room, const char *path)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (const char *p = path; *p; p++)
		h = (h ^ (unsigned char)*p) * 0x100000001b3ULL;
	h ^= h >> 29;
	while (slots[h & (room - 1)].path && strcmp(slots[h & (room - 1)].path, path))
		h++;
	return &slots[h & (room - 1)];
}

static int grow(struct st_manifest *m)
{
	size_t room = m->room ? 2 * m->room : 1024;
	struct noted *slots = calloc(room, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < m->room; i++)
		if (m->slots[i].path)
			*slot_of(slots, room, m->slots[i].path) = m->slots[i];
	free(m->slots);
	m->slots = slots;
	m->room = room;
	return 0;
}

static int64_t ctime_of(const struct stat *st)
{
	return st->st_ctim.tv_sec * 1000000000LL + st->st_ctim.tv_nsec;
}

int st_manifest_add(struct st_manifest *m, const char *path, const struct stat *st, bool sure)
{
	struct noted *n;

	if (2 * m->count >= m->room && grow(m) < 0)
		return -ENOMEM;
	n = slot_of(m->slots, m->room, path);
	if (!n->path) {
		n->path = strdup(path);
		if (!n->path)
			return -ENOMEM;
		m->count++;
	}
	n->ino = st->st_ino;
	n->size = (uint64_t)st->st_size;
	n->ctime_ns = ctime_of(st);
	n->mode = st->st_mode;
	n->sure = sure;
	n->seen = false;
	return 0;
}

bool st_manifest_same(struct st_manifest *m, const char *path, const struct stat *st)
{
	struct noted *n = m->room ? slot_of(m->slots, m->room, path) : NULL;

	if (!n || !n->path)
		return false;
	n->seen = true;
	return n->sure && n->ino == st->st_ino && n->size == (uint64_t)st->st_size &&
	       n->ctime_ns == ctime_of(st) && n->mode == st->st_mode;
}

const char *st_manifest_next_unseen(const struct st_manifest *m, size_t *pos)
{
	while (*pos < m->room) {
		const struct noted *n = &m->slots[(*pos)++];

		if (n->path && !n->seen)
			return n->path;
	}
	return NULL;
}

void st_manifest_unsee(struct st_manifest *m)
{
	for (size_t i = 0; i < m->room; i++)
		m->slots[i].seen = false;
}
