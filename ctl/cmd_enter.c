// SPDX-License-Identifier: GPL-2.0-only
/* skepctl enter: a shell in a running container. */
#include "base/err.h"
#include "base/own.h"
#include "ctl/session.h"
#include "ctl/skepctl.h"
#include "ctl/target.h"

/* bash where there is one; every container with a shell at all has sh. */
static int run(struct ctl_line *line, struct err *e)
{
	static char bash[] = "/bin/bash", sh[] = "/bin/sh", login[] = "-l";
	char *const shells[] = {bash, sh};
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	struct ct_host h;
	int r = -1;

	if (ctl_host(line, &h, e) < 0 || ctl_system(&h, line->words[0], NULL, &s, e) < 0)
		return -e->no;
	for (size_t i = 0; i < ARRAY_SIZE(shells); i++) {
		char *args[] = {shells[i], login, NULL};

		if (e->class == ERR_NOT_FOUND)
			err_clear(e);
		r = ctl_session(line, &s, args, e);
		if (r >= 0 || e->class != ERR_NOT_FOUND)
			break;
	}
	if (r < 0 && e->class == ERR_NOT_FOUND)
		err_hint(e, "it has no shell: skepctl exec %s PROGRAM runs what it has",
			 line->words[0]);
	return r;
}

static const struct ctl_option *const tables[] = {ctl_session_options, NULL};

const struct ctl_command ctl_cmd_enter = {
	.name = "enter",
	.words = "NAME",
	.summary = "open a shell in a running container",
	.examples = {"skepctl enter 101", "skepctl enter --user postgres db"},
	.tables = tables,
	.least = 1,
	.most = 1,
	.run = run,
};
