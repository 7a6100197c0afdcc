// SPDX-License-Identifier: GPL-2.0-only
/* Which hierarchies of control groups criu is to look at. */
#include "checkpoint/strangers.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "cgroups/member.h"
#include "checkpoint/criu.h"

#define FILE_MOST 65536

/* Whether that group is the container's, "a/b", or below it. */
static bool is_own(const char *path, const char *cgroup)
{
	size_t len = strlen(cgroup);

	return !strncmp(path + 1, cgroup, len) && (!path[1 + len] || path[1 + len] == '/');
}

int cr_strangers_add(struct cr_criu *c, pid_t pid, const char *cgroup, struct err *e)
{
	auto_free char *text = NULL;
	const char *owned[64];
	size_t n = 0;
	bool strangers = false;
	struct cg_member m;
	char name[48], *rest;

	snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
	if (file_read_at(AT_FDCWD, name, FILE_MOST, &text, e) < 0)
		return -e->no;
	for (rest = text; n < ARRAY_SIZE(owned) && cg_member_next(&rest, &m);)
		if (is_own(m.path, cgroup))
			owned[n++] = m.controllers;
		else
			strangers = true;
	/* criu compares with all that stands between the colons (cgp_should_skip_controller()). */
	for (size_t i = 0; strangers && i < n; i++)
		cr_criu_add(c, "--cgroup-dump-controller=%s", owned[i]);
	return 0;
}
