// SPDX-License-Identifier: GPL-2.0-only
/* skepctl resume: a paused or a suspended container goes on. */
#include <errno.h>

#include "base/err.h"
#include "checkpoint/dump.h"
#include "checkpoint/suspend.h"
#include "ctl/names.h"
#include "ctl/report.h"
#include "ctl/skepctl.h"
#include "ctl/target.h"
#include "runtime/container.h"
#include "runtime/system_doubt.h"

static int go_on(struct ct_system *s, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;

	if (ctl_runtime_lock(s, "resume", &ct, e) < 0 || cr_dump_mend(&ct, e) < 0)
		return -e->no;
	return ct_resume(&ct, e);
}

static int refuse(const struct ct_system *s, enum ct_system_status status, struct err *e)
{
	if (status == CT_SYSTEM_MIGRATING || status == CT_SYSTEM_MOVED)
		return ct_dir_in_doubt(s->dir, s->d.name, e);
	err_set(e, EINVAL, "it is %s: there is nothing to resume", ct_system_status_to_str(status));
	if (status != CT_SYSTEM_RUNNING)
		err_hint(e, "skepctl start %s boots it", s->d.name);
	return err_class(e, status == CT_SYSTEM_RUNNING ? ERR_RUNNING : ERR_NOT_RUNNING);
}

static int resume(struct ctl_line *line, const struct ct_host *h, const char *name, struct err *e)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	enum ct_system_status status;
	int r;

	if (ctl_system(h, name, "resume", &s, e) < 0 || ct_system_status(&s, &status, e) < 0)
		return -e->no;
	if (status == CT_SYSTEM_PAUSED)
		r = go_on(&s, e);
	else if (status == CT_SYSTEM_SUSPENDED)
		r = cr_resume(&s, e);
	else if (ctl_flag(line, "all"))
		return 0;
	else
		r = refuse(&s, status, e);
	if (r < 0)
		return e->class == ERR_NO_TEMPLATE ? ctl_template_lost(e) : r;
	ctl_done(line, name, "resumed");
	return 0;
}

static int run(struct ctl_line *line, struct err *e)
{
	return ctl_each_name(line, resume, ERR_NOT_RUNNING, e);
}

static const struct ctl_option options[] = {CTL_OPTION_ALL, {0}};
static const struct ctl_option *const tables[] = {options, NULL};

const struct ctl_command ctl_cmd_resume = {
	.name = "resume",
	.also = "restore",
	.words = "NAME...",
	.summary = "let paused or suspended containers go on",
	.examples = {"skepctl resume 101"},
	.tables = tables,
	.most = -1,
	.run = run,
};
