// SPDX-License-Identifier: GPL-2.0-only
/* Tables of members and the readers of single values. */
#include "runtime/spec_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "ns/seccomp.h"
#include "runtime/patience.h"
#include "runtime/spec_plain.h"
#include "runtime/spec_text.h"

#define CONFIG_MOST (16u << 20)
#define LIST_MOST   65536u

int ct_refuse(struct err *e, const char *path, const char *fmt, ...)
{
	char why[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	err_set(e, EINVAL, "%s: %s", path, why);
	return err_class(e, ERR_CONFIG);
}

int ct_refuse_why(struct err *e, const char *path)
{
	err_wrap(e, "%s", path);
	if (e->no != ENOMEM)
		e->class = ERR_CONFIG;
	return -e->no;
}

int ct_need(bool there, const char *path, struct err *e)
{
	return there ? 0 : ct_refuse(e, path, "is missing");
}

int ct_no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory for a container's spec");
}

char *ct_path_below(const char *dir, const char *path, struct err *e)
{
	char *all = NULL;

	if (path[0] == '/')
		all = strdup(path);
	else if (asprintf(&all, "%s/%s", dir, path) < 0)
		all = NULL;
	if (!all)
		ct_no_memory(e);
	return all;
}

/* Depth is bounded by jansson's parser (2048). */
static bool is_empty(const json_t *j)
{
	const char *key;
	json_t *member;
	size_t i;

	switch (json_typeof(j)) {
	case JSON_NULL:
	case JSON_FALSE:
		return true;
	case JSON_TRUE:
		return false;
	case JSON_INTEGER:
		return json_integer_value(j) == 0;
	case JSON_REAL:
		return false;
	case JSON_STRING:
		return json_string_length(j) == 0;
	case JSON_ARRAY:
		json_array_foreach (j, i, member)
			if (!is_empty(member))
				return false;
		return true;
	case JSON_OBJECT:
		break;
	}
	json_object_foreach ((json_t *)j, key, member)
		if (!is_empty(member))
			return false;
	return true;
}

/* PATH.KEY without printf, which would take longer than the reading. One that is too long is cut off. */
static void join(char below[CT_PATH_MOST], const char *path, const char *key)
{
	size_t at = strnlen(path, CT_PATH_MOST - 2), more;

	memcpy(below, path, at);
	if (at)
		below[at++] = '.';
	more = strnlen(key, CT_PATH_MOST - 1 - at);
	memcpy(below + at, key, more);
	below[at + more] = 0;
}

int ct_read_members(const json_t *obj, const char *path, const struct ct_member *table, size_t n,
		    void *into, struct err *e)
{
	if (!json_is_object(obj))
		return ct_refuse(e, path[0] ? path : "config", "must be an object");
	for (size_t i = 0; i < n; i++) {
		const json_t *value = json_object_get(obj, table[i].key);
		char below[CT_PATH_MOST];
		int r = 0;

		if (!value || json_is_null(value))
			continue;
		join(below, path, table[i].key);
		if (table[i].read)
			r = table[i].read(value, below, (char *)into + table[i].offset, e);
		else if (!is_empty(value))
			r = ct_refuse(e, below, "is not implemented");
		if (r < 0)
			return r;
	}
	return 0;
}

int ct_read_list(const json_t *array, const char *path, ct_reader *read, size_t size, void **items,
		 size_t *n, struct err *e)
{
	size_t count = json_array_size(array);

	if (!json_is_array(array))
		return ct_refuse(e, path, "must be an array");
	if (count > LIST_MOST)
		return ct_refuse(e, path, "has more than %u members", LIST_MOST);
	*items = calloc(count + 1, size);
	if (!*items)
		return ct_no_memory(e);
	for (size_t i = 0; i < count; i++) {
		char below[CT_PATH_MOST];

		snprintf(below, sizeof(below), "%s[%zu]", path, i);
		*n = i + 1;
		if (read(json_array_get(array, i), below, (char *)*items + i * size, e) < 0)
			return -e->no;
	}
	return 0;
}

