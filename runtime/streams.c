// SPDX-License-Identifier: GPL-2.0-only
#include "runtime/streams.h"

#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"

#define STREAMS 3

/* Most are one of these, and readlink(2) has the kernel make an entry of /proc for each (8 us). */
static bool is_plain(int fd, char name[PATH_MAX])
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
		return snprintf(name, PATH_MAX, "/dev/null") > 0;
	if (S_ISSOCK(st.st_mode))
		return snprintf(name, PATH_MAX, "socket:[%lu]", (unsigned long)st.st_ino) > 0;
	/* A named one has a path. */
	return S_ISFIFO(st.st_mode) && fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC &&
	       snprintf(name, PATH_MAX, "pipe:[%lu]", (unsigned long)st.st_ino) > 0;
}

static json_t *name_of(int fd)
{
	char path[32], name[PATH_MAX];
	ssize_t n;

	if (is_plain(fd, name))
		return json_string(name);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, name, sizeof(name));
	return n > 0 ? json_stringn(name, (size_t)n) : NULL;
}

int ct_streams_note(const int stdio[3], json_t **out, struct err *e)
{
	auto_json json_t *streams = json_array();

	for (int i = 0; i < STREAMS; i++) {
		json_t *name = name_of(stdio[i]);

		if (json_array_append_new(streams, name ? name : json_string("")) < 0)
			return err_set(e, ENOMEM, "note the standard streams: no memory");
	}
	*out = json_incref(streams);
	return 0;
}

json_t *ct_streams_to_text(const json_t *streams)
{
	auto_free char *text = streams ? json_dumps(streams, JSON_COMPACT) : NULL;

	return text ? json_string(text) : NULL;
}

int ct_streams_from_text(const json_t *text, json_t **out, struct err *e)
{
	auto_json json_t *streams = NULL;
	bool fits;

	*out = NULL;
	if (!text)
		return 0;
	streams = json_is_string(text) ? json_loads(json_string_value(text), 0, NULL) : NULL;
	fits = json_array_size(streams) == STREAMS;
	for (size_t i = 0; fits && i < STREAMS; i++)
		fits = json_is_string(json_array_get(streams, i));
	if (!fits) {
		err_set(e, EINVAL, "\"external_descriptors\" is no list of three names");
		return err_class(e, ERR_CONFIG);
	}
	*out = json_incref(streams);
	return 0;
}
