// SPDX-License-Identifier: GPL-2.0-only
/* Looking at every name of a tree, with several threads: one stat a name, and no listing of directories. */
#include "storage/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/own.h"
#include "storage/beneath.h"
#include "storage/manifest_state.h"
#include "storage/team.h"

/* Directories a job: a few hundred names, some 0.2 ms. */
#define JOB_DIRECTORIES 32

/* Larger files are compared by all threads together, when they are sent (stream_file.c). */
#define ALONE_BYTES (4U << 20)

struct pointers {
	struct st_noted **v;
	size_t n, room;
};

struct looking {
	struct st_manifest *m;
	int top;
	bool live;
	pthread_mutex_t lock;	      /* of linked */
	struct pointers dirs, linked; /* all directories; all names of inodes with more than one */
	atomic_int failed;	      /* -errno */
};

static int push(struct pointers *p, struct st_noted *n)
{
	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 256;
		struct st_noted **v = reallocarray(p->v, room, sizeof(struct st_noted *));

		if (!v)
			return -ENOMEM;
		p->v = v;
		p->room = room;
	}
	p->v[p->n++] = n;
	return 0;
}

static int gather(struct looking *l, struct st_noted *dir)
{
	int r = push(&l->dirs, dir);

	dir->below = false;
	for (size_t i = 0; r >= 0 && i < dir->n_kids; i++)
		if (S_ISDIR(dir->kids[i]->mode))
			r = gather(l, dir->kids[i]);
	return r;
}

/* Fills path from its end; returns where it begins, NULL: too long. */
static const char *path_of(const struct st_noted *n, char path[PATH_MAX])
{
	char *p = path + PATH_MAX - 1;

	*p = 0;
	for (; n->up; n = n->up) {
		size_t len = strlen(n->name);

		if ((size_t)(p - path) < len + 1)
			return NULL;
		if (*p)
			*--p = '/';
		p -= len;
		memcpy(p, n->name, len);
	}
	return p;
}

/* Reads it. On every doubt it is not the same: whoever sends it then meets the error. */
static bool same_content(const struct looking *l, const struct st_noted *n, int dir)
{
	auto_fd int fd =
		openat(dir, n->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME | O_CLOEXEC);
	size_t count = st_blocks_count(n->size);
	auto_free struct st_block *now = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st_noted_match(l->m, n, &st) != ST_MATCH_CONTENT)
		return false;
	now = calloc(count + 1, sizeof(*now));
	if (!now)
		return false;
	if (l->live)
		st_blocks_protect(fd);
	if (st_blocks_read_alone(&l->m->key, fd, n->size, now, count) < 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!st_block_same(&now[i], &n->blocks[i]))
			return false;
	return true;
}

/* st: NULL if it is not there. */
static void look_at(const struct looking *l, struct st_noted *n, int dir, const struct stat *st,
		    const struct timespec *now)
{
	enum st_noted_match match = st ? st_noted_match(l->m, n, st) : ST_MATCH_NOT;

	if (match == ST_MATCH_CONTENT && n->size <= ALONE_BYTES && same_content(l, n, dir)) {
		st_noted_age(l->m, n, now);
		match = ST_MATCH;
	}
	n->state = match == ST_MATCH ? ST_NOTED_SAME : ST_NOTED_CHANGED;
	if (match == ST_MATCH || !st)
		return;
	/* For together(): what it is another name of now. All of it is noted anew when it is sent. */
	n->ino = st->st_ino;
	n->nlink = S_ISDIR(st->st_mode) ? 1 : (uint32_t)st->st_nlink;
}

static int note_linked(struct looking *l, struct st_noted *n)
{
	int r;

	if (n->nlink < 2 || st_is_whiteout(n->mode, n->rdev))
		return 0;
	pthread_mutex_lock(&l->lock);
	r = push(&l->linked, n);
	pthread_mutex_unlock(&l->lock);
	return r;
}

/* A directory that is gone or something else by now is what the one it is in will tell. */
static int look_into(struct looking *l, struct st_noted *dir)
{
	struct err gone = {0};
	char room[PATH_MAX];
	const char *path = path_of(dir, room);
	auto_fd int fd = -EBADF;
	struct timespec now;
	struct stat st;
	int r;

	clock_gettime(CLOCK_REALTIME, &now);
	if (!path)
		return -ENAMETOOLONG;
	fd = st_beneath_open(l->top, *path ? path : ".", O_PATH | O_DIRECTORY, &gone);
	if (fd < 0 && fd != -ENOENT && fd != -ENOTDIR && fd != -ELOOP)
		return fd;
	look_at(l, dir, -EBADF, fd < 0 || fstat(fd, &st) < 0 ? NULL : &st, &now);
	for (size_t i = 0; i < dir->n_kids; i++) {
		struct st_noted *n = dir->kids[i];

		if (S_ISDIR(n->mode))
			continue;
		r = fd < 0 ? -1 : fstatat(fd, n->name, &st, AT_SYMLINK_NOFOLLOW);
		if (r < 0 && fd >= 0 && errno != ENOENT)
			return -errno;
		look_at(l, n, fd, r < 0 ? NULL : &st, &now);
		if (note_linked(l, n) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void look_job(void *arg, size_t i)
{
	struct looking *l = arg;
	size_t end = (i + 1) * JOB_DIRECTORIES;
	int r = 0;

	for (i *= JOB_DIRECTORIES; r >= 0 && i < end && i < l->dirs.n; i++)
		r = look_into(l, l->dirs.v[i]);
	if (r < 0)
		atomic_store(&l->failed, r);
}

static int by_inode(const void *a, const void *b)
{
	const struct st_noted *x = *(struct st_noted *const *)a, *y = *(struct st_noted *const *)b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

/*
 * The names of one inode go together: one that was linked to between two passes would otherwise stay a copy. All of them have the same ctime, but they were
 * not all looked at at the same time.
 */
static void together(struct pointers *linked)
{
	if (linked->n)
		qsort(linked->v, linked->n, sizeof(struct st_noted *), by_inode);
	for (size_t i = 0, end; i < linked->n; i = end) {
		bool same = true;

		for (end = i; end < linked->n && linked->v[end]->ino == linked->v[i]->ino; end++)
			same = same && linked->v[end]->state == ST_NOTED_SAME &&
			       linked->v[end]->ctime_ns == linked->v[i]->ctime_ns;
		for (size_t k = i; !same && k < end; k++)
			linked->v[k]->state = ST_NOTED_CHANGED;
	}
}

/* Directories come after the one they are in: backwards, all that is in one is known before it. */
static void mark_above(struct pointers *dirs)
{
	for (size_t i = dirs->n; i-- > 0;) {
		struct st_noted *dir = dirs->v[i];

		dir->below |= dir->state != ST_NOTED_SAME;
		for (size_t k = 0; k < dir->n_kids && !dir->below; k++)
			dir->below = dir->kids[k]->below || dir->kids[k]->state != ST_NOTED_SAME;
	}
}

int st_manifest_look(struct st_manifest *m, int dir, bool live, struct err *e)
{
	struct looking l = {.m = m, .top = dir, .live = live, .lock = PTHREAD_MUTEX_INITIALIZER};
	int r = gather(&l, m->root);

	if (r >= 0) {
		st_team_run((l.dirs.n + JOB_DIRECTORIES - 1) / JOB_DIRECTORIES, look_job, &l);
		r = atomic_load(&l.failed);
		together(&l.linked);
		mark_above(&l.dirs);
	}
	free(l.dirs.v);
	free(l.linked.v);
	return r < 0 ? err_set(e, -r, "look at a tree: %s", strerror(-r)) : 0;
}