int ct_read_str(const json_t *value, const char *path, void *into, struct err *e)
{
	char **to = into;

	if (!json_is_string(value))
		return ct_refuse(e, path, "must be a string");
	free(*to);
	*to = strdup(json_string_value(value));
	return *to ? 0 : ct_no_memory(e);
}

int ct_read_strings(const json_t *value, const char *path, void *into, struct err *e)
{
	char ***to = into;
	void *items = NULL;
	size_t n = 0;
	int r;

	if (*to)
		for (char **s = *to; *s; s++)
			free(*s);
	free(*to);
	/* calloc's extra item is the NULL at the end, also behind those read before a failure. */
	r = ct_read_list(value, path, ct_read_str, sizeof(char *), &items, &n, e);
	*to = items;
	return r;
}

int ct_read_bool(const json_t *value, const char *path, void *into, struct err *e)
{
	if (!json_is_boolean(value))
		return ct_refuse(e, path, "must be true or false");
	*(bool *)into = json_is_true(value);
	return 0;
}

int ct_read_i64(const json_t *value, const char *path, void *into, struct err *e)
{
	if (!json_is_integer(value))
		return ct_refuse(e, path, "must be a whole number");
	*(int64_t *)into = json_integer_value(value);
	return 0;
}

int ct_read_u32(const json_t *value, const char *path, void *into, struct err *e)
{
	int64_t n = 0;

	if (ct_read_i64(value, path, &n, e) < 0)
		return -e->no;
	if (n < 0 || n > UINT32_MAX)
		return ct_refuse(e, path, "%" PRId64 " is not from 0 to %u", n, UINT32_MAX);
	*(uint32_t *)into = (uint32_t)n;
	return 0;
}

/* The text of a config, whole and without NUL. The caller's. */
static char *read_text(int dir, const char *name, size_t *len, struct err *e)
{
	auto_free char *text = NULL;
	int r = file_read_within_at(dir, name, CONFIG_MOST, ct_patience_ms(), &text, e);

	if (r < 0) {
		err_class(e, ERR_CONFIG);
		return NULL;
	}
	if (strlen(text) != (size_t)r) {
		ct_refuse(e, name, "has a NUL byte");
		return NULL;
	}
	*len = (size_t)r;
	return take_ptr(&text);
}

static int parse_text(const char *text, size_t len, const char *name, json_t **out, struct err *e)
{
	bool needed;
	auto_free char *folded = NULL;
	json_error_t why;
	json_t *j = ct_plain_parse(text, NULL, 0);

	if (!j) {
		folded = ct_text_fold(text, len, &needed);
		if (needed && !folded)
			return ct_no_memory(e);
		j = json_loads(folded ? folded : text, JSON_REJECT_DUPLICATES, &why);
	}
	if (!j)
		return ct_refuse(e, name, "line %d: %s", why.line, why.text);
	if (!json_is_object(j)) {
		json_decref(j);
		return ct_refuse(e, name, "is not a JSON object");
	}
	*out = j;
	return 0;
}

int ct_config_load_at(int dir, const char *name, json_t **out, struct err *e)
{
	size_t len;
	auto_free char *text = read_text(dir, name, &len, e);

	return text ? parse_text(text, len, name, out, e) : -e->no;
}

int ct_config_load_but_filter(int dir, const char *name, int cache, struct ct_spec *spec,
			      json_t **out, struct err *e)
{
	size_t len, filter_len = 0;
	auto_free char *text = read_text(dir, name, &len, e);
	char *filter = text ? ct_text_object(text, "linux", "seccomp", &filter_len) : NULL;

	if (!text)
		return -e->no;
	spec->text_len = len;
	spec->text = take_ptr(&text);
	if (filter && ns_seccomp_known(cache, filter, filter_len, &spec->filter)) {
		*out = ct_plain_parse(spec->text, filter, filter_len);
		if (*out)
			return 0;
		ns_seccomp_done(&spec->filter);
	}
	if (parse_text(spec->text, len, name, out, e) < 0)
		return -e->no;
	if (!filter)
		return 0;
	spec->seccomp_text = strndup(filter, filter_len);
	if (spec->seccomp_text)
		return 0;
	json_decref(*out);
	*out = NULL;
	return ct_no_memory(e);
}
