// SPDX-License-Identifier: GPL-2.0-only
/* A hierarchy of control groups among our own mounts. */
#include "checkpoint/hierarchy.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "ns/mountinfo.h"
#include "ns/rootfs.h"

/* Whether each of the words ("cpu,cpuacct") is among the others ("rw,cpu,cpuacct"). */
static bool all_among(const char *words, const char *others)
{
	while (*words) {
		size_t n = strcspn(words, ",");
		bool found = false;

		for (const char *at = others; !found && *at;
		     at += strcspn(at, ","), at += *at == ',')
			found = strcspn(at, ",") == n && !strncmp(at, words, n);
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

static bool is_hierarchy(const struct ns_mountinfo *m, const char *controllers)
{
	if (strcmp(m->root, "/") != 0 || strchr(m->at, '\\'))
		return false;
	if (*controllers ? strcmp(m->type, "cgroup") != 0 || !all_among(controllers, m->options)
			 : strcmp(m->type, "cgroup2") != 0)
		return false;
	return leads_to(m->at, m->id);
}

const struct ns_mountinfo *cr_hierarchy_find(const struct ns_mountinfo *all, size_t n,
					     const char *controllers)
{
	for (size_t i = 0; i < n; i++)
		if (is_hierarchy(&all[i], controllers))
			return &all[i];
	return NULL;
}
