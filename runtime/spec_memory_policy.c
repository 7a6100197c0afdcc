// SPDX-License-Identifier: GPL-2.0-only
/* The spec's linux.memoryPolicy. */
#include <stdlib.h>

#include "base/err.h"
#include "base/own.h"
#include "ns/schedule.h"
#include "runtime/spec_read.h"

static int read_mode(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ns_numa *numa = into;
	int mode;

	if (!json_is_string(value))
		return ct_refuse(e, path, "must be a string");
	/* crun's words. */
	if (ns_numa_mode(json_string_value(value), &mode) < 0)
		return ct_refuse(e, path, "requested linux NUMA mempolicy mode '%s' is unknown",
				 json_string_value(value));
	numa->given = true;
	numa->mode |= mode;
	return 0;
}

static int read_flag(const json_t *value, const char *path, void *into, struct err *e)
{
	if (!json_is_string(value))
		return ct_refuse(e, path, "must be a string");
	return ns_numa_flag(json_string_value(value), into) < 0
		       ? ct_refuse(e, path, "requested linux NUMA mempolicy flag '%s' is unknown",
				   json_string_value(value))
		       : 0;
}

static int read_flags(const json_t *value, const char *path, void *into, struct err *e)
{
	auto_free int *flags = NULL;
	struct ns_numa *numa = into;
	void *items = NULL;
	size_t n = 0;
	int r = ct_read_list(value, path, read_flag, sizeof(*flags), &items, &n, e);

	flags = items;
	for (size_t i = 0; r >= 0 && i < n; i++)
		numa->mode |= flags[i];
	return r;
}

static int read_nodes(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ns_numa *numa = into;

	if (!json_is_string(value))
		return ct_refuse(e, path, "must be a string");
	if (!json_string_length(value))
		return 0;
	numa->has_nodes = true;
	return ns_list_parse("memory nodes", json_string_value(value), &numa->nodes, e) < 0
		       ? ct_refuse_why(e, path)
		       : 0;
}

int ct_read_memory_policy(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"mode", read_mode, 0},
		{"nodes", read_nodes, 0},
		{"flags", read_flags, 0},
	};
	struct ns_numa *numa = into;

	if (ct_read_members(value, path, members, ARRAY_SIZE(members), numa, e) < 0)
		return -e->no;
	return numa->given
		       ? 0
		       : ct_refuse(e, path,
				   "linux NUMA mempolicy mode is missing from the configuration");
}
