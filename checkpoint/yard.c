// SPDX-License-Identifier: GPL-2.0-only
/* Links to the places where the hierarchies of control groups are mounted. */
#include "checkpoint/yard.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/member.h"
#include "checkpoint/hierarchy.h"
#include "ns/mountinfo.h"

#define GROUPS_MOST (1u << 20)

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
	auto_free struct ns_mountinfo *all = NULL;
	struct cg_member m;
	char *rest;
	ssize_t n;

	if (file_read_at(AT_FDCWD, "/proc/self/cgroup", GROUPS_MOST, &groups, e) < 0 ||
	    file_read_at(AT_FDCWD, "/proc/self/mountinfo", NS_MOUNTINFO_MOST, &mounts, e) < 0)
		return -e->no;
	n = ns_mountinfo_list(mounts, &all, e);
	if (n < 0)
		return -e->no;
	for (rest = groups; cg_member_next(&rest, &m);) {
		const struct ns_mountinfo *h = cr_hierarchy_find(all, (size_t)n, m.controllers);
		const char *name = name_of(m.controllers);

		if (strchr(name, '/') || !h)
			return 0;
		if (symlinkat(h->at, yard, name) < 0)
			return err_sys(e, "make a link to %s", h->at);
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
