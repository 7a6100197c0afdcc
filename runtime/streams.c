// SPDX-License-Identifier: GPL-2.0-only
#include "runtime/streams.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"

#define STREAMS 3

int ct_streams_note(const int stdio[3], json_t **out, struct err *e)
{
	auto_json json_t *streams = json_array();

	for (int i = 0; i < STREAMS; i++) {
		char path[32], target[PATH_MAX];
		json_t *name;
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", stdio[i]);
		n = readlink(path, target, sizeof(target));
		name = n > 0 ? json_stringn(target, (size_t)n) : NULL;
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
