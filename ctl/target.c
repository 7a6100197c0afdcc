// SPDX-License-Identifier: GPL-2.0-only
/* Finding what a command line points at, and what it may have meant. */
#include "ctl/target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "checkpoint/journal.h"
#include "checkpoint/life.h"
#include "checkpoint/progress.h"
#include "ctl/nearest.h"
#include "runtime/system_doubt.h"
#include "storage/template.h"

int ctl_host(const struct ctl_line *line, struct ct_host *h, struct err *e)
{
	memset(h, 0, sizeof(*h));
	if (ct_host_init(h, ctl_value(line, "root"), ctl_value(line, "state"), e) < 0)
		return -e->no;
	h->best_effort = ctl_flag(line, "best-effort");
	return 0;
}

/* The nearest of the containers' directories; "" if none is near. */
static void nearest_container(const struct ct_host *h, const char *name, char *out, size_t size)
{
	struct err ignored = {0};
	int dir = ct_host_containers(h, &ignored);
	auto_dir DIR *d = dir >= 0 ? fdopendir(dir) : NULL;
	int distance = ctl_too_far(name);
	const struct dirent *entry;

	out[0] = '\0';
	if (!d && dir >= 0)
		close(dir);
	while (d && (entry = readdir(d))) {
		const char *best = NULL;

		/* One of that very name is the remains of one that was never finished. */
		if (!path_name_ok(entry->d_name) || strcmp(entry->d_name, name) == 0)
			continue;
		ctl_nearest(name, entry->d_name, &best, &distance);
		if (best)
			snprintf(out, size, "%s", best);
	}
}

static int no_such_container(const struct ct_host *h, const char *name, struct err *e)
{
	char near[65];

	nearest_container(h, name, near, sizeof(near));
	if (near[0])
		return err_hint(e, "did you mean %s? (skepctl list shows all)", near);
	return err_hint(e, "skepctl list shows what there is");
}

/* Who has the lock of one that is being moved is at it for long, and can be asked how far it is. */
static int locked(const struct ct_host *h, const char *name, struct err *e)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	auto_json json_t *progress = NULL;
	struct err ignored = {0};
	struct cr_journal j;
	char holder[64];
	int pid;

	if (ct_system_open(h, name, NULL, &s, &ignored) < 0 ||
	    cr_journal_load(s.dir, &j, &ignored) <= 0 || j.point != CR_POINT_STARTED ||
	    cr_progress_read(s.dir, &progress, &ignored) <= 0)
		return -e->no;
	/* What a dead one left may name somebody else's pid by now: it must be the lock's holder. */
	pid = (int)json_integer_value(json_object_get(progress, "pid"));
	snprintf(holder, sizeof(holder), "pid %d (migrate)", pid);
	if (pid <= 0 || !strstr(e->text, holder))
		return -e->no;
	e->hint[0] = '\0';
	return err_hint(e, "`skepctl migrate %s --status` shows how far it is; `kill %d` undoes it",
			name, pid);
}

/* Of a migration that is over nobody is to hear: it would be "not finished" as soon as the container stops, and nobody would start it again when it reboots itself, or the host does. */
static int settled(struct ct_system *s, const char *verb, struct err *e)
{
	bool starting;

	if (!verb || !strcmp(verb, "migrate"))
		return 0;
	starting = !strcmp(verb, "start") || !strcmp(verb, "restart") ||
		   (!strcmp(verb, "reap") && ct_system_rebooted(s));
	return cr_life_settle(s, starting, e);
}

int ctl_system_to_end(const struct ct_host *h, const char *name, const char *verb,
		      struct ct_system *s, struct err *e)
{
	if (path_name_check("container", name, e) < 0)
		return -e->no;
	if (ct_system_open_to_end(h, name, verb, s, e) >= 0) {
		/* Its end does not hang on that. */
		if (settled(s, verb, e) < 0)
			log_warn("%s: %s", name, e->text);
		err_clear(e);
		return 0;
	}
	if (e->class == ERR_LOCKED)
		return locked(h, name, e);
	return e->class == ERR_NO_SUCH_CT ? no_such_container(h, name, e) : -e->no;
}

