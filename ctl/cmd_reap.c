// SPDX-License-Identifier: GPL-2.0-only
/* skepctl reap: clean up after a container that ended; what its monitor becomes at the end. */
#include "base/err.h"
#include "ctl/skepctl.h"
#include "ctl/target.h"

static int run(struct ctl_line *line, struct err *e)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	struct ct_host h;

	if (ctl_host(line, &h, e) < 0 || ctl_system(&h, line->words[0], "reap", &s, e) < 0)
		return -e->no;
	return ct_system_reap(&s, e);
}

const struct ctl_command ctl_cmd_reap = {
	.name = "reap",
	.words = "NAME",
	.summary = "clean up after a container that ended; its monitor does this",
	.examples = {"skepctl reap 101"},
	.least = 1,
	.most = 1,
	.run = run,
	.hidden = true,
};
