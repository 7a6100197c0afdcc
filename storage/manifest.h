/* SPDX-License-Identifier: GPL-2.0-only */
/* What a tree was when it was sent: so that the next pass sends only what changed since. */
#pragma once

/* Life: st_stream_send fills one while it sends; it lives in memory; the next st_stream_send compares with it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct st_manifest;

struct st_manifest *st_manifest_new(void);
void st_manifest_free(struct st_manifest *m);
size_t st_manifest_count(const struct st_manifest *m);

/* Notes path as st. sure: no change can hide behind this ctime. Returns -ENOMEM or 0. */
int st_manifest_add(struct st_manifest *m, const char *path, const struct stat *st, bool sure);

/* Whether path was noted and is st still; marks it as seen either way. */
bool st_manifest_same(struct st_manifest *m, const char *path, const struct stat *st);

/* Walks the paths that st_manifest_same was not asked for since the last st_manifest_unsee. *pos starts at 0; NULL at the end. */
const char *st_manifest_next_unseen(const struct st_manifest *m, size_t *pos);
void st_manifest_unsee(struct st_manifest *m);

#define auto_manifest __attribute__((cleanup(st_manifest_drop)))
static inline void st_manifest_drop(struct st_manifest **m)
{
	st_manifest_free(*m);
	*m = NULL;
}
