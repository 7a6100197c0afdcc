// SPDX-License-Identifier: GPL-2.0-only
/* The table of skep's verbs, its global options, and the container that a verb is about. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

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
	{.name = "cgroup-manager", .arg = "HOW", .help = "cgroupfs, the only one there is"},
	{.name = "systemd-cgroup", .help = "not implemented: cgroupfs is the manager"},
	{.name = "rootless", .arg = "BOOL", .help = "auto or false: skep needs root"},
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
	.summary = "an OCI runtime: runs containers from bundles that others make",
	.global = globals,
	.commands = commands,
	.as_runc = true,
};

int ctl_oci_judge_globals(const struct ctl_line *line, struct err *e)
{
	const char *manager = ctl_value(line, "cgroup-manager");
	const char *rootless = ctl_value(line, "rootless");

	if (ctl_flag(line, "systemd-cgroup") || (manager && strcmp(manager, "cgroupfs") != 0)) {
		err_set(e, EOPNOTSUPP,
			"control groups made by systemd, or none, are not implemented");
		err_hint(e, "let the caller use cgroupfs (podman --cgroup-manager=cgroupfs)");
		return err_class(e, ERR_UNSUPPORTED);
	}
	if (rootless && strcmp(rootless, "auto") != 0 && strcmp(rootless, "false") != 0) {
		err_set(e, EOPNOTSUPP, "--rootless=%.20s is not implemented", rootless);
		return err_class(e, ERR_UNSUPPORTED);
	}
	return 0;
}

const char *ctl_oci_root(const struct ctl_line *line)
{
	const char *root = ctl_value(line, "root");

	return root ? root : CT_STATE_DIR;
}

int ctl_oci_cache_look(const struct ctl_line *line)
{
	auto_fd int root = open(ctl_oci_root(line), O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = root < 0 ? -1 : openat(root, ".cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -EBADF : fd;
}

int ctl_oci_cache(const struct ctl_line *line)
{
	auto_fd int root = -EBADF;
	struct err why = {0};
	int fd = ctl_oci_cache_look(line);

	if (fd >= 0)
		return fd;
	root = file_mkdirs_at(AT_FDCWD, ctl_oci_root(line), 0700, &why);
	fd = root < 0 ? root : file_mkdirs_at(root, ".cache", 0700, &why);
	if (fd < 0) {
		log_warn("compiled filters are not kept: %s", why.text);
		return -EBADF;
	}
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
	return err_hint(e, "`skep list` shows those in %s", ctl_oci_root(line));
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
