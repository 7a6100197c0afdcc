// SPDX-License-Identifier: GPL-2.0-only
/* skepctl suspend: a container to disk, with all its processes and connections. */
#include <inttypes.h>

#include "base/err.h"
#include "checkpoint/suspend.h"
#include "ctl/names.h"
#include "ctl/report.h"
#include "ctl/skepctl.h"
#include "ctl/target.h"

#define NS_PER_MS 1000000

static int suspend(struct ctl_line *line, const struct ct_host *h, const char *name, struct err *e)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	uint64_t frozen_ns = 0;
	const struct cr_suspend how = {.keep_running = ctl_flag(line, "keep-running"),
				       .frozen_ns = &frozen_ns};

	if (ctl_system(h, name, "suspend", &s, e) < 0 || cr_suspend(&s, &how, e) < 0)
		return -e->no;
	if (how.keep_running)
		ctl_done(line, name, "images made, it stood still for %" PRIu64 " ms",
			 frozen_ns / NS_PER_MS);
	else
		ctl_done(line, name, "suspended");
	return 0;
}

static int run(struct ctl_line *line, struct err *e)
{
	return ctl_each_name(line, suspend, ERR_NOT_RUNNING, e);
}

static const struct ctl_option options[] = {
	{.name = "keep-running", .help = "only make the images; it goes on"},
	CTL_OPTION_ALL,
	{0},
};
static const struct ctl_option *const tables[] = {options, NULL};

const struct ctl_command ctl_cmd_suspend = {
	.name = "suspend",
	.also = "chkpnt",
	.words = "NAME...",
	.summary = "save running containers to disk and end them; resume brings them back",
	.examples = {"skepctl suspend 101", "skepctl resume 101"},
	.tables = tables,
	.most = -1,
	.run = run,
};
