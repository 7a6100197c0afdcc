// SPDX-License-Identifier: GPL-2.0-only
/* skepctl stat: what containers use, and how often they ran into their limits. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "ctl/figures.h"
#include "ctl/skepctl.h"
#include "ctl/target.h"

#define JSON_VERSION 1

struct walk {
	bool all; /* without names: those that run */
	bool json;
	json_t *list;
	int shown;
};

/* One that is being moved has its processes here until the other host has it. */
static bool has_processes(const struct ct_system *s, enum ct_system_status status)
{
	auto_ct struct ct ct = CT_INIT;
	struct err ignored = {0};
	enum ct_status engine;

	if (status != CT_SYSTEM_MIGRATING)
		return status == CT_SYSTEM_RUNNING || status == CT_SYSTEM_PAUSED;
	return ctl_runtime(s, &ct, &ignored) > 0 && ct_status(&ct, &engine, &ignored) >= 0 &&
	       (engine == CT_RUNNING || engine == CT_PAUSED);
}

static int show(const struct ct_system *s, struct walk *w, struct err *e)
{
	enum ct_system_status status;
	struct ctl_figures f;
	json_t *j;

	if (ct_system_status(s, &status, e) < 0)
		return -e->no;
	if (!has_processes(s, status)) {
		if (w->all)
			return 0;
		if (status == CT_SYSTEM_MIGRATING || status == CT_SYSTEM_MOVED)
			return ctl_refuse_moving(s, e);
		err_set(e, ESRCH, "container %s is %s: there is nothing to count", s->d.name,
			ct_system_status_to_str(status));
		err_hint(e, "skepctl start %s", s->d.name);
		return err_class(e, ERR_NOT_RUNNING);
	}
	if (ctl_figures_read(&f, s, status, e) < 0)
		return -e->no;
	if (!w->json) {
		printf("%s", w->shown++ ? "\n" : "");
		ctl_figures_print(&f, stdout);
		return 0;
	}
	j = ctl_figures_to_json(&f);
	if (!j || json_array_append_new(w->list, j) < 0)
		return err_set(e, ENOMEM, "out of memory for JSON");
	return 0;
}

/* One that ended between two looks is left out. */
static int show_each(struct ct_system *s, const struct err *broken, void *arg, struct err *e)
{
	int r = broken ? 0 : show(s, arg, e);

	if (r < 0 && e->class == ERR_NOT_RUNNING) {
		err_clear(e);
		return 0;
	}
	return r;
}

static int show_named(const struct ct_host *h, const char *name, struct walk *w, struct err *e)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;

	return ctl_system(h, name, NULL, &s, e) < 0 ? -e->no : show(&s, w, e);
}

static int print_list(const struct walk *w, struct err *e)
{
	auto_json json_t *all =
		json_pack("{s:i, s:O}", "version", JSON_VERSION, "containers", w->list);

	if (!all)
		return err_set(e, ENOMEM, "out of memory for JSON");
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	return 0;
}

static int run(struct ctl_line *line, struct err *e)
{
	auto_json json_t *list = json_array();
	struct walk w = {.all = !line->nwords, .json = ctl_flag(line, "json"), .list = list};
	struct ct_host h;
	int r = ctl_host(line, &h, e);

	if (r >= 0 && w.all)
		r = ct_system_each(&h, show_each, &w, e);
	for (int i = 0; r >= 0 && i < line->nwords; i++)
		r = show_named(&h, line->words[i], &w, e);
	if (r < 0)
		return r;
	if (w.json)
		return print_list(&w, e);
	if (!w.shown)
		fprintf(stderr, "No container is running.\n");
	return 0;
}

static const struct ctl_option options[] = {
	{.name = "json",
	 .letter = 'j',
	 .help = "as JSON: bytes, microseconds, counts; null where the host has no number"},
	{0},
};
static const struct ctl_option *const tables[] = {options, NULL};

const struct ctl_command ctl_cmd_stat = {
	.name = "stat",
	.words = "[NAME...]",
	.summary = "show what running containers use, and how often they hit their limits",
	.examples = {"skepctl stat", "skepctl stat 101",
		     "skepctl stat --json 101 | jq '.containers[0].oom_kill'"},
	.tables = tables,
	.most = -1,
	.run = run,
};
