// SPDX-License-Identifier: GPL-2.0-only
/* Links to the places where the hierarchies of control groups are mounted. */
#include "checkpoint/yard.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/member.h"
#include "ns/rootfs.h"

#define FILE_MOST (16u << 20)

/* Whether each of the words ("cpu,cpuacct") is among the others ("rw,cpu,cpuacct"). */
static bool all_among(const char *words, const char *others)
{
	while (*words) {
		size_t n = strcspn(words, ",");
		bool found = false;

		for (const char *at = others; !found && *at;
		     at += strcspn(at, ","), at += *at == ',')
			found = strcspn(at, ",\n") == n && !strncmp(at, words, n);
		if (!found)
			return false;
		words += n;
		words += *words == ',';
	}
	return true;
}

/* Not when something else is mounted over it, or above it. */
static bool leads_to(const char *at, uint64_t mount)
{
	auto_fd int fd = open(at, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct ns_rootfs_id id;
	struct err why = {0};

	return fd >= 0 && ns_rootfs_id(fd, &id, &why) >= 0 && id.id == mount;
}

/* A line of proc_pid_mountinfo(5): the mount point, if it is that hierarchy ("": cgroup2) from its root on, and can be reached. */
static bool is_hierarchy(const char *line, const char *controllers, char at[256])
{
	const char *rest = strstr(line, " - ");
	char root[8], type[16], options[256];
	uint64_t id;

	if (!rest || sscanf(line, "%" SCNu64 " %*d %*s %7s %255s", &id, root, at) != 3 ||
	    sscanf(rest, " - %15s %*s %255s", type, options) != 2)
		return false;
	if (strcmp(root, "/") != 0 || strchr(at, '\\'))
		return false;
	if (*controllers ? strcmp(type, "cgroup") != 0 || !all_among(controllers, options)
			 : strcmp(type, "cgroup2") != 0)
		return false;
	return leads_to(at, id);
}

static bool find(const char *mounts, const char *controllers, char at[256])
{
	for (const char *line = mounts; line && *line;
	     line = strchr(line, '\n'), line += line != NULL) {
		char one[1024];

		snprintf(one, sizeof(one), "%.*s", (int)strcspn(line, "\n"), line);
		if (is_hierarchy(one, controllers, at))
			return true;
	}
	return false;
}

/* criu's name of the link. */
static const char *name_of(const char *controllers)
{
	if (!*controllers)
		return "unified";
	return !strncmp(controllers, "name=", 5) ? controllers + 5 : controllers;
}

/* The kernel shows all processes the same hierarchies. */
static int fill(int yard, struct err *e)
{
	auto_free char *groups = NULL, *mounts = NULL;
	struct cg_member m;
	char *rest;

	if (file_read_at(AT_FDCWD, "/proc/self/cgroup", FILE_MOST, &groups, e) < 0 ||
	    file_read_at(AT_FDCWD, "/proc/self/mountinfo", FILE_MOST, &mounts, e) < 0)
		return -e->no;
	for (rest = groups; cg_member_next(&rest, &m);) {
		const char *name = name_of(m.controllers);
		char at[256];

		if (strchr(name, '/') || !find(mounts, m.controllers, at))
			return 0;
		if (symlinkat(at, yard, name) < 0)
			return err_sys(e, "make a link to %s", at);
	}
	return 1;
}

int cr_yard_make(int dir, struct err *e)
{
	auto_fd int yard = -EBADF;
	int r;

	cr_yard_remove(dir); /* of a command that was killed */
	if (mkdirat(dir, CR_YARD_DIR, 0700) < 0)
		return err_sys(e, "make a directory for the control groups");
	yard = openat(dir, CR_YARD_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = yard < 0 ? err_sys(e, "open the directory for the control groups") : fill(yard, e);
	if (r <= 0)
		cr_yard_remove(dir);
	return r;
}

void cr_yard_remove(int dir)
{
	struct err why = {0};

	if (file_remove_tree_at(dir, CR_YARD_DIR, &why) < 0)
		log_warn("%s", why.text);
}
