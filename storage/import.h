/* SPDX-License-Identifier: GPL-2.0-only */
/* Archives and directories from elsewhere, unpacked below a directory: owners, modes, xattrs, hard links, holes. */
#pragma once

/*
 * The archive is hostile: no name leaves the directory, none goes through a symbolic link, and limits bound what it can
 * unpack to. All of it happens by names below directory descriptors (openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS).
 */

#include <stdbool.h>
#include <stdint.h>

struct err;
struct st_template;

struct st_import {
	bool keep_devices; /* else device nodes are left out (a container gets its /dev from skep) */
	uint64_t max_bytes;   /* 0: 64 GiB */
	uint64_t max_entries; /* 0: 4 million */
	/* Gets what an archive of st_export_template() says of its template; others leave it alone. NULL: that is a file as any other. */
	struct st_template *meta;
};

struct st_import_stats {
	uint64_t entries, bytes, devices_skipped;
};

/* Unpacks tar, plain or gzip, xz, zstd, bzip2, from a descriptor (file or pipe) into root. stats may be NULL. */
int st_import_archive(int root, int archive, const struct st_import *how,
		      struct st_import_stats *stats, struct err *e);

/* Copies the tree at the directory descriptor `from`, without crossing mounts. */
int st_import_directory(int root, int from, const struct st_import *how,
			struct st_import_stats *stats, struct err *e);

/*
 * Makes template `name` of a tar archive or a directory at path, whichever it is; "-": of an archive from standard input. The init is found in
 * it. One of st_export_template() becomes the same template: a content with another digest than it was exported with is -EBADMSG.
 */
int st_import_template(int templates, const char *name, const char *path,
		       const struct st_import *how, struct err *e);
