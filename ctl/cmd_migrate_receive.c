// SPDX-License-Identifier: GPL-2.0-only
/* skepctl migrate-receive: the other side of migrate, started by it on the host that gets the container. */
#include <signal.h>
#include <unistd.h>

#include "base/err.h"
#include "checkpoint/migrate.h"
#include "ctl/skepctl.h"
#include "ctl/target.h"

static int run(struct ctl_line *line, struct err *e)
{
	struct ct_host h;

	signal(SIGPIPE, SIG_IGN);
	if (ctl_host(line, &h, e) < 0)
		return -e->no;
	return cr_migrate_receive(&h, STDIN_FILENO, STDOUT_FILENO, e);
}

const struct ctl_command ctl_cmd_migrate_receive = {
	.name = "migrate-receive",
	.words = "",
	.summary = "the receiving side of a migration; migrate starts it",
	.examples = {"skepctl migrate-receive"},
	.run = run,
	.hidden = true,
};
