// SPDX-License-Identifier: GPL-2.0-only
/* skepctl template: the root file systems that containers are made of. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "base/size.h"
#include "ctl/nearest.h"
#include "ctl/report.h"
#include "ctl/skepctl.h"
#include "ctl/target.h"
#include "storage/build_busybox.h"
#include "storage/build_debian.h"
#include "storage/export.h"
#include "storage/import.h"
#include "storage/template.h"

/* One of the things to be done with templates; line->words[0] is its name. */
struct deed {
	const char *name;
	const char *words; /* what follows it */
	int least, most;   /* how many of them */
	int (*run)(struct ctl_line *line, const struct ct_host *h, int templates, struct err *e);
};

static json_t *to_json(const struct st_template *t)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:s}", "name", t->name,
			 "distribution", t->distribution, "variant", t->variant, "created",
			 t->created, "size", (json_int_t)t->size_bytes, "inodes",
			 (json_int_t)t->inodes, "content", t->content_id, "init",
			 t->init_path[0] ? t->init_path : "/sbin/init", "stop_signal",
			 t->stop_signal[0] ? t->stop_signal : "SIGTERM");
}

static int print_json(const struct st_template *list, int count, struct err *e)
{
	auto_json json_t *array = json_array();
	auto_json json_t *all = NULL;

	for (int i = 0; i < count; i++)
		json_array_append_new(array, to_json(&list[i]));
	all = json_pack("{s:i, s:O}", "version", 1, "templates", array);
	if (!all)
		return err_set(e, ENOMEM, "out of memory for JSON");
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	return 0;
}

static int list_all(struct ctl_line *line, const struct ct_host *h, int templates, struct err *e)
{
	auto_free struct st_template *list = NULL;
	int count = st_template_list(templates, &list, e);
	int width = 4;
	char size[32];

	(void)h;
	if (count < 0)
		return count;
	if (ctl_flag(line, "json"))
		return print_json(list, count, e);
	if (!count) {
		fprintf(stderr, "There are no templates yet. `skepctl template build busybox` "
				"makes a tiny one.\n");
		return 0;
	}
	for (int i = 0; i < count; i++)
		width = (int)strlen(list[i].name) > width ? (int)strlen(list[i].name) : width;
	if (!ctl_flag(line, "no-header"))
		printf("%-*s  %-12s  %-8s  %8s  %s\n", width, "NAME", "DISTRIBUTION", "VARIANT",
		       "SIZE", "MADE");
	for (int i = 0; i < count; i++)
		printf("%-*s  %-12s  %-8s  %8s  %s\n", width, list[i].name,
		       list[i].distribution[0] ? list[i].distribution : "-",
		       list[i].variant[0] ? list[i].variant : "-",
		       size_to_str(list[i].size_bytes, size, sizeof(size)), list[i].created);
	return 0;
}

static void made(const struct ctl_line *line, const char *name, int templates)
{
	struct err ignored = {0};
	struct st_template t;
	auto_fd int rootfs = st_template_open(templates, name, &t, &ignored);
	char size[32];

	if (rootfs < 0)
		return;
	if (!t.init_path[0])
		log_warn("template %s has no init: its containers need --init PROGRAM", name);
	if (ctl_flag(line, "quiet"))
		return;
	printf("template %s: made, %s in %" PRIu64 " files\n", name,
	       size_to_str(t.size_bytes, size, sizeof(size)), t.inodes);
}

static int build(struct ctl_line *line, const struct ct_host *h, int templates, struct err *e)
{
	const char *kind = line->words[1], *name = line->nwords > 2 ? line->words[2] : kind;
	const struct st_debian how = {.release = kind + strlen("debian-"),
				      .systemd = ctl_flag(line, "systemd"),
				      .include = ctl_value(line, "include")};
	struct err none = {0};

	(void)h;
	if (path_name_check("template", name, e) < 0)
		return -e->no;
	if (strcmp(kind, "busybox") == 0) {
		if (st_build_busybox(templates, name, e) < 0)
			return -e->no;
	} else if (strncmp(kind, "debian-", strlen("debian-")) == 0) {
		/* One of that name is refused at once. */
		auto_fd int there = st_template_open(templates, name, NULL, &none);

		if (there < 0 && !ctl_flag(line, "quiet"))
			fprintf(stderr, "building %s: this takes minutes...\n", kind);
		if (st_build_debian(templates, name, &how, e) < 0)
			return -e->no;
	} else {
		err_set(e, EINVAL, "template build: there is no recipe for '%.64s'", kind);
		err_class(e, ERR_VALUE);
		return err_hint(e, "there are: busybox, debian-12, debian-13; anything else "
				   "comes with skepctl template import NAME FILE-OR-DIRECTORY");
	}
	made(line, name, templates);
	return 0;
}

