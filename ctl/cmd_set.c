// SPDX-License-Identifier: GPL-2.0-only
/* skepctl set: change a container, running or not, and say what changed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "ctl/definition_options.h"
#include "ctl/report.h"
#include "ctl/row.h"
#include "ctl/skepctl.h"
#include "ctl/target.h"

/* "memory 512M -> 1G, cpus - -> 1.5": what differs, as `list` would show it. */
static void describe(const struct ct_definition *old, const struct ct_definition *new, char *text,
		     size_t size)
{
	struct ctl_row before = {0}, after = {0};
	char a[CTL_CELL], b[CTL_CELL];
	size_t used = 0;

	ctl_row_fill_definition(&before, old);
	ctl_row_fill_definition(&after, new);
	text[0] = '\0';
	for (int i = 0; i < CTL_COLUMN_COUNT && used < size; i++) {
		enum ctl_column c = (enum ctl_column)i;

		if (strcmp(ctl_row_cell(&before, c, a), ctl_row_cell(&after, c, b)) != 0)
			used += (size_t)snprintf(text + used, size - used, "%s%s %s -> %s",
						 used ? ", " : "", ctl_column_name(c), a, b);
	}
}

/* As far as their files would say: padding between members means nothing. */
static bool is_same(const struct ct_definition *a, const struct ct_definition *b)
{
	auto_json json_t *ja = NULL;
	auto_json json_t *jb = NULL;
	struct err ignored = {0};

	return ct_definition_to_json(a, &ja, &ignored) >= 0 &&
	       ct_definition_to_json(b, &jb, &ignored) >= 0 && json_equal(ja, jb);
}

/* What a running one takes no notice of yet. A suspended one takes none of anything. */
static void say_when(const struct ct_definition *old, const struct ct_definition *new, char *text,
		     size_t size)
{
	char names[128];

	ct_system_waits(old, new, names, sizeof(names));
	if (names[0])
		snprintf(text, size, " (%s: from its next start)", names);
	else
		snprintf(text, size, " (not all of it before its next start)");
}

static int nothing(const struct ctl_line *line, struct err *e)
{
	err_set(e, EINVAL, "set: what is to be changed?");
	err_class(e, ERR_USAGE);
	return err_hint(e, "for example: skepctl set %s --memory 512M", line->words[0]);
}

static int run(struct ctl_line *line, struct err *e)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	struct ct_definition old;
	char changes[2 * CTL_CELL], when[192] = "";
	struct ct_host h;
	int r;

	if (ctl_host(line, &h, e) < 0 || ctl_system(&h, line->words[0], "set", &s, e) < 0)
		return -e->no;
	old = s.d;
	r = ctl_definition_apply(line, &h.conf, false, &s.d, e);
	if (r == 0)
		return nothing(line, e);
	if (r > 0)
		r = ct_system_set(&s, &old, e);
	if (r < 0)
		return r;
	describe(&old, &s.d, changes, sizeof(changes));
	if (r == 1)
		say_when(&old, &s.d, when, sizeof(when));
	if (is_same(&old, &s.d))
		ctl_done(line, s.d.name, "is so already");
	else
		ctl_done(line, s.d.name, "set%s%s%s", *changes ? ": " : "", changes, when);
	return 0;
}

/* vzctl's --save: here what is set is always kept. */
static const struct ctl_option options[] = {{.name = "save"}, {0}};
static const struct ctl_option *const tables[] = {ctl_definition_options, options, NULL};

const struct ctl_command ctl_cmd_set = {
	.name = "set",
	.words = "NAME",
	.summary = "change limits and settings, at once when it runs, and for good",
	.examples = {"skepctl set 101 --memory 1G --cpus 2",
		     "skepctl set 101 --cpuunits 2000 --ram 512M --swap 1G",
		     "skepctl set web --ipadd 10.209.0.11 --autostart yes"},
	.tables = tables,
	.least = 1,
	.most = 1,
	.run = run,
};
