// SPDX-License-Identifier: GPL-2.0-only
/* The table of skep's verbs, its global options, and the container that a verb is about. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "ctl/nearest.h"
#include "ctl/oci.h"

static const struct ctl_option globals[] = {
	{.name = "root",
	 .arg = "DIR",
	 .help = "where containers' state is kept (" CT_STATE_DIR ")"},
	{.name = "log", .arg = "FILE", .help = "append notices and failures to FILE, too"},
	{.name = "log-format", .arg = "FORMAT", .help = "of that file: text or json"},
	{.name = "debug", .help = "say all that is done, with the time of each step"},
	{.name = "cgroup-manager",
	 .arg = "HOW",
	 .help = "who makes control groups: cgroupfs (skep itself), systemd, or disabled (none)"},
	{.name = "systemd-cgroup", .help = "the same as --cgroup-manager systemd"},
	{.name = "rootless",
	 .arg = "BOOL",
	 .help = "do without what only root may: true, false, or auto (for users that are not root)"},
	{.name = "version", .letter = 'v', .help = "print the version"},
	{0},
};

static const struct ctl_command *const commands[] = {
#define X(name) &ctl_oci_##name,
	CTL_OCI_COMMANDS(X)
#undef X
		NULL};

const struct ctl_front ctl_oci = {
	.name = "skep",
	.page = "skep",
	.summary = "an OCI runtime: runs containers from bundles that others make",
	.global = globals,
	.commands = commands,
	.as_runc = true,
};

const struct ctl_front *ctl_oci_called(const char *name)
{
	static struct ctl_front front;

	front = ctl_oci;
	if (name && *name)
		front.name = name;
	return &front;
}

static int read_manager(const struct ctl_line *line, struct err *e)
{
	static const char *const managers[] = {[CT_MANAGER_CGROUPFS] = "cgroupfs",
					       [CT_MANAGER_SYSTEMD] = "systemd",
					       [CT_MANAGER_DISABLED] = "disabled"};
	const char *manager = ctl_value(line, "cgroup-manager");

	if (ctl_flag(line, "systemd-cgroup"))
		return CT_MANAGER_SYSTEMD;
	for (size_t i = 0; i < ARRAY_SIZE(managers); i++)
		if (!manager || !strcmp(manager, managers[i]))
			return (int)i;
	err_set(e, EINVAL, "--cgroup-manager: '%.20s' is not cgroupfs, systemd or disabled",
		manager);
	return err_class(e, ERR_VALUE);
}

/* Whether our user namespace has an own view of ids, so that its root is none of the host's. */
static bool in_user_namespace(void)
{
	unsigned inside, outside, count;
	FILE *map = fopen("/proc/self/uid_map", "re");
	bool all = !map ||
		   (fscanf(map, "%u %u %u", &inside, &outside, &count) == 3 && count == UINT32_MAX);

	if (map)
		fclose(map);
	return !all;
}

/*
 * Without a system call for the host's root that nobody else has started. Where a user's tool has made a namespace in which the user is root, the user's directory is still in the environment, and no name or the user's: so runc
 * and crun know it, too.
 */
static bool is_users_root(void)
{
	const char *user = getenv("USER"), *dir = getenv("XDG_RUNTIME_DIR");

	return dir && *dir && (!user || strcmp(user, "root") != 0) && in_user_namespace();
}

static int read_rootless(const struct ctl_line *line, struct err *e)
{
	const char *word = ctl_value(line, "rootless");

	/* Without a value it is the flag of `spec`. */
	if (!word || !*word || !strcmp(word, "auto"))
		return getauxval(AT_EUID) != 0 || is_users_root();
	if (ctl_truth(word) >= 0)
		return ctl_truth(word);
	err_set(e, EINVAL, "--rootless: '%.20s' is not true, false or auto", word);
	return err_class(e, ERR_VALUE);
}

int ctl_oci_judge_globals(const struct ctl_line *line, struct err *e)
{
	const char *word = ctl_value(line, "rootless");

	if (read_manager(line, e) < 0)
		return -e->no;
	return word && read_rootless(line, e) < 0 ? -e->no : 0;
}

int ctl_oci_groups(const struct ctl_line *line, struct ct_spec *spec, struct err *e)
{
	int rootless = read_rootless(line, e);

	if (rootless < 0)
		return rootless;
	spec->rootless = rootless;
	spec->manager = (enum ct_manager)read_manager(line, e);
	return ct_scope_judge(spec, e);
}

const char *ctl_oci_root(const struct ctl_line *line)
{
	static char users[256];
	const char *root = ctl_value(line, "root"), *dir = getenv("XDG_RUNTIME_DIR");

	if (root)
		return root;
	if (users[0] || !dir || !*dir || (getauxval(AT_EUID) == 0 && !is_users_root()))
		return users[0] ? users : CT_STATE_DIR;
	snprintf(users, sizeof(users), "%s/skep", dir);
	return users;
}

/* Filters of somebody else's, in a root that others may write to, would be taken for compiled ones of ours. */
int ctl_oci_cache_look(const struct ctl_line *line)
{
	auto_fd int root = open(ctl_oci_root(line), O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd int fd =
		root < 0 ? -EBADF
			 : openat(root, ".cache", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() ||
	    st.st_mode & (S_IWGRP | S_IWOTH))
		return -EBADF;
	return take_fd(&fd);
}

int ctl_oci_cache(const struct ctl_line *line)
{
	auto_fd int root = -EBADF;
	struct err why = {0};
	int fd = ctl_oci_cache_look(line);

	if (fd >= 0)
		return fd;
	root = file_mkdirs_at(AT_FDCWD, ctl_oci_root(line), 0700, &why);
	if (root >= 0 && mkdirat(root, ".cache", 0700) < 0 && errno != EEXIST)
		err_sys(&why, "make .cache in %s", ctl_oci_root(line));
	fd = why.no ? -EBADF : ctl_oci_cache_look(line);
	if (fd < 0)
		log_warn("compiled filters are not kept: %s",
			 why.no ? why.text : ".cache of the state directory is not ours");
	return fd;
}

struct search {
	const char *id, *best;
	char name[65];
	int distance;
};

static int offer(struct ct *ct, void *arg, struct err *e)
{
	struct search *s = arg;
	const char *before = s->best;

	(void)e;
	ctl_nearest(s->id, ct->s.id, &s->best, &s->distance);
	if (s->best != before) {
		snprintf(s->name, sizeof(s->name), "%s", ct->s.id);
		s->best = s->name;
	}
	return 0;
}

static int no_such(const struct ctl_line *line, struct err *e)
{
	struct search s = {.id = line->words[0], .distance = ctl_too_far(line->words[0])};
	struct err ignored = {0};

	err_set(e, ENOENT, "container \"%s\" does not exist", s.id);
	err_class(e, ERR_NO_SUCH_CT);
	if (ct_each(ctl_oci_root(line), offer, &s, &ignored) == 0 && s.best)
		return err_hint(e, "did you mean %s?", s.best);
	return err_hint(e, "`%s list` shows those in %s", line->front->name, ctl_oci_root(line));
}

int ctl_oci_open(const struct ctl_line *line, const char *verb, struct ct *ct, struct err *e)
{
	struct err why = {0};
	int r = ct_open(ctl_oci_root(line), line->words[0], verb, ct, &why);

	if (r < 0 && why.class == ERR_NO_SUCH_CT)
		return no_such(line, e);
	if (r < 0)
		*e = why;
	return r;
}
