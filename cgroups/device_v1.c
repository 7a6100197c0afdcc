// SPDX-License-Identifier: GPL-2.0-only
/* Device rules through devices.allow and devices.deny. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "cgroups/device.h"

static bool everything(const struct cg_device_rule *r)
{
	return r->type == 'a' && r->major < 0 && r->minor < 0 && r->r && r->w && r->m;
}

static bool same_device(const struct cg_device_rule *a, const struct cg_device_rule *b)
{
	return a->type == b->type && a->major == b->major && a->minor == b->minor;
}

static bool overlap(const struct cg_device_rule *a, const struct cg_device_rule *b)
{
	return (a->type == 'a' || b->type == 'a' || a->type == b->type) &&
	       (a->major < 0 || b->major < 0 || a->major == b->major) &&
	       (a->minor < 0 || b->minor < 0 || a->minor == b->minor) &&
	       ((a->r && b->r) || (a->w && b->w) || (a->m && b->m));
}

/*
 * The controller keeps a default and a list of exceptions to it; taking back part of an exception ("allow c 1:*", then
 * "deny c 1:1") is silently ignored by it (dev_exception_rm matches exact devices), so we say so.
 */
static int check(const struct cg_device_rule *rules, size_t i, size_t base, struct err *e)
{
	for (size_t j = base; j < i; j++) {
		if (rules[j].allow == rules[i].allow || same_device(&rules[i], &rules[j]) ||
		    !overlap(&rules[i], &rules[j]))
			continue;
		err_set(e, EOPNOTSUPP,
			"device rule %zu takes back a part of rule %zu, which cgroup v1 cannot do",
			i + 1, j + 1);
		err_hint(e, "mount cgroup2, or list the devices one by one");
		return err_class(e, ERR_LIMIT);
	}
	return 0;
}

static int write_rule(int dir, const struct cg_device_rule *r, struct err *e)
{
	char major[24] = "*", minor[24] = "*", line[80];

	/* For type a the controller ignores the rest of the line and means everything. */
	if (r->type == 'a' && !everything(r)) {
		struct cg_device_rule each = *r;

		each.type = 'c';
		if (write_rule(dir, &each, e) < 0)
			return -e->no;
		each.type = 'b';
		return write_rule(dir, &each, e);
	}
	if (r->major >= 0)
		snprintf(major, sizeof(major), "%lld", (long long)r->major);
	if (r->minor >= 0)
		snprintf(minor, sizeof(minor), "%lld", (long long)r->minor);
	snprintf(line, sizeof(line), "%c %s:%s %s%s%s", r->type, major, minor, r->r ? "r" : "",
		 r->w ? "w" : "", r->m ? "m" : "");
	if (file_write_at(dir, r->allow ? "devices.allow" : "devices.deny", line, e) >= 0)
		return 0;
	err_wrap(e, "device rule '%s'", line);
	return err_class(e, ERR_LIMIT);
}

int cg_devices_v1_apply(int dir, const struct cg_device_rule *rules, size_t count, struct err *e)
{
	size_t base = 0;

	for (size_t i = 0; i < count; i++) {
		if (!strchr("abc", rules[i].type) || !(rules[i].r || rules[i].w || rules[i].m)) {
			err_set(e, EINVAL, "device rule %zu has no type or no access", i + 1);
			return err_class(e, ERR_VALUE);
		}
		if (everything(&rules[i]))
			base = i + 1;
		else if (check(rules, i, base, e) < 0)
			return -e->no;
	}
	if (file_write_at(dir, "devices.deny", "a", e) < 0)
		return err_wrap(e, "deny all devices");
	for (size_t i = base ? base - 1 : 0; i < count; i++)
		if (write_rule(dir, &rules[i], e) < 0)
			return -e->no;
	return 0;
}
