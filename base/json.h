/* SPDX-License-Identifier: GPL-2.0-only */
/* jansson with our errors: a wrong type is named by the file and the JSON path that has it. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

#define auto_json __attribute__((cleanup(json_drop)))

static inline void json_drop(json_t **j)
{
	json_decref(*j);
	*j = NULL;
}

#define JSON_FILE_MOST (16u << 20)

/* Reads a JSON object from a file of at most JSON_FILE_MOST bytes, else class CONFIG. The caller owns *out. Missing file: -ENOENT, e filled. */
int json_load_at(int dir, const char *name, json_t **out, struct err *e);

/* Whether a text of len bytes may be written to what json_load_at() reads: -EFBIG, class CONFIG, if it could not be read again. */
int json_fits(const char *name, size_t len, struct err *e);

/* Writes by file_replace_at, indented by 2, mode 0600; nothing if json_fits() says no. */
int json_save_at(int dir, const char *name, const json_t *j, struct err *e);

/*
 * Members of an object. A missing or null member leaves *out as it is and returns 0; a present one returns 1; a wrong type is
 * -EINVAL, class CONFIG, with the member's name. Strings are borrowed from the object.
 */
int json_get_str(const json_t *obj, const char *key, const char **out, struct err *e);
int json_get_int(const json_t *obj, const char *key, int64_t *out, struct err *e);
int json_get_bool(const json_t *obj, const char *key, bool *out, struct err *e);
int json_get_object(const json_t *obj, const char *key, json_t **out, struct err *e);
int json_get_array(const json_t *obj, const char *key, json_t **out, struct err *e);
