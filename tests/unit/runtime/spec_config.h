/* SPDX-License-Identifier: GPL-2.0-only */
/* A config.json by what is said of it, for the tests of its reading. */
#pragma once

#include "tests/unit/runtime/place.h"

#include "runtime/spec.h"

static const char spec_base[] =
	"{\"ociVersion\": \"1.2.0\", \"process\": {\"args\": [\"true\"], \"cwd\": \"/\"},"
	"\"root\": {\"path\": \"rootfs\"}, \"linux\": {\"namespaces\": [{\"type\": \"mount\"},"
	"{\"type\": \"pid\"}, {\"type\": \"uts\"}, {\"type\": \"network\"}, {\"type\": \"ipc\"}]}}";

/* The base with a patch over it: objects are merged, all else is replaced; single quotes stand for double ones. */
static inline json_t *config(const char *patch)
{
	json_t *j = json_loads(spec_base, 0, NULL), *over;
	json_error_t why;
	char *text = strdup(patch);

	assert_non_null(j);
	for (char *p = text; *p; p++)
		if (*p == '\'')
			*p = '"';
	over = json_loads(text, 0, &why);
	if (!over)
		fail_msg("%s: %s", patch, why.text);
	assert_int_equal(json_object_update_recursive(j, over), 0);
	json_decref(over);
	free(text);
	return j;
}

static inline int load(const char *patch, struct ct_spec *spec, struct err *e)
{
	auto_json json_t *j = config(patch);

	return ct_spec_from_json(j, "/bundle", spec, e);
}

static inline void wanted(const char *patch, struct ct_spec *spec)
{
	struct err e = {0};

	if (load(patch, spec, &e) < 0)
		fail_msg("%s: %s", patch, e.text);
}
