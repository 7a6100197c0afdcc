// SPDX-License-Identifier: GPL-2.0-only
/* skepctl stop: shut containers down. */
#include "base/err.h"
#include "ctl/names.h"
#include "ctl/report.h"
#include "ctl/skepctl.h"
#include "ctl/stop_options.h"
#include "ctl/target.h"

static int stop(struct ctl_line *line, const struct ct_host *h, const char *name, struct err *e)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	bool killed = ctl_flag(line, "kill") && ct_system_hasten(h, name);

	if (ctl_system_to_end(h, name, "stop", &s, e) < 0)
		return -e->no;
	if (ctl_stop(line, &s, e) < 0 && !(killed && e->class == ERR_NOT_RUNNING))
		return -e->no;
	err_clear(e);
	ctl_done(line, name, "stopped");
	return 0;
}

static int run(struct ctl_line *line, struct err *e)
{
	return ctl_each_name_down(line, stop, ERR_NOT_RUNNING, e);
}

static const struct ctl_option options[] = {CTL_OPTION_ALL, {0}};
static const struct ctl_option *const tables[] = {ctl_stop_options, options, NULL};

const struct ctl_command ctl_cmd_stop = {
	.name = "stop",
	.words = "NAME...",
	.summary = "shut containers down, by force when they take too long",
	.examples = {"skepctl stop 101", "skepctl stop --timeout 5 web",
		     "skepctl stop --kill --all"},
	.tables = tables,
	.most = -1,
	.run = run,
};
