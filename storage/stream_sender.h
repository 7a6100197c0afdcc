/* SPDX-License-Identifier: GPL-2.0-only */
/* The sending side of the tree stream, for the files that are it: stream_send.c (the order), stream_entry.c, stream_file.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "storage/blocks.h"
#include "storage/frame.h"
#include "storage/inodes.h"
#include "storage/manifest.h"
#include "storage/stream.h"

struct st_sender {
	struct st_frame frame;
	uint32_t base;
	struct st_manifest *sent; /* never NULL */
	bool keep;		  /* sent is needed afterwards */
	dev_t dev;
	struct st_inodes links; /* those sent in this pass */
	struct st_stream_stats stats;
	char path[4096]; /* of what is being sent */
	char xattr_names[65536];
	uint8_t xattr_value[65536 + 1];
};

/*
 * An ENTRY or PATCH record. fd: of the file itself (O_PATH will do). hard: the path that this is another name of, or NULL.
 * Returns >= 0.
 */
int st_put_entry(struct st_sender *s, const char *path, const struct stat *st, int fd,
		 enum st_record record, const char *hard, struct err *e);

/* The content and the end of a regular file whose record was put, fd open for reading; n gets its sums. */
int st_put_content(struct st_sender *s, struct st_noted *n, int fd, uint64_t size, struct err *e);

/* The same after a PATCH: what differs from n's sums, which the receiver has. */
int st_put_difference(struct st_sender *s, struct st_noted *n, int fd, uint64_t size,
		      struct err *e);
