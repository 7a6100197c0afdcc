// SPDX-License-Identifier: GPL-2.0-only
/* What restored tasks see: the mounts of each of their mount namespaces. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "checkpoint/verify_check.h"

/* A line of proc_pid_mountinfo(5), taken apart in place. */
struct mount {
	unsigned id;
	dev_t dev;
	const char *root, *at, *type;
};

/* 36 35 98:0 /root /at options shared:1 ... - type source options */
static bool read_mount(char *line, struct mount *m)
{
	unsigned ma, mi;
	char *word[5], *rest = strstr(line, " - ");

	if (!rest)
		return false;
	*rest = 0;
	rest += 3;
	m->type = strsep(&rest, " ");
	for (size_t i = 0; i < ARRAY_SIZE(word); i++) {
		word[i] = strsep(&line, " ");
		if (!word[i])
			return false;
	}
	m->root = word[3];
	m->at = word[4];
	m->id = (unsigned)strtoul(word[0], NULL, 10);
	if (sscanf(word[2], "%u:%u", &ma, &mi) != 2)
		return false;
	m->dev = makedev(ma, mi);
	return true;
}

int cr_check_host_mounts(struct cr_check *l, struct err *e)
{
	auto_free char *text = NULL;
	char *rest, *line;
	struct mount m;
	int r = cr_check_read(getpid(), "mountinfo", &text, e);

	for (rest = text; r >= 0 && (line = strsep(&rest, "\n"));)
		if (read_mount(line, &m))
			r = cr_numbers_add(&l->host, m.dev, e);
	return r < 0 ? r : 0;
}

/* A node of the host's /dev, bound as a file. */
static bool is_node(const struct mount *m, const char *path)
{
	const char *name = strrchr(path, '/'), *shown = strrchr(m->root, '/');
	struct stat st;

	return name && shown && !strcmp(name, shown) && stat(path, &st) == 0 &&
	       (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) && st.st_dev == m->dev;
}

static bool is_device(const struct cr_check *l, const struct mount *m)
{
	static const char *const always[] = {"/dev/null",   "/dev/zero",    "/dev/full",
					     "/dev/random", "/dev/urandom", "/dev/tty"};

	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		if (is_node(m, always[i]))
			return true;
	for (size_t i = 0; i < l->v->spec->n_devices; i++)
		if (is_node(m, l->v->spec->devices[i].path))
			return true;
	return false;
}

/* A terminal of the host's devpts, which is named by its number. */
static bool is_console(const struct cr_check *l, const struct mount *m)
{
	unsigned long long rdev, dev;
	char name[24];

	if (sscanf(l->v->terminal, "%llx:%llx", &rdev, &dev) != 2 || dev != m->dev)
		return false;
	snprintf(name, sizeof(name), "/%u", (major(rdev) - 136) * 256 + minor(rdev));
	return !strcmp(m->root, name);
}

static bool may_show(const struct cr_check *l, const struct mount *m)
{
	if (is_device(l, m) || is_console(l, m))
		return true;
	/*
	 * A disk of the host's that nobody had mounted yet: a container's tasks cannot mount one (FS_USERNS_MOUNT), and what is restored for them is an overlay, or of those
	 * file systems that are made of nothing.
	 */
	if (!cr_numbers_have(&l->host, m->dev))
		return major(m->dev) == 0;
	/* All control groups of a kind are one file system: of it the container's own subtree. */
	if (!strncmp(m->type, "cgroup", 6))
		return cr_check_below_group(l, m->root);
	/* Namespaces, which open to those only who have rights in them. */
	if (!strcmp(m->type, "nsfs"))
		return true;
	/* compile.c shows who shares the host's network the host's /sys, not to be written to. */
	return !l->v->spec->own[CT_NS_NETWORK] && !strncmp(m->at, "/sys", 4) &&
	       (!m->at[4] || m->at[4] == '/');
}

int cr_check_mounts(struct cr_check *l, pid_t pid, struct err *e)
{
	auto_free char *text = NULL;
	char path[48], *rest, *line;
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	if (stat(path, &st) < 0)
		return err_sys(e, "look at %s", path);
	if (cr_numbers_have(&l->mount_spaces, st.st_ino))
		return 0;
	if (cr_numbers_add(&l->mount_spaces, st.st_ino, e) < 0 ||
	    cr_check_read(pid, "mountinfo", &text, e) < 0)
		return -e->no;
	rest = text;
	while ((line = strsep(&rest, "\n")) && *line) {
		struct mount m;
		char what[160];

		if (!read_mount(line, &m))
			return cr_check_refuse(pid, "has a mount that cannot be read", e);
		if (!may_show(l, &m)) {
			snprintf(what, sizeof(what),
				 "sees %.60s of a file system of the host at %.60s", m.root, m.at);
			return cr_check_refuse(pid, what, e);
		}
		if (cr_numbers_add(&l->mounts, m.id, e) < 0)
			return -e->no;
	}
	return 0;
}
