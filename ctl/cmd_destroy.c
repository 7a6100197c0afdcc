// SPDX-License-Identifier: GPL-2.0-only
/* skepctl destroy: remove containers with all they have on this host. */
#include <signal.h>

#include "base/err.h"
#include "checkpoint/finish.h"
#include "ctl/names.h"
#include "ctl/report.h"
#include "ctl/skepctl.h"
#include "ctl/target.h"

/* The library is asked first, since it also removes what an earlier destroy of that name left when it was killed. */
static int destroy(struct ctl_line *line, const struct ct_host *h, const char *name, struct err *e)
{
	bool force = ctl_flag(line, "force");
	struct ct_system s = CT_SYSTEM_INIT;
	struct cr_journal j;
	bool moved = force && cr_finish_is_moved(h, name, &s, &j);

	if (ct_system_destroy(h, name, force, e) < 0) {
		if (e->class == ERR_NO_SUCH_CT)
			ctl_system_missing(h, name, e);
		if (e->class == ERR_RUNNING)
			err_hint(e, "skepctl stop %s, or destroy --force which kills it", name);
		return -e->no;
	}
	if (moved) {
		signal(SIGPIPE, SIG_IGN);
		cr_finish_say_last(&s, &j);
	}
	ctl_done(line, name, "destroyed");
	return 0;
}

static int run(struct ctl_line *line, struct err *e)
{
	return ctl_each_name(line, destroy, ERR_SYSTEM, e);
}

static const struct ctl_option options[] = {
	{.name = "force",
	 .letter = 'f',
	 .help = "kill it first when it runs; also what a migration has left here"},
	CTL_OPTION_ALL,
	{0},
};
static const struct ctl_option *const tables[] = {options, NULL};

const struct ctl_command ctl_cmd_destroy = {
	.name = "destroy",
	.also = "delete",
	.words = "NAME...",
	.summary = "remove containers with all their data",
	.examples = {"skepctl destroy 101", "skepctl destroy --force web"},
	.tables = tables,
	.most = -1,
	.run = run,
};
