// SPDX-License-Identifier: GPL-2.0-only
/* Where entries come from: a tar archive, a directory. */
#include "storage/import.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "storage/entry.h"
#include "storage/template_json.h"

#define BYTES_DEFAULT	(64ULL << 30)
#define ENTRIES_DEFAULT 4000000ULL

static int import_init(struct st_entries *im, int root, const struct st_import *how,
		       const char *what, struct err *e)
{
	*im = (struct st_entries){.where = {.root = root, .dir = -EBADF}, .what = what};
	if (how)
		im->how = *how;
	if (!im->how.max_bytes)
		im->how.max_bytes = BYTES_DEFAULT;
	if (!im->how.max_entries)
		im->how.max_entries = ENTRIES_DEFAULT;
	im->where.root = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (im->where.root < 0)
		return err_sys(e, "open the directory to unpack into");
	/* In the C locale, which a program has until it asks for another, libarchive has no names for those in UTF-8. */
	im->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (im->utf8)
		im->before = uselocale(im->utf8);
	return 0;
}

static int import_done(struct st_entries *im, int r, struct st_import_stats *stats, struct err *e)
{
	if (r >= 0)
		r = st_entries_finish(im, e);
	if (stats)
		*stats = im->stats;
	st_entries_done(im);
	if (im->utf8) {
		uselocale(im->before);
		freelocale(im->utf8);
	}
	return r < 0 ? r : 0;
}

/* Only the first entry can be it: a file of that name further down is a file. */
static int read_meta(struct st_entries *im, struct archive_entry *ae, struct err *e)
{
	auto_free char *text = calloc(1, ST_TEMPLATE_ENTRY_MAX + 1);
	auto_json json_t *j = NULL;
	la_ssize_t n;

	if (!text)
		return err_sys(e, "read the archive");
	if (archive_entry_size(ae) > ST_TEMPLATE_ENTRY_MAX)
		return err_set(e, EBADMSG, "the archive says too much of its template");
	n = archive_read_data(im->from, text, ST_TEMPLATE_ENTRY_MAX);
	if (n < 0)
		return st_entries_failed(im, e);
	j = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(j))
		return err_set(e, EBADMSG, "the archive's " ST_TEMPLATE_ENTRY " is no JSON object");
	return st_template_from_json(j, im->how.meta, e);
}

static int unpack_all(struct st_entries *im, struct err *e)
{
	struct archive_entry *ae;
	bool first = im->how.meta != NULL;
	int r;

	while ((r = archive_read_next_header(im->from, &ae)) == ARCHIVE_OK || r == ARCHIVE_WARN) {
		const char *raw = archive_entry_pathname(ae) ?: archive_entry_pathname_utf8(ae);

		if (first && raw && !strcmp(raw, ST_TEMPLATE_ENTRY) &&
		    archive_entry_filetype(ae) == AE_IFREG)
			r = read_meta(im, ae, e);
		else
			r = st_entries_unpack(im, ae, raw, e);
		first = false;
		if (r < 0)
			return r;
	}
	if (r != ARCHIVE_EOF)
		return st_entries_failed(im, e);
	if (!im->stats.entries)
		return err_set(e, EBADMSG, "the %s is empty", im->what);
	return 0;
}

int st_import_archive(int root, int archive, const struct st_import *how,
		      struct st_import_stats *stats, struct err *e)
{
	struct st_entries im;
	int r = import_init(&im, root, how, "archive", e);

	if (r < 0)
		return r;
	im.from = archive_read_new();
	if (!im.from || archive_read_support_filter_all(im.from) != ARCHIVE_OK ||
	    archive_read_support_format_tar(im.from) != ARCHIVE_OK ||
	    archive_read_open_fd(im.from, archive, 128 * 1024) != ARCHIVE_OK)
		r = im.from ? st_entries_failed(&im, e) : err_set(e, ENOMEM, "read the archive");
	else
		r = unpack_all(&im, e);
	return import_done(&im, r, stats, e);
}

/* libarchive's disk reader works by path: the descriptor's own one, whose content nobody hostile changes meanwhile. */
static int copy_all(struct st_entries *im, const char *top, struct err *e)
{
	struct archive_entry_linkresolver *links = archive_entry_linkresolver_new();
	struct archive_entry *ae = archive_entry_new(), *later = NULL;
	size_t skip = strlen(top);
	int r;

	if (!links || !ae) {
		r = err_set(e, ENOMEM, "read the directory");
		goto out;
	}
	archive_entry_linkresolver_set_strategy(links, ARCHIVE_FORMAT_TAR_GNUTAR);
	while ((r = archive_read_next_header2(im->from, ae)) == ARCHIVE_OK) {
		char hard[PATH_MAX];
		const char *raw, *linked;

		archive_read_disk_descend(im->from);
		archive_entry_linkify(links, &ae, &later);
		raw = archive_entry_pathname(ae);
		linked = archive_entry_hardlink(ae);
		if (linked && strlen(linked) > skip) {
			snprintf(hard, sizeof(hard), "%s",
				 linked + skip + strspn(linked + skip, "/"));
			archive_entry_set_hardlink(ae, hard);
		}
		raw = raw && strlen(raw) >= skip ? raw + skip : raw;
		r = st_entries_unpack(im, ae, raw + (raw ? strspn(raw, "/") : 0), e);
		if (r < 0)
			goto out;
		archive_entry_clear(ae);
	}
	r = r == ARCHIVE_EOF ? 0 : st_entries_failed(im, e);
out:
	archive_entry_free(ae);
	archive_entry_linkresolver_free(links);
	return r;
}

int st_import_directory(int root, int from, const struct st_import *how,
			struct st_import_stats *stats, struct err *e)
{
	struct st_entries im;
	char proc[40], top[PATH_MAX];
	ssize_t n;
	int r = import_init(&im, root, how, "directory", e);

	if (r < 0)
		return r;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", from);
	n = readlink(proc, top, sizeof(top) - 1);
	top[n > 0 ? n : 0] = 0;
	im.from = archive_read_disk_new();
	if (n <= 0)
		r = err_sys(e, "find the directory");
	else if (!im.from || archive_read_disk_set_symlink_physical(im.from) != ARCHIVE_OK ||
		 archive_read_disk_set_behavior(im.from, ARCHIVE_READDISK_NO_TRAVERSE_MOUNTS) !=
			 ARCHIVE_OK ||
		 archive_read_disk_open(im.from, top) != ARCHIVE_OK)
		r = im.from ? st_entries_failed(&im, e) : err_set(e, ENOMEM, "read the directory");
	else
		r = copy_all(&im, top, e);
	return import_done(&im, r, stats, e);
}
