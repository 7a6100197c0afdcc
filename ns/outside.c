// SPDX-License-Identifier: GPL-2.0-only
/* The procfs and sysfs of a host that was not pivoted away. */
#include "ns/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "ns/rootfs.h"

#define FILE_MOST (16u << 20)

/* A line of proc_pid_mountinfo(5). */
struct seen {
	uint64_t id, parent;
	bool whole; /* procfs or sysfs, from its root on */
	const char *at;
};

/* "\\040" is a space: in place. */
static char *unescape(char *text)
{
	char *to = text;

	for (const char *p = text; *p; to++)
		if (p[0] == '\\' && strspn(p + 1, "01234567") >= 3) {
			*to = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 4;
		} else {
			*to = *p++;
		}
	*to = 0;
	return text;
}

/* Cuts the line. */
static bool parse(char *line, struct seen *m)
{
	const char *type = strstr(line, " - ");
	char *save = NULL, *word[5];

	m->whole = type && (!strncmp(type + 3, "proc ", 5) || !strncmp(type + 3, "sysfs ", 6));
	for (size_t i = 0; i < ARRAY_SIZE(word); i++) {
		word[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!word[i])
			return false;
	}
	m->id = strtoull(word[0], NULL, 10);
	m->parent = strtoull(word[1], NULL, 10);
	m->whole = m->whole && !strcmp(word[3], "/");
	m->at = unescape(word[4]);
	return true;
}

static bool is_below(const struct seen *all, size_t n, uint64_t id, uint64_t root)
{
	/* Each step goes to a parent, of which there are at most n. */
	for (size_t steps = 0; id != root && steps < n; steps++) {
		size_t i = 0;

		while (i < n && all[i].id != id)
			i++;
		if (i == n)
			return false;
		id = all[i].parent;
	}
	return id == root;
}

/* 1: it is locked. One that went with a parent is gone. */
static int take_away(const char *at, struct err *e)
{
	if (umount2(at, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || errno == ENOENT)
		return 0;
	return errno == EINVAL || errno == EPERM ? 1 : err_sys(e, "take away the host's %s", at);
}

static int cover(const char *at, struct err *e)
{
	if (mount("hidden", at, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 &&
	    errno != ENOENT)
		return err_sys(e, "cover the host's %s", at);
	return 0;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

int ns_outside_hide(int root, struct err *e)
{
	auto_free char *text = NULL;
	auto_free struct seen *all = NULL;
	struct ns_rootfs_id own;
	size_t n = 0;
	int r = ns_rootfs_id(root, &own, e);

	if (r >= 0)
		r = file_read_at(AT_FDCWD, "/proc/self/mountinfo", FILE_MOST, &text, e);
	if (r < 0)
		return r;
	all = calloc(count_lines(text) + 1, sizeof(*all));
	if (!all)
		return err_set(e, ENOMEM, "out of memory for the host's mounts");
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
		n += parse(line, &all[n]);
	/* The last one first: it may lie on another. */
	for (size_t i = n; r >= 0 && i-- > 0;) {
		all[i].whole = all[i].whole && !is_below(all, n, all[i].id, own.id);
		r = all[i].whole ? take_away(all[i].at, e) : 0;
		all[i].whole = r > 0;
	}
	/* Not before: a cover is not locked, and would be taken away for what lies below. */
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = all[i].whole ? cover(all[i].at, e) : 0;
	return r < 0 ? r : 0;
}
