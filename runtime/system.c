// SPDX-License-Identifier: GPL-2.0-only
/* System containers: found, opened, walked, turned into what the engine executes. */
#include "runtime/system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "runtime/compile.h"
#include "runtime/own_disk.h"
#include "runtime/system_dir.h"
#include "storage/template.h"

#define BUNDLE_FILE "config.json"

void ct_system_close(struct ct_system *s)
{
	own_close_fd(&s->dir);
	own_close_fd(&s->lock);
}

static int no_such(const char *name, const struct ct_host *h, struct err *e)
{
	err_set(e, ENOENT, "there is no container %s in %s", name, h->root);
	return err_class(e, ERR_NO_SUCH_CT);
}

/* What cannot be opened as a container, and why. */
static int judge(enum ct_dir_kind kind, const char *name, const struct ct_host *h, struct err *e)
{
	switch (kind) {
	case CT_DIR_CONTAINER:
		return 0;
	case CT_DIR_INCOMING:
		err_set(e, EBUSY,
			"container %s is being received, or its migration was interrupted", name);
		err_hint(
			e,
			"finish it, here or on the other host: skepctl migrate %s --continue, or --abort",
			name);
		return err_class(e, ERR_IN_DOUBT);
	case CT_DIR_CREATING:
		err_set(e, ENOENT, "container %s is not complete: its create works still, or died",
			name);
		err_hint(e, "skepctl destroy %s removes what a dead one left", name);
		return err_class(e, ERR_NO_SUCH_CT);
	case CT_DIR_REMNANT:
		break;
	}
	return no_such(name, h, e);
}

static int load(struct ct_system *s, const char *name, struct err *e)
{
	if (ct_definition_load(s->dir, &s->d, e) < 0)
		return err_wrap(e, "container %s", name);
	if (strcmp(s->d.name, name) != 0) {
		err_set(e, EINVAL, "container %s: its definition is that of %s", name, s->d.name);
		return err_class(e, ERR_CONFIG);
	}
	return 0;
}

static void load_to_end(struct ct_system *s, const char *name, struct err *e)
{
	if (load(s, name, e) >= 0 || e->class != ERR_CONFIG)
		return;
	log_warn("%s; it is ended without", e->text);
	err_clear(e);
	s->d = (struct ct_definition){.stop_timeout_s = -1};
	snprintf(s->d.name, sizeof(s->d.name), "%s", name);
}

static int open_system(const struct ct_host *h, const char *name, const char *verb, bool to_end,
		       struct ct_system *s, struct err *e)
{
	auto_fd int containers = -EBADF;

	*s = (struct ct_system)CT_SYSTEM_INIT;
	s->host = h;
	containers = ct_dir_parent(h, name, e);
	if (containers < 0)
		return containers;
	/* First without the lock: what is no container is refused at once, not after waiting for its creator. */
	s->dir = ct_dir_open(containers, name, false, NULL, 0, NULL, e);
	if (s->dir >= 0 && judge(ct_dir_kind(s->dir), name, h, e) >= 0 && verb) {
		own_close_fd(&s->dir);
		s->dir = ct_dir_open(containers, name, false, verb, CT_LOCK_WAIT_MS, &s->lock, e);
		if (s->dir >= 0)
			judge(ct_dir_kind(s->dir), name, h, e);
	}
	if (s->dir < 0 && !e->no)
		no_such(name, h, e);
	if (!e->no && to_end)
		load_to_end(s, name, e);
	else if (!e->no)
		load(s, name, e);
	if (e->no)
		ct_system_close(s);
	return -e->no;
}

int ct_system_open(const struct ct_host *h, const char *name, const char *verb, struct ct_system *s,
		   struct err *e)
{
	return open_system(h, name, verb, false, s, e);
}

int ct_system_open_to_end(const struct ct_host *h, const char *name, const char *verb,
			  struct ct_system *s, struct err *e)
{
	return open_system(h, name, verb, true, s, e);
}

static char **layer_paths(const struct ct_system *s)
{
	char **list = calloc(2, sizeof(*list));

	if (list && asprintf(&list[0], "%s/templates/%s/rootfs", s->host->root, s->d.template) < 0)
		list[0] = NULL;
	return list;
}

/* The bundle of a definition, as JSON. */
static int compile(struct ct_system *s, json_t **out, struct err *e)
{
	const char *init_env[ST_TEMPLATE_ENV_MAX + 1] = {NULL};
	auto_fd int templates = ct_host_templates(s->host, e);
	auto_fd int root = -EBADF;
	struct cg_limits limits = s->d.limits;
	struct st_template info;
	char **lower;
	int r;

	if (templates < 0)
		return templates;
	if (ct_own_disk(s->dir, &limits, e) < 0)
		return -e->no;
	root = st_template_open(templates, s->d.template, &info, e);
	if (root < 0)
		return root;
	for (int i = 0; i < ST_TEMPLATE_ENV_MAX && info.init_env[i][0]; i++)
		init_env[i] = info.init_env[i];
	lower = layer_paths(s);
	if (lower && lower[0]) {
		const struct ct_compile how = {.root = s->host->root,
					       .state = s->host->state,
					       .lower = (const char *const *)lower,
					       .init_path = info.init_path,
					       .stop_signal = info.stop_signal,
					       .init_env = init_env,
					       .limits = &limits};

		r = ct_compile(&s->d, &how, out, e);
	} else {
		r = err_set(e, ENOMEM, "out of memory");
	}
	if (lower)
		free(lower[0]);
	free(lower);
	return r;
}

