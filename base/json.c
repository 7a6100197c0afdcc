// SPDX-License-Identifier: GPL-2.0-only
/* jansson with our errors. */
#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"

static int bad_config(struct err *e)
{
	return err_class(e, ERR_CONFIG);
}

int json_load_at(int dir, const char *name, json_t **out, struct err *e)
{
	auto_free char *text = NULL;
	json_error_t why;
	json_t *j;
	int len = file_read_at(dir, name, JSON_FILE_MOST, &text, e);

	if (len == -EFBIG)
		return bad_config(e);
	if (len < 0)
		return len;
	j = json_loadb(text, (size_t)len, JSON_REJECT_DUPLICATES, &why);
	if (!j) {
		err_set(e, EINVAL, "%s: line %d: %s", name, why.line, why.text);
		return bad_config(e);
	}
	if (!json_is_object(j)) {
		json_decref(j);
		err_set(e, EINVAL, "%s: not a JSON object", name);
		return bad_config(e);
	}
	*out = j;
	return 0;
}

int json_fits(const char *name, size_t len, struct err *e)
{
	if (len <= JSON_FILE_MOST)
		return 0;
	err_set(e, EFBIG, "%s would be larger than %u bytes", name, JSON_FILE_MOST);
	return bad_config(e);
}

int json_save_at(int dir, const char *name, const json_t *j, struct err *e)
{
	auto_free char *text = json_dumps(j, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

	if (!text)
		return err_set(e, ENOMEM, "write %s: no memory, or a string that is not UTF-8",
			       name);
	if (json_fits(name, strlen(text), e) < 0)
		return -e->no;
	return file_replace_at(dir, name, text, strlen(text), 0600, e);
}

/* 1: *member is there and of the wanted type; 0: missing or null. */
static int get(const json_t *obj, const char *key, bool fits(const json_t *), const char *wanted,
	       json_t **member, struct err *e)
{
	*member = json_object_get(obj, key);
	if (!*member || json_is_null(*member))
		return 0;
	if (fits(*member))
		return 1;
	err_set(e, EINVAL, "\"%s\" must be %s", key, wanted);
	return bad_config(e);
}

static bool is_string(const json_t *j)
{
	return json_is_string(j);
}

static bool is_integer(const json_t *j)
{
	return json_is_integer(j);
}

static bool is_boolean(const json_t *j)
{
	return json_is_boolean(j);
}

static bool is_object(const json_t *j)
{
	return json_is_object(j);
}

static bool is_array(const json_t *j)
{
	return json_is_array(j);
}

int json_get_str(const json_t *obj, const char *key, const char **out, struct err *e)
{
	json_t *m;
	int r = get(obj, key, is_string, "a string", &m, e);

	if (r == 1)
		*out = json_string_value(m);
	return r;
}

int json_get_int(const json_t *obj, const char *key, int64_t *out, struct err *e)
{
	json_t *m;
	int r = get(obj, key, is_integer, "a whole number", &m, e);

	if (r == 1)
		*out = json_integer_value(m);
	return r;
}

int json_get_bool(const json_t *obj, const char *key, bool *out, struct err *e)
{
	json_t *m;
	int r = get(obj, key, is_boolean, "true or false", &m, e);

	if (r == 1)
		*out = json_is_true(m);
	return r;
}

int json_get_object(const json_t *obj, const char *key, json_t **out, struct err *e)
{
	json_t *m;
	int r = get(obj, key, is_object, "an object", &m, e);

	if (r == 1)
		*out = m;
	return r;
}

int json_get_array(const json_t *obj, const char *key, json_t **out, struct err *e)
{
	json_t *m;
	int r = get(obj, key, is_array, "an array", &m, e);

	if (r == 1)
		*out = m;
	return r;
}