static int import(struct ctl_line *line, const struct ct_host *h, int templates, struct err *e)
{
	const struct st_import how = {.keep_devices = ctl_flag(line, "keep-devices")};
	const char *name = line->words[1];

	(void)h;
	if (path_name_check("template", name, e) < 0 ||
	    st_import_template(templates, name, line->words[2], &how, e) < 0)
		return -e->no;
	made(line, name, templates);
	return 0;
}

static int export(struct ctl_line *line, const struct ct_host *h, int templates, struct err *e)
{
	const char *name = line->words[1], *path = line->words[2];

	if (path_name_check("template", name, e) < 0)
		return -e->no;
	if (st_export_template(templates, name, path, e) < 0)
		return e->class == ERR_NO_TEMPLATE ? ctl_template_hint(h, name, e) : -e->no;
	if (!ctl_flag(line, "quiet") && strcmp(path, "-"))
		printf("template %s: exported to %s\n", name, path);
	return 0;
}

static int remove_one(struct ctl_line *line, const struct ct_host *h, int templates, struct err *e)
{
	struct ct_host host = *h;
	const char *name = line->words[1];

	if (path_name_check("template", name, e) < 0)
		return -e->no;
	if (st_template_remove(templates, name, ct_system_template_used, &host, e) < 0) {
		if (e->class == ERR_NO_TEMPLATE)
			return ctl_template_hint(h, name, e);
		if (e->no == EBUSY)
			err_hint(e, "its containers need it: destroy them first");
		return -e->no;
	}
	if (!ctl_flag(line, "quiet"))
		printf("template %s: removed\n", name);
	return 0;
}

static const struct deed deeds[] = {
	{"list", "", 0, 0, list_all},
	{"build", "busybox|debian-12|debian-13 [NAME]", 1, 2, build},
	{"import", "NAME FILE-OR-DIRECTORY", 2, 2, import},
	{"export", "NAME FILE", 2, 2, export},
	{"remove", "NAME", 1, 1, remove_one},
};

static const struct deed *find(const char *word, struct err *e)
{
	const char *best = NULL;
	int distance = ctl_too_far(word);

	for (size_t i = 0; i < ARRAY_SIZE(deeds); i++) {
		if (strcmp(deeds[i].name, word) == 0)
			return &deeds[i];
		ctl_nearest(word, deeds[i].name, &best, &distance);
	}
	err_set(e, EINVAL, "template: there is no '%.64s'", word);
	err_class(e, ERR_USAGE);
	if (best)
		err_hint(e, "did you mean skepctl template %s?", best);
	err_hint(e, "there are: template list, build, import, export, remove");
	return NULL;
}

static int run(struct ctl_line *line, struct err *e)
{
	const struct deed *deed = find(line->words[0], e);
	auto_fd int templates = -EBADF;
	struct ct_host h;
	int n = line->nwords - 1;

	if (!deed)
		return -e->no;
	if (n < deed->least || n > deed->most) {
		err_set(e, EINVAL, "template %s takes: %s", deed->name,
			*deed->words ? deed->words : "nothing more");
		err_class(e, ERR_USAGE);
		return err_hint(e, "skepctl template --help shows examples");
	}
	if (ctl_host(line, &h, e) < 0)
		return -e->no;
	templates = ct_host_templates(&h, e);
	return templates < 0 ? templates : deed->run(line, &h, templates, e);
}

static const struct ctl_option options[] = {
	{.name = "systemd", .help = "build: a Debian that boots systemd (else a small init)"},
	{.name = "include", .arg = "PACKAGES", .help = "build: further Debian packages, a,b,c"},
	{.name = "keep-devices", .help = "import: device nodes, too"},
	{.name = "json", .letter = 'j', .help = "list: as JSON"},
	{.name = "no-header", .letter = 'H', .help = "list: without the line of titles"},
	{0},
};
static const struct ctl_option *const tables[] = {options, NULL};

const struct ctl_command ctl_cmd_template = {
	.name = "template",
	.words =
		"list | build KIND [NAME] | import NAME FILE-OR-DIRECTORY | export NAME FILE | remove NAME",
	.summary = "the root file systems that containers are made of",
	.examples =
		{"skepctl template build debian-12 web-base --systemd --include nginx,curl",
		 "skepctl template import alpine alpine-minirootfs.tar.gz",
		 "skepctl template export web-base - | ssh HOST skepctl template import web-base -"},
	.tables = tables,
	.least = 1,
	.most = 3,
	.run = run,
};
