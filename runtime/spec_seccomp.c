// SPDX-License-Identifier: GPL-2.0-only
/* The spec's "linux.seccomp", as far as it is not the filter's own: who is to answer what the filter asks. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "runtime/spec_read.h"

static bool is_notify(const json_t *action)
{
	return json_is_string(action) && !strcmp(json_string_value(action), "SCMP_ACT_NOTIFY");
}

/*
 * The filter's answerer gets its descriptor from the program to be by sendmsg(2), under the filter: asked for that call nobody could answer, and the container would hang. For the
 * same reason not every call can be asked for.
 */
static int judge_rule(const json_t *rule, const char *path, struct err *e)
{
	const json_t *names = json_object_get(rule, "names");
	size_t i;
	json_t *name;

	json_array_foreach (names, i, name)
		if (json_is_string(name) && !strcmp(json_string_value(name), "sendmsg"))
			return ct_refuse(
				e, path,
				"SCMP_ACT_NOTIFY cannot be used for sendmsg, which brings the listener to listenerPath");
	return 0;
}

static int read_rules(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ct_spec *spec = into;
	size_t i;
	json_t *rule;

	if (!json_is_array(value))
		return ct_refuse(e, path, "must be an array");
	json_array_foreach (value, i, rule) {
		char below[CT_PATH_MOST];

		if (!is_notify(json_object_get(rule, "action")))
			continue;
		spec->notifies = true;
		snprintf(below, sizeof(below), "%s[%zu]", path, i);
		if (judge_rule(rule, below, e) < 0)
			return -e->no;
	}
	return 0;
}

static int read_default(const json_t *value, const char *path, void *into, struct err *e)
{
	(void)into;
	return is_notify(value) ? ct_refuse(e, path, "SCMP_ACT_NOTIFY cannot be the default action")
				: 0;
}

/* The rest is judged when it is compiled (ns/seccomp_oci.c), before there is an init. */
int ct_read_seccomp(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"listenerPath", ct_read_str, offsetof(struct ct_spec, listener_path)},
		{"listenerMetadata", ct_read_str, offsetof(struct ct_spec, listener_metadata)},
		{"defaultAction", read_default, 0},
		{"syscalls", read_rules, 0},
	};
	struct ct_spec *spec = into;
	bool path_given;

	if (ct_read_members(value, path, members, ARRAY_SIZE(members), spec, e) < 0)
		return -e->no;
	path_given = spec->listener_path && spec->listener_path[0];
	if (spec->listener_metadata && spec->listener_metadata[0] && !path_given)
		return ct_refuse(e, "linux.seccomp.listenerMetadata",
				 "is there without listenerPath");
	if (spec->notifies && !path_given)
		return ct_refuse(e, "linux.seccomp.listenerPath",
				 "is missing, and SCMP_ACT_NOTIFY is used");
	if (path_given && spec->listener_path[0] != '/')
		return ct_refuse(e, "linux.seccomp.listenerPath", "'%s' is not absolute",
				 spec->listener_path);
	if (json_object_size(value))
		spec->seccomp = json_incref((json_t *)value);
	return 0;
}
