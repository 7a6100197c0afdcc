// SPDX-License-Identifier: GPL-2.0-only
/* skepctl restart: stop, then start, under one lock. */
#include "base/err.h"
#include "ctl/names.h"
#include "ctl/report.h"
#include "ctl/skepctl.h"
#include "ctl/stop_options.h"
#include "ctl/target.h"

/* One that is named and not running is started: what the operator wants is that it runs afresh. */
static int restart(struct ctl_line *line, const struct ct_host *h, const char *name, struct err *e)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;

	if (ctl_flag(line, "kill"))
		ct_system_hasten(h, name);
	if (ctl_system(h, name, "restart", &s, e) < 0)
		return -e->no;
	if (ctl_stop(line, &s, e) < 0) {
		if (e->class != ERR_NOT_RUNNING || ctl_flag(line, "all"))
			return -e->no;
		err_clear(e);
	}
	if (ct_system_start(&s, e) < 0)
		return -e->no;
	ctl_done(line, name, "restarted");
	return 0;
}

static int run(struct ctl_line *line, struct err *e)
{
	return ctl_each_name(line, restart, ERR_NOT_RUNNING, e);
}

static const struct ctl_option options[] = {CTL_OPTION_ALL, {0}};
static const struct ctl_option *const tables[] = {ctl_stop_options, options, NULL};

const struct ctl_command ctl_cmd_restart = {
	.name = "restart",
	.words = "NAME...",
	.summary = "stop containers and start them again",
	.examples = {"skepctl restart 101", "skepctl restart --kill web"},
	.tables = tables,
	.most = -1,
	.run = run,
};
