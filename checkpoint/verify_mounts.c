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
#include "ns/mountinfo.h"

int cr_check_host_mounts(struct cr_check *l, struct err *e)
{
	auto_free char *text = NULL;
	struct ns_mountinfo m;
	char *rest;
	int r = cr_check_read(getpid(), "mountinfo", &text, e);

	for (rest = text; r >= 0 && (r = ns_mountinfo_next(&rest, &m));)
		r = r > 0 ? cr_numbers_add(&l->host, m.dev, e) : 0;
	return r < 0 ? r : 0;
}

/* A node of the host's /dev, bound as a file. */
static bool is_node(const struct ns_mountinfo *m, const char *path)
{
	const char *name = strrchr(path, '/'), *shown = strrchr(m->root, '/');
	struct stat st;

	return name && shown && !strcmp(name, shown) && stat(path, &st) == 0 &&
	       (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) && st.st_dev == m->dev;
}

static bool is_device(const struct cr_check *l, const struct ns_mountinfo *m)
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
static bool is_console(const struct cr_check *l, const struct ns_mountinfo *m)
{
	unsigned long long rdev, dev;
	char name[24];

	if (sscanf(l->v->terminal, "%llx:%llx", &rdev, &dev) != 2 || dev != m->dev)
		return false;
	snprintf(name, sizeof(name), "/%u", (major(rdev) - 136) * 256 + minor(rdev));
	return !strcmp(m->root, name);
}

static bool may_show(const struct cr_check *l, const struct ns_mountinfo *m)
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
	struct ns_mountinfo m;
	char path[48], *rest;
	struct stat st;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	if (stat(path, &st) < 0)
		return err_sys(e, "look at %s", path);
	if (cr_numbers_have(&l->mount_spaces, st.st_ino))
		return 0;
	if (cr_numbers_add(&l->mount_spaces, st.st_ino, e) < 0 ||
	    cr_check_read(pid, "mountinfo", &text, e) < 0)
		return -e->no;
	for (rest = text; (r = ns_mountinfo_next(&rest, &m));) {
		char what[160];

		if (r < 0)
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
