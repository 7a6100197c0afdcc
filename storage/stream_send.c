// SPDX-License-Identifier: GPL-2.0-only
/* The sending side of the tree stream: what is sent, in which order. */
#include "storage/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "storage/names.h"
#include "storage/stream_sender.h"

static int out_of_memory(struct err *e)
{
	return err_set(e, ENOMEM, "send a tree: out of memory");
}

/* Gone, or something else than a moment ago: it is noted so that no ctime makes it the same. */
static int vanished(struct st_sender *s, struct st_noted *n, const char *what, struct err *e)
{
	if (errno != ENOENT && errno != ELOOP && errno != ENXIO && errno != ENOTDIR)
		return err_sys(e, "%s /%s", what, s->path);
	s->stats.vanished++;
	st_noted_lose(n);
	return 0;
}

static void drop_kids(struct st_sender *s, struct st_noted *n)
{
	for (size_t i = 0; i < n->n_kids; i++)
		st_noted_free(s->sent, n->kids[i]);
	own_free(&n->kids);
	n->n_kids = 0;
}

/* fd is open on it, st what it was just now. */
static int send_file(struct st_sender *s, struct st_noted *n, int fd, const struct stat *st,
		     struct err *e)
{
	struct timespec now;
	const char *first = NULL;
	bool regular = S_ISREG(st->st_mode), patch;
	int r;

	clock_gettime(CLOCK_REALTIME, &now);
	if (st->st_nlink > 1 && st_inodes_note(&s->links, st, s->path, &first) < 0)
		return out_of_memory(e);
	patch = regular && !first && n->blocks;
	if (!patch)
		st_noted_blocks_drop(s->sent, n);
	r = st_put_entry(s, s->path, st, fd, patch ? ST_RECORD_PATCH : ST_RECORD_ENTRY, first, e);
	if (r >= 0 && regular && !first)
		r = patch ? st_put_difference(s, n, fd, (uint64_t)st->st_size, e)
			  : st_put_content(s, n, fd, (uint64_t)st->st_size, e);
	st_noted_set(s->sent, n, st, &now);
	n->alias = first != NULL;
	return r < 0 ? r : s->frame.failed;
}

