// SPDX-License-Identifier: GPL-2.0-only
/* The spec's hooks. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "runtime/hook.h"
#include "runtime/spec_read.h"

/* A timeout that is written down as 0 is refused by runtime-spec; one that is a day long is no timeout. */
#define LONGEST_TIMEOUT 86400

static int read_timeout(const json_t *value, const char *path, void *into, struct err *e)
{
	int64_t seconds;

	if (ct_read_i64(value, path, &seconds, e) < 0)
		return -e->no;
	if (seconds <= 0 || seconds > LONGEST_TIMEOUT)
		return ct_refuse(e, path, "is not from 1 to %d seconds", LONGEST_TIMEOUT);
	*(int *)into = (int)seconds;
	return 0;
}

static int read_hook(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"path", ct_read_str, offsetof(struct ct_hook, path)},
		{"args", ct_read_strings, offsetof(struct ct_hook, args)},
		{"env", ct_read_env, offsetof(struct ct_hook, env)},
		{"timeout", read_timeout, offsetof(struct ct_hook, timeout_s)},
	};
	struct ct_hook *h = into;

	if (ct_read_members(value, path, members, ARRAY_SIZE(members), h, e) < 0)
		return -e->no;
	if (!h->path || h->path[0] != '/')
		return ct_refuse(e, path, "path must be absolute");
	return 0;
}

int ct_read_hooks(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ct_hooks *hooks = into;

	if (!json_is_object(value))
		return ct_refuse(e, path, "must be an object");
	for (int p = 0; p < CT_HOOK_POINTS; p++) {
		const char *word = ct_hook_point_to_str((enum ct_hook_point)p);
		const json_t *list = json_object_get(value, word);
		char below[CT_PATH_MOST];
		void *items = NULL;
		int r;

		if (!list || json_is_null(list))
			continue;
		snprintf(below, sizeof(below), "%s.%s", path, word);
		r = ct_read_list(list, below, read_hook, sizeof(struct ct_hook), &items,
				 &hooks->n[p], e);
		hooks->list[p] = items;
		if (r < 0)
			return r;
		if (hooks->n[p] && !hooks->given)
			hooks->given = json_incref((json_t *)value);
	}
	return 0;
}
