// SPDX-License-Identifier: GPL-2.0-only
/* skepctl pause: all processes of a container stand still, in memory. */
#include <errno.h>

#include "base/err.h"
#include "ctl/names.h"
#include "ctl/report.h"
#include "ctl/skepctl.h"
#include "ctl/target.h"
#include "runtime/container.h"

static int pause_one(struct ctl_line *line, const struct ct_host *h, const char *name,
		     struct err *e)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	auto_ct struct ct ct = CT_INIT;

	if (ctl_system(h, name, "pause", &s, e) < 0 || ctl_runtime_lock(&s, "pause", &ct, e) < 0)
		return -e->no;
	if (ct_pause(&ct, e) < 0)
		return ctl_runtime_explain(&s, e);
	ctl_done(line, name, "paused");
	return 0;
}

static int run(struct ctl_line *line, struct err *e)
{
	return ctl_each_name(line, pause_one, ERR_NOT_RUNNING, e);
}

static const struct ctl_option options[] = {CTL_OPTION_ALL, {0}};
static const struct ctl_option *const tables[] = {options, NULL};

const struct ctl_command ctl_cmd_pause = {
	.name = "pause",
	.words = "NAME...",
	.summary = "let running containers stand still; resume lets them go on",
	.examples = {"skepctl pause 101", "skepctl resume 101"},
	.tables = tables,
	.most = -1,
	.run = run,
};
