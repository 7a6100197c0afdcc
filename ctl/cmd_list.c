// SPDX-License-Identifier: GPL-2.0-only
/* skepctl list: one line a container, in chosen columns. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "ctl/columns.h"
#include "ctl/row.h"
#include "ctl/skepctl.h"
#include "ctl/target.h"

struct walk {
	const struct ctl_line *line;
	struct ctl_table *table;
};

static bool is_wanted(const struct ctl_line *line, const char *name, enum ct_system_status status)
{
	bool named = !line->nwords;

	for (int i = 0; i < line->nwords && !named; i++)
		named = strcmp(line->words[i], name) == 0;
	if (ctl_flag(line, "running") && status != CT_SYSTEM_RUNNING)
		return false;
	if (ctl_flag(line, "stopped") && status != CT_SYSTEM_STOPPED)
		return false;
	return named;
}

static int add(struct ct_system *s, const struct err *broken, void *arg, struct err *e)
{
	struct walk *w = arg;
	enum ct_system_status status = CT_SYSTEM_BROKEN;
	struct err why = {0};
	struct ctl_row *row;

	/* One that cannot be judged is a line of its own, not the end of the list. */
	if (!broken && ct_system_status(s, &status, &why) < 0)
		status = CT_SYSTEM_BROKEN;
	if (!is_wanted(w->line, s->d.name, status))
		return 0;
	row = ctl_table_add(w->table);
	if (!row)
		return err_set(e, ENOMEM, "out of memory for the list");
	ctl_row_fill(row, s, status, broken, w->table);
	return 0;
}

/* A name that was asked for and is not there is a failure, though the others are shown. */
static int check_names(const struct ctl_line *line, const struct ct_host *h, struct err *e)
{
	for (int i = 0; i < line->nwords; i++)
		if (ctl_system_missing(h, line->words[i], e) < 0)
			return -e->no;
	return 0;
}

static int print_json(const struct ctl_table *t, struct err *e)
{
	auto_json json_t *j = ctl_table_to_json(t);

	if (!j)
		return err_set(e, ENOMEM, "out of memory for JSON");
	json_dumpf(j, stdout, JSON_INDENT(2));
	putchar('\n');
	return 0;
}

static int explain_columns(void)
{
	for (int c = 0; c < CTL_COLUMN_COUNT; c++)
		printf("%-12s  %s\n", ctl_column_name((enum ctl_column)c),
		       ctl_column_meaning((enum ctl_column)c));
	return 0;
}

static int run(struct ctl_line *line, struct err *e)
{
	auto_table struct ctl_table t = {0};
	struct walk w = {.line = line, .table = &t};
	const char *names = ctl_flag(line, "names") ? "name" : ctl_value(line, "output");
	bool header = !ctl_flag(line, "no-header") && !ctl_flag(line, "names");
	struct ct_host h;

	if (ctl_flag(line, "columns"))
		return explain_columns();
	if (ctl_host(line, &h, e) < 0 || ctl_table_init(&t, names, ctl_value(line, "sort"), e) < 0)
		return -e->no;
	if (check_names(line, &h, e) < 0 || ct_system_each(&h, add, &w, e) < 0)
		return -e->no;
	ctl_table_sort(&t);
	if (ctl_flag(line, "json"))
		return print_json(&t, e);
	if (!t.n_rows && header) {
		if (ctl_flag(line, "running") || ctl_flag(line, "stopped"))
			fprintf(stderr, "None of that kind; skepctl list shows all.\n");
		else
			fprintf(stderr, "There are no containers yet. `skepctl create NAME "
					"--template TEMPLATE` makes one.\n");
		return 0;
	}
	ctl_table_print(&t, header, stdout);
	return 0;
}

static const struct ctl_option options[] = {
	{.name = "output",
	 .letter = 'o',
	 .arg = "COLUMNS",
	 .help = "these columns: name,status,ip,... (--columns explains them)"},
	{.name = "sort",
	 .letter = 's',
	 .arg = "COLUMN",
	 .help = "in the order of that column; -COLUMN the other way round"},
	{.name = "no-header", .letter = 'H', .help = "without the line of titles"},
	{.name = "json", .letter = 'j', .help = "as JSON; sizes in bytes, times in seconds"},
	{.name = "names", .letter = '1', .help = "only the names, one a line"},
	{.name = "running", .help = "only those that run"},
	{.name = "stopped", .letter = 'S', .help = "only those that are stopped"},
	{.name = "columns", .letter = 'L', .help = "what columns there are"},
	{.name = "all", .letter = 'a'}, /* vzlist's habit: all are shown anyway */
	{0},
};
static const struct ctl_option *const tables[] = {options, NULL};

const struct ctl_command ctl_cmd_list = {
	.name = "list",
	.also = "ls",
	.words = "[NAME...]",
	.summary = "show the containers",
	.examples =
		{"skepctl list", "skepctl list -o name,memory,cpus,uptime -s -uptime",
		 "skepctl list --json | jq -r '.containers[] | select(.status == \"running\").name'"},
	.tables = tables,
	.most = -1,
	.run = run,
};
