// SPDX-License-Identifier: GPL-2.0-only
/* What is known of a template, as JSON: beside it, and in the archive it is exported to. */
#include "storage/template_json.h"

#include <stdio.h>

#include "base/err.h"

static void copy_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

int st_template_from_json(const json_t *j, struct st_template *t, struct err *e)
{
	const char *distribution = "", *variant = "", *created = "", *id = "", *init = "",
		   *stop = "";
	int64_t bytes = 0, inodes = 0;
	json_t *env = NULL, *item;
	size_t i;

	if (json_get_str(j, "distribution", &distribution, e) < 0 ||
	    json_get_str(j, "variant", &variant, e) < 0 ||
	    json_get_str(j, "created", &created, e) < 0 ||
	    json_get_str(j, "content_id", &id, e) < 0 ||
	    json_get_str(j, "init_path", &init, e) < 0 ||
	    json_get_str(j, "stop_signal", &stop, e) < 0 ||
	    json_get_int(j, "size_bytes", &bytes, e) < 0 ||
	    json_get_int(j, "inodes", &inodes, e) < 0 || json_get_array(j, "init_env", &env, e) < 0)
		return -e->no;
	copy_text(t->distribution, sizeof(t->distribution), distribution);
	copy_text(t->variant, sizeof(t->variant), variant);
	copy_text(t->created, sizeof(t->created), created);
	copy_text(t->content_id, sizeof(t->content_id), id);
	copy_text(t->init_path, sizeof(t->init_path), init);
	copy_text(t->stop_signal, sizeof(t->stop_signal), stop);
	t->size_bytes = bytes > 0 ? (uint64_t)bytes : 0;
	t->inodes = inodes > 0 ? (uint64_t)inodes : 0;
	if (env)
		json_array_foreach (env, i, item)
			if (i < ST_TEMPLATE_ENV_MAX && json_is_string(item))
				copy_text(t->init_env[i], sizeof(t->init_env[i]),
					  json_string_value(item));
	return 0;
}

json_t *st_template_to_json(const struct st_template *t)
{
	json_t *env = json_array();

	for (int i = 0; i < ST_TEMPLATE_ENV_MAX && t->init_env[i][0]; i++)
		json_array_append_new(env, json_string(t->init_env[i]));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:o}", "distribution",
			 t->distribution, "variant", t->variant, "created", t->created,
			 "content_id", t->content_id, "init_path", t->init_path, "stop_signal",
			 t->stop_signal, "size_bytes", (json_int_t)t->size_bytes, "inodes",
			 (json_int_t)t->inodes, "init_env", env);
}
