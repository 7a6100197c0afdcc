// SPDX-License-Identifier: GPL-2.0-only
/* Checksums of images. */
#include "checkpoint/sums.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/own.h"
#include "checkpoint/pagemap.h"
#include "checkpoint/pages.h"
#include "checkpoint/pages_daemon.h"
#include "runtime/system.h"

#define FILE_MOST (16u << 20)

/* What is written when the sums are already there, or again and again, and never read by a restore. */
static bool is_none(const char *name)
{
	size_t len = strlen(name);

	return !strcmp(name, CT_CHECKPOINT_MARKER) || !strcmp(name, CR_SUMS_FILE) ||
	       !strncmp(name, "stats-", 6) || (len > 4 && !strcmp(name + len - 4, ".log"));
}

/* The last page ends in zeros (mmap(2)), and the size is compared by itself. */
static int sum_of(int images, const char *name, char text[48], struct err *e)
{
	auto_fd int fd = openat(images, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	uint64_t sum = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open image %s", name);
	if (st.st_size > 0) {
		size_t len = (size_t)st.st_size;
		void *data = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);

		if (data == MAP_FAILED)
			return err_sys(e, "read image %s", name);
		sum = cr_pages_sum(0, data, (len + CR_PAGE_BYTES - 1) / CR_PAGE_BYTES);
		munmap(data, len);
	}
	snprintf(text, 48, "%" PRIu64 " %016" PRIx64, (uint64_t)st.st_size, sum);
	return 0;
}

/* Calls fn for each name that is, or passes for, an image. */
static int each(int images, int (*fn)(int images, const char *name, void *arg, struct err *e),
		void *arg, struct err *e)
{
	auto_dir DIR *d = NULL;
	const struct dirent *entry;
	int r = 0, copy = openat(images, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	d = copy < 0 ? NULL : fdopendir(copy);
	if (!d)
		return err_sys(e, "list the images");
	while (r >= 0 && (entry = readdir(d))) {
		const char *name = entry->d_name;

		/*
		 * A criu that was killed leaves a directory (.criu.cgyard.*, its place for the
		 * control groups' mounts), the daemon of memory its socket, which the next one makes
		 * anew. Neither is taken for an image.
		 */
		if (entry->d_type == DT_DIR || !strcmp(name, CR_PAGES_CRIU_SOCKET))
			continue;
		/* Not a log, either: criu writes them through a symbolic link. */
		if (entry->d_type != DT_REG) {
			err_set(e, ELOOP, "image %s is no regular file", name);
			return err_class(e, ERR_RESTORE);
		}
		if (!is_none(name))
			r = fn(images, name, arg, e);
	}
	return r;
}

static int note(int images, const char *name, void *arg, struct err *e)
{
	char text[48];
	int r = sum_of(images, name, text, e);

	if (r >= 0 && json_object_set_new(arg, name, json_string(text)) < 0)
		return err_set(e, ENOMEM, "sum up the images: out of memory");
	return r;
}

int cr_sums_write(int images, struct err *e)
{
	auto_json json_t *sums = json_object();
	auto_free char *text = NULL;
	int r = sums ? each(images, note, sums, e)
		     : err_set(e, ENOMEM, "sum up the images: out of memory");

	if (r < 0)
		return r;
	text = json_dumps(sums, JSON_COMPACT | JSON_SORT_KEYS);
	if (!text)
		return err_set(e, ENOMEM, "sum up the images: out of memory");
	return file_replace_volatile_at(images, CR_SUMS_FILE, text, strlen(text), 0600, e);
}

static int other(const char *name, const char *how, struct err *e)
{
	err_set(e, EBADMSG, "image %s %s", name, how);
	err_hint(e, "the images were damaged or changed: do not use them");
	return err_class(e, ERR_RESTORE);
}

static int compare(int images, const char *name, void *arg, struct err *e)
{
	const char *was = json_string_value(json_object_get(arg, name));
	char text[48];
	int r = sum_of(images, name, text, e);

	if (r < 0)
		return r;
	if (!was)
		return other(name, "came from elsewhere", e);
	if (strcmp(was, text) != 0)
		return other(name, "is not as it was written", e);
	json_object_del(arg, name);
	return 0;
}

int cr_sums_check(int images, struct err *e)
{
	auto_json json_t *sums = NULL;
	const char *name;
	json_t *value;
	int r = json_load_at(images, CR_SUMS_FILE, &sums, e);

	if (r < 0) {
		err_wrap(e, "read " CR_SUMS_FILE);
		return err_class(e, ERR_RESTORE);
	}
	r = each(images, compare, sums, e);
	if (r < 0)
		return r;
	json_object_foreach (sums, name, value)
		return other(name, "is not there", e);
	return 0;
}
