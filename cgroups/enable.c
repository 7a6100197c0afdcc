// SPDX-License-Identifier: GPL-2.0-only
/* What is written to cgroup.subtree_control. */
#include "cgroups/enable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/group.h"

#define NAME_SIZE 32

static int enable(int dir, const char *name, size_t len, struct err *e)
{
	char word[NAME_SIZE + 2];

	if (len > NAME_SIZE)
		return err_set(e, EINVAL, "no controller has so long a name");
	snprintf(word, sizeof(word), "+%.*s", (int)len, name);
	return file_write_at(dir, "cgroup.subtree_control", word, e);
}

void cg_enable_usual(const struct cg_host *host, int dir, const char *where)
{
	for (int c = 0; c < CG_CONTROLLER_COUNT; c++) {
		const char *name = cg_controller_to_str((enum cg_controller)c);
		struct err ignored = {0};

		if (host->ctl[c].version != 2 || c == CG_CPUACCT)
			continue;
		/* A group that is being removed is no news: mkdir(2) will say so. Nor is one above those that a user has been given. */
		if (enable(dir, name, strlen(name), &ignored) < 0 && ignored.no != ENOENT &&
		    ignored.no != ENODEV && ignored.no != EACCES)
			log_warn("controller %s cannot be enabled in %s: %s", name, where,
				 strerror(ignored.no));
	}
}

void cg_enable_below(int dir, const char *name, size_t len)
{
	struct err ignored = {0};

	(void)enable(dir, name, len, &ignored);
}

bool cg_has_unified(int dir, const char *name, size_t len)
{
	auto_free char *list = NULL;
	struct err ignored = {0};

	if (dir < 0 || file_read_at(dir, "cgroup.controllers", 4096, &list, &ignored) < 0)
		return false;
	for (const char *at = list; *at; at += strspn(at, " \n")) {
		size_t word = strcspn(at, " \n");

		if (word == len && !strncmp(at, name, len))
			return true;
		at += word;
	}
	return false;
}

bool cg_enable(const struct cg *cg, const char *name, size_t len)
{
	char copy[sizeof(cg->path)], *save = NULL;
	struct err ignored = {0};
	const struct cg_host *host = cg_host(&ignored);
	auto_fd int dir = host && host->unified[0]
				  ? open(host->unified, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
				  : -EBADF;

	if (cg->v2 < 0 || !cg_has_unified(dir, name, len))
		return false;
	snprintf(copy, sizeof(copy), "%s", cg->path);
	for (char *w = strtok_r(copy, "/", &save); w && dir >= 0; w = strtok_r(NULL, "/", &save)) {
		int next;

		/* One above those that a user has been given has it, or has it not. */
		(void)enable(dir, name, len, &ignored);
		next = openat(dir, w, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		close(dir);
		dir = next;
	}
	return cg_has_unified(cg->v2, name, len);
}