static int send_other(struct st_sender *s, struct st_noted *n, int dir, const struct stat *seen,
		      struct err *e)
{
	bool regular = S_ISREG(seen->st_mode);
	int flags = regular ? O_RDONLY | O_NONBLOCK | O_NOATIME : O_PATH;
	auto_fd int fd = openat(dir, n->name, flags | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return vanished(s, n, "open", e);
	if ((st.st_mode & S_IFMT) != (seen->st_mode & S_IFMT)) {
		errno = ENOENT;
		return vanished(s, n, "open", e);
	}
	drop_kids(s, n);
	return send_file(s, n, fd, &st, e);
}

/* --- directories --- */

static void put_removed(struct st_sender *s, const char *name)
{
	size_t len = strlen(s->path);
	const char *slash = len ? "/" : "";

	st_put_u8(&s->frame, ST_RECORD_REMOVE);
	st_put_u32(&s->frame, (uint32_t)(len + strlen(slash) + strlen(name)));
	st_put_bytes(&s->frame, s->path, len);
	st_put_bytes(&s->frame, slash, strlen(slash));
	st_put_bytes(&s->frame, name, strlen(name));
	s->stats.removed++;
}

/* Makes the kids those that are there now; both lists are sorted. */
static int renew_kids(struct st_sender *s, struct st_noted *dir, int fd, struct err *e)
{
	auto_names struct st_names names = {0};
	struct st_noted **kids = NULL;
	size_t old = 0;
	int r = st_names_read(&names, fd, s->path, e);

	if (r >= 0 && names.n)
		kids = calloc(names.n, sizeof(struct st_noted *));
	if (r < 0 || (names.n && !kids))
		return r < 0 ? r : out_of_memory(e);
	for (size_t i = 0; i < names.n; i++) {
		int order = -1;

		while (old < dir->n_kids &&
		       (order = strcmp(dir->kids[old]->name, names.v[i])) < 0) {
			put_removed(s, dir->kids[old]->name);
			st_noted_free(s->sent, dir->kids[old++]);
		}
		if (old < dir->n_kids && order == 0)
			kids[i] = dir->kids[old++];
		else
			kids[i] = st_noted_new(s->sent, dir, names.v[i]);
		if (!kids[i]) {
			r = out_of_memory(e);
			names.n = i;
		}
	}
	for (; old < dir->n_kids; old++) {
		put_removed(s, dir->kids[old]->name);
		st_noted_free(s->sent, dir->kids[old]);
	}
	free(dir->kids);
	dir->kids = kids;
	dir->n_kids = names.n;
	return r < 0 ? r : s->frame.failed;
}

static void put_leave(struct st_sender *s, const struct stat *st)
{
	st_put_u8(&s->frame, ST_RECORD_LEAVE);
	st_put_str(&s->frame, s->path, strlen(s->path));
	st_put_time(&s->frame, &st->st_atim);
	st_put_time(&s->frame, &st->st_mtim);
}

static int send_kid(struct st_sender *s, struct st_noted *n, int dir, size_t len, struct err *e);

/* fd is open on the directory n, whose path is s->path. Its times are sent behind all that is made in it. */
static int send_directory(struct st_sender *s, struct st_noted *n, int fd, struct err *e)
{
	size_t len = strlen(s->path);
	bool changed = n->state != ST_NOTED_SAME, touched = changed;
	struct timespec now;
	struct stat st;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	if (fstat(fd, &st) < 0)
		return err_sys(e, "look at /%s", s->path);
	/* Replaced by another one: this pass sends what it knew, the next one finds another inode. */
	if (changed) {
		st_noted_blocks_drop(s->sent, n);
		st_noted_set(s->sent, n, &st, &now);
		r = st_put_entry(s, s->path, &st, fd, ST_RECORD_ENTRY, NULL, e);
		if (r >= 0)
			r = renew_kids(s, n, fd, e);
	}
	for (size_t i = 0; r >= 0 && i < n->n_kids; i++) {
		if (n->kids[i]->state == ST_NOTED_SAME && !n->kids[i]->below)
			continue;
		touched |= n->kids[i]->state != ST_NOTED_SAME;
		r = send_kid(s, n->kids[i], fd, len, e);
		s->path[len] = 0;
	}
	if (r >= 0 && touched)
		put_leave(s, &st);
	return r < 0 ? r : s->frame.failed;
}

/* len: of s->path, which is the directory's. */
static int send_kid(struct st_sender *s, struct st_noted *n, int dir, size_t len, struct err *e)
{
	size_t name = strlen(n->name);
	auto_fd int fd = -EBADF;
	struct stat st;

	if (len + 1 + name >= sizeof(s->path))
		return err_set(e, ENAMETOOLONG, "nested too deep: /%.200s...", s->path);
	if (len)
		s->path[len++] = '/';
	memcpy(s->path + len, n->name, name + 1);
	if (fstatat(dir, n->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return vanished(s, n, "look at", e);
	if (!S_ISDIR(st.st_mode))
		return send_other(s, n, dir, &st, e);
	fd = openat(dir, n->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return vanished(s, n, "open directory", e);
	/* What is mounted there is not of the tree. */
	if (st.st_dev != s->dev)
		return 0;
	return send_directory(s, n, fd, e);
}

/* --- a pass --- */

static int send_all(struct st_sender *s, int top, struct err *e)
{
	struct st_noted *root = st_manifest_root(s->sent);
	struct stat st;
	int r = st_manifest_begin(s->sent, top, e);

	if (r < 0)
		return r;
	if (fstat(top, &st) < 0)
		return err_sys(e, "open the tree");
	s->dev = st.st_dev;
	/* In one go what st_blocks_protect() would start file by file; later there is little. */
	if (s->keep && root->state == ST_NOTED_NEW)
		syncfs(top);
	if (root->state != ST_NOTED_NEW)
		r = st_manifest_look(s->sent, top, s->keep, e);
	if (r < 0)
		return r;
	st_put_u8(&s->frame, ST_RECORD_START);
	st_put_u64(&s->frame, ST_MAGIC);
	if (root->state != ST_NOTED_SAME || root->below)
		r = send_directory(s, root, top, e);
	if (r < 0)
		return r;
	st_put_u8(&s->frame, ST_RECORD_END);
	st_put_u64(&s->frame, s->stats.entries);
	st_put_u64(&s->frame, s->stats.removed);
	st_put_u64(&s->frame, s->stats.bytes);
	return st_put_flush(&s->frame);
}

int st_stream_send_pass(const struct st_stream_pass *p, struct st_stream_stats *stats,
			struct err *e)
{
	auto_free struct st_sender *s = calloc(1, sizeof(*s));
	auto_fd int top = openat(p->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_manifest struct st_manifest *own = p->sent ? NULL : st_manifest_new();
	int r;

	if (top < 0)
		return err_sys(e, "open the tree");
	if (!s || !(p->sent || own))
		return out_of_memory(e);
	s->frame.fd = p->fd;
	s->frame.e = e;
	s->frame.pace = p->pace;
	s->frame.pace_arg = p->pace_arg;
	s->frame.squeeze = p->squeeze;
	s->base = p->id_base;
	s->sent = own ? own : p->sent;
	s->keep = !own && !p->last;
	r = send_all(s, top, e);
	st_inodes_done(&s->links);
	s->stats.wire = s->frame.wire;
	if (stats)
		*stats = s->stats;
	return r;
}
