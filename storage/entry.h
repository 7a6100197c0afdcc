/* SPDX-License-Identifier: GPL-2.0-only */
/* Entries of an archive, or of a directory that libarchive reads, becoming files below a directory. */
#pragma once

/*
 * Life: the caller zeroes it, fills in from, where, how (with both bounds set) and what, and calls st_entries_unpack() for each header that it has read of `from`;
 * after the last one st_entries_finish(), and st_entries_done() in any case. The entries are hostile: see storage/import.h.
 */

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <time.h>

#include "storage/beneath.h"
#include "storage/import.h"

struct st_dir_times;

struct st_entries {
	struct archive *from;	 /* ours */
	struct st_beneath where; /* ours; root: what they are unpacked into */
	struct st_import how;
	struct st_import_stats stats;
	struct st_dir_times *dirs;
	size_t dir_count, dir_room;
	locale_t utf8, before;
	const char *what; /* "archive", "directory": for messages */
};

/* Fills e with libarchive's complaint about `from`. */
int st_entries_failed(struct st_entries *im, struct err *e);

/* Makes the file of an entry whose name is raw (NULL: it has none that can be read), with its content. */
int st_entries_unpack(struct st_entries *im, struct archive_entry *ae, const char *raw,
		      struct err *e);

/* Gives directories their times: what was made in them has changed these. */
int st_entries_finish(struct st_entries *im, struct err *e);

/* Lets go of all that is ours. */
void st_entries_done(struct st_entries *im);
