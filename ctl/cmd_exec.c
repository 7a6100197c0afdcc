// SPDX-License-Identifier: GPL-2.0-only
/* skepctl exec: a command in a running container; its exit code is ours. */
#include <string.h>

#include "base/err.h"
#include "ctl/session.h"
#include "ctl/skepctl.h"
#include "ctl/target.h"

static int run(struct ctl_line *line, struct err *e)
{
	/* As OpenVZ has it: one word with blanks in it is a line for the shell. */
	static char shell[] = "/bin/sh", option[] = "-c";
	char *through_shell[] = {shell, option, line->words[1], NULL};
	bool is_line = line->nwords == 2 && strpbrk(line->words[1], " \t\n");
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	struct ct_host h;

	if (ctl_host(line, &h, e) < 0 || ctl_system(&h, line->words[0], NULL, &s, e) < 0)
		return -e->no;
	return ctl_session(line, &s, is_line ? through_shell : line->words + 1, e);
}

static const struct ctl_option *const tables[] = {ctl_session_options, NULL};

const struct ctl_command ctl_cmd_exec = {
	.name = "exec",
	.words = "NAME COMMAND [WORDS...]",
	.summary = "run a command in a running container",
	.examples = {"skepctl exec 101 ps aux", "skepctl exec --user www-data web id",
		     "skepctl exec 101 'dmesg | tail'    (one word with blanks: by its shell)"},
	.tables = tables,
	.least = 2,
	.most = -1,
	.tail = true,
	.run = run,
};
