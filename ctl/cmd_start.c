// SPDX-License-Identifier: GPL-2.0-only
/* skepctl start: boot containers. */
#include "base/err.h"
#include "ctl/names.h"
#include "ctl/report.h"
#include "ctl/skepctl.h"
#include "ctl/target.h"

static int start(struct ctl_line *line, const struct ct_host *h, const char *name, struct err *e)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;

	if (ctl_system(h, name, "start", &s, e) < 0)
		return -e->no;
	if (ct_system_start(&s, e) < 0)
		return e->class == ERR_NO_TEMPLATE ? ctl_template_lost(e) : -e->no;
	ctl_done(line, name, "started");
	return 0;
}

static int run(struct ctl_line *line, struct err *e)
{
	return ctl_each_name(line, start, ERR_RUNNING, e);
}

static const struct ctl_option options[] = {
	CTL_OPTION_ALL,
	{.name = "boot", .help = "those with --autostart yes, lower --order first"},
	{0},
};
static const struct ctl_option *const tables[] = {options, NULL};

const struct ctl_command ctl_cmd_start = {
	.name = "start",
	.words = "NAME...",
	.summary = "boot containers",
	.examples = {"skepctl start 101", "skepctl start web db", "skepctl start --boot"},
	.tables = tables,
	.most = -1,
	.run = run,
};