int ctl_system(const struct ct_host *h, const char *name, const char *verb, struct ct_system *s,
	       struct err *e)
{
	if (path_name_check("container", name, e) < 0)
		return -e->no;
	if (ct_system_open(h, name, verb, s, e) >= 0)
		return settled(s, verb, e);
	if (e->class == ERR_NO_SUCH_CT)
		no_such_container(h, name, e);
	if (e->class == ERR_LOCKED)
		locked(h, name, e);
	if (e->class == ERR_CONFIG)
		err_hint(e, "put %s/ct/%s/" CT_DEFINITION_FILE " right, or destroy it", h->root,
			 name);
	return -e->no;
}

int ctl_system_missing(const struct ct_host *h, const char *name, struct err *e)
{
	auto_fd int dir = -EBADF;
	struct stat st;

	if (path_name_check("container", name, e) < 0)
		return -e->no;
	dir = ct_host_containers(h, e);
	if (dir < 0)
		return -e->no;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
		return 0;
	err_set(e, ENOENT, "there is no container %s", name);
	err_class(e, ERR_NO_SUCH_CT);
	return no_such_container(h, name, e);
}

int ctl_template_hint(const struct ct_host *h, const char *name, struct err *e)
{
	struct err ignored = {0};
	auto_fd int templates = ct_host_templates(h, &ignored);
	auto_free struct st_template *list = NULL;
	int count = templates < 0 ? 0 : st_template_list(templates, &list, &ignored);
	int distance = ctl_too_far(name);
	const char *best = NULL;

	for (int i = 0; i < count; i++)
		ctl_nearest(name, list[i].name, &best, &distance);
	if (best)
		return err_hint(e, "did you mean %s? (skepctl template list shows all)", best);
	if (count > 0)
		return err_hint(e, "skepctl template list shows what there is");
	return err_hint(e, "there is none yet: make one with skepctl template build busybox");
}

int ctl_template_lost(struct err *e)
{
	return err_hint(e, "its own files are there still: make or import that template again, "
			   "under that name");
}

static int open_runtime(const struct ct_system *s, const char *verb, struct ct *ct, struct err *e)
{
	if (ct_open(s->host->state, s->d.name, verb, ct, e) >= 0)
		return 1;
	if (e->class != ERR_NO_SUCH_CT)
		return -e->no;
	err_clear(e);
	return 0;
}

int ctl_refuse_moving(const struct ct_system *s, struct err *e)
{
	err_clear(e);
	ct_dir_in_doubt(s->dir, s->d.name, e);
	e->class = ERR_NOT_RUNNING;
	return -e->no;
}

static int refuse_stopped(const struct ct_system *s, struct err *e)
{
	enum ct_system_status status = CT_SYSTEM_STOPPED;
	struct err ignored = {0};

	ct_system_status(s, &status, &ignored);
	if (status == CT_SYSTEM_MIGRATING || status == CT_SYSTEM_MOVED)
		return ctl_refuse_moving(s, e);
	if (status == CT_SYSTEM_STOPPED || status == CT_SYSTEM_BROKEN)
		err_set(e, ESRCH, "it is not running");
	else
		err_set(e, ESRCH, "it is not running but %s", ct_system_status_to_str(status));
	err_hint(e, "skepctl %s %s", status == CT_SYSTEM_SUSPENDED ? "resume" : "start", s->d.name);
	return err_class(e, ERR_NOT_RUNNING);
}

int ctl_runtime_explain(const struct ct_system *s, struct err *e)
{
	enum ct_system_status status;
	struct err ignored = {0};

	if (e->class != ERR_NOT_RUNNING || ct_system_status(s, &status, &ignored) < 0)
		return -e->no;
	if (status == CT_SYSTEM_MIGRATING)
		return ctl_refuse_moving(s, e);
	if (status != CT_SYSTEM_SUSPENDED)
		return -e->no;
	err_clear(e);
	return refuse_stopped(s, e);
}

int ctl_runtime(const struct ct_system *s, struct ct *ct, struct err *e)
{
	return open_runtime(s, NULL, ct, e);
}

int ctl_runtime_running(const struct ct_system *s, struct ct *ct, struct err *e)
{
	int r = open_runtime(s, NULL, ct, e);

	return r ? r : refuse_stopped(s, e);
}

int ctl_runtime_lock(const struct ct_system *s, const char *verb, struct ct *ct, struct err *e)
{
	int r = open_runtime(s, verb, ct, e);

	return r ? r : refuse_stopped(s, e);
}