int ct_system_spec(struct ct_system *s, struct ct_spec *spec, struct err *e)
{
	auto_json json_t *config = NULL;
	auto_free char *text = NULL;
	char bundle[PATH_MAX];

	if (compile(s, &config, e) < 0)
		return err_wrap(e, "container %s", s->d.name);
	text = json_dumps(config, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	if (!text)
		return err_set(e, ENOMEM, "container %s: write its bundle: out of memory",
			       s->d.name);
	/* For people and OCI tools; what is executed is the one in memory. It is made anew at each start. */
	if (file_replace_volatile_at(s->dir, BUNDLE_FILE, text, strlen(text), 0600, e) < 0)
		return err_wrap(e, "container %s", s->d.name);
	snprintf(bundle, sizeof(bundle), "%s/ct/%s", s->host->root, s->d.name);
	if (ct_spec_from_json(config, bundle, spec, e) < 0)
		return err_wrap(e, "container %s", s->d.name);
	return 0;
}

static int is_container(const struct dirent *d)
{
	return path_name_ok(d->d_name) && (d->d_type == DT_DIR || d->d_type == DT_UNKNOWN);
}

static int visit(const struct ct_host *h, int containers, const char *name,
		 int (*fn)(struct ct_system *s, const struct err *broken, void *arg, struct err *e),
		 void *arg, struct err *e)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	struct err broken = {0};
	enum ct_dir_kind kind;

	s.host = h;
	s.dir = ct_dir_open(containers, name, false, NULL, 0, NULL, &broken);
	if (s.dir >= 0 && ct_dir_load(s.dir, &kind, &s.d, &broken) >= 0 && kind < CT_DIR_INCOMING)
		return 0;
	if (s.dir < 0 && !broken.no)
		return 0;
	/* It may have become a container, or have gone, while we looked. */
	if (broken.no == ENOENT)
		return 0;
	if (broken.no)
		memset(&s.d, 0, sizeof(s.d));
	snprintf(s.d.name, sizeof(s.d.name), "%s", name);
	return fn(&s, broken.no ? &broken : NULL, arg, e);
}

int ct_system_each(const struct ct_host *h,
		   int (*fn)(struct ct_system *s, const struct err *broken, void *arg,
			     struct err *e),
		   void *arg, struct err *e)
{
	auto_fd int containers = ct_host_containers(h, e);
	struct dirent **found = NULL;
	int count, r = 0;

	if (containers < 0)
		return containers;
	count = scandirat(containers, ".", &found, is_container, versionsort);
	if (count < 0)
		return err_sys(e, "read the containers' directory");
	for (int i = 0; i < count; i++) {
		if (r >= 0)
			r = visit(h, containers, found[i]->d_name, fn, arg, e);
		free(found[i]);
	}
	free(found);
	return r < 0 ? r : 0;
}

int ct_system_sweep(const struct ct_host *h, struct err *e)
{
	auto_fd int containers = ct_host_containers(h, e);

	return containers < 0 ? containers : ct_dir_sweep(h, containers, NULL, e);
}

struct use {
	const char *template;
	char *who;
	size_t who_size;
};

/* Also by one that is just being made: visit() leaves those out, and a remnant is swept before. */
static int uses(int containers, const char *name, const struct use *use, struct err *e)
{
	auto_fd int dir = ct_dir_open(containers, name, false, NULL, 0, NULL, e);
	struct ct_definition d;
	struct err broken = {0};
	enum ct_dir_kind kind;

	if (dir < 0)
		return e->no ? -e->no : 0;
	/* One that cannot be read may use it. */
	if (ct_dir_load(dir, &kind, &d, &broken) < 0 && broken.no != ENOENT)
		return err_set(e, broken.no, "container %s may use template %s: %s", name,
			       use->template, broken.text);
	if (broken.no || kind == CT_DIR_REMNANT || strcmp(d.template, use->template) != 0)
		return 0;
	snprintf(use->who, use->who_size, "%s", name);
	return 1;
}

int ct_system_template_used(const char *name, char *who, size_t who_size, void *arg, struct err *e)
{
	const struct ct_host *h = arg;
	const struct use use = {name, who, who_size};
	auto_fd int containers = ct_host_containers(h, e);
	auto_fd int again = -EBADF;
	auto_dir DIR *d = NULL;
	struct dirent *entry;

	if (containers < 0 || ct_dir_sweep(h, containers, NULL, e) < 0)
		return -e->no;
	again = openat(containers, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = again >= 0 ? fdopendir(again) : NULL;
	if (!d)
		return err_sys(e, "read the containers' directory");
	take_fd(&again);
	while ((entry = readdir(d))) {
		int r = is_container(entry) ? uses(containers, entry->d_name, &use, e) : 0;

		if (r)
			return r;
	}
	return 0;
}
