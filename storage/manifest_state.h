/* SPDX-License-Identifier: GPL-2.0-only */
/* The manifest itself, for the two files that work on it: manifest.c and manifest_look.c. */
#pragma once

#include "storage/manifest.h"

struct st_manifest {
	struct st_noted *root;
	size_t count;
	uint64_t blocks_bytes; /* of all sums */
	struct st_block_key key;
	int64_t offset_ns;  /* of the wall clock to the time since boot */
	int64_t setback_ns; /* by how much it was set back, all in all */
	bool begun;
	bool blind; /* the file system does not notice stores into mapped pages */
};

enum st_noted_match {
	ST_MATCH_NOT,
	ST_MATCH,
	ST_MATCH_CONTENT, /* if its content still has the sums that were noted */
};

/* Whether the inode that was noted is this one, and unchanged. */
enum st_noted_match st_noted_match(const struct st_manifest *m, const struct st_noted *n,
				   const struct stat *st);
/* It was found to be the same again; now: the clock before the look. */
void st_noted_age(const struct st_manifest *m, struct st_noted *n, const struct timespec *now);
