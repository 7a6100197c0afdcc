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
#include "checkpoint/criu.h"

#define FILE_MOST 65536

/*
 * Of "4:cpu,cpuacct:/a/group" the controllers (cgroup2: "", and of a named one "name=systemd"), and
 * whether that group is the container's or below it. NULL: that is no such line. Cuts the line.
 */
static const char *controllers_of(char *line, const char *cgroup, bool *own)
{
	size_t len = strlen(cgroup);
	char *controllers = strchr(line, ':'), *path;

	path = controllers ? strchr(++controllers, ':') : NULL;
	if (!path || path[1] != '/')
		return NULL;
	*path = 0;
	path += 2;
	*own = !strncmp(path, cgroup, len) && (!path[len] || path[len] == '/');
	return controllers;
}

int cr_strangers_add(struct cr_criu *c, pid_t pid, const char *cgroup, struct err *e)
{
	auto_free char *text = NULL;
	const char *owned[64];
	size_t n = 0;
	bool strangers = false;
	char name[48], *rest, *line;

	snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
	if (file_read_at(AT_FDCWD, name, FILE_MOST, &text, e) < 0)
		return -e->no;
	for (rest = text; (line = strsep(&rest, "\n")) && n < ARRAY_SIZE(owned);) {
		bool own = false;
		const char *controllers = controllers_of(line, cgroup, &own);

		if (controllers && own)
			owned[n++] = controllers;
		strangers |= controllers && !own;
	}
	/* criu compares with all that stands between the colons (cgp_should_skip_controller()). */
	for (size_t i = 0; strangers && i < n; i++)
		cr_criu_add(c, "--cgroup-dump-controller=%s", owned[i]);
	return 0;
}
