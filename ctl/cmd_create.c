// SPDX-License-Identifier: GPL-2.0-only
/* skepctl create: a container from a template and the limits on the command line. */
#include <errno.h>
#include <stdio.h>

#include "base/err.h"
#include "base/path.h"
#include "ctl/definition_options.h"
#include "ctl/report.h"
#include "ctl/skepctl.h"
#include "ctl/target.h"

static int choose_template(const struct ctl_line *line, const struct ct_host *h,
			   struct ct_definition *d, struct err *e)
{
	const char *name = ctl_value(line, "template");

	if (!name)
		name = h->conf.template;
	if (!*name) {
		err_set(e, EINVAL, "which template is it to be made of?");
		err_class(e, ERR_USAGE);
		return err_hint(
			e, "add --template NAME (skepctl template list shows what there is), or "
			   "set a default as \"template\" in " CT_CONF_FILE);
	}
	if (path_name_check("template", name, e) < 0)
		return -e->no;
	snprintf(d->template, sizeof(d->template), "%s", name);
	return 0;
}

static int run(struct ctl_line *line, struct err *e)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	struct ct_definition d;
	struct ct_host h;

	if (ctl_host(line, &h, e) < 0 || path_name_check("container", line->words[0], e) < 0)
		return -e->no;
	ct_definition_init(&d, line->words[0]);
	if (choose_template(line, &h, &d, e) < 0 ||
	    ctl_definition_apply(line, &h.conf, true, &d, e) < 0)
		return -e->no;
	if (ct_system_create(&h, &d, e) < 0) {
		if (e->class == ERR_NO_TEMPLATE)
			ctl_template_hint(&h, d.template, e);
		if (e->class == ERR_EXISTS)
			err_hint(e, "skepctl info %s shows it; skepctl destroy %s removes it",
				 d.name, d.name);
		return -e->no;
	}
	if (!ctl_flag(line, "start")) {
		ctl_done(line, d.name, "created from %s", d.template);
		return 0;
	}
	if (ctl_system(&h, d.name, "start", &s, e) < 0 || ct_system_start(&s, e) < 0)
		return err_wrap(e, "it was created, but not started");
	ctl_done(line, d.name, "created from %s and started", d.template);
	return 0;
}

static const struct ctl_option options[] = {
	{.name = "template",
	 .letter = 't',
	 .arg = "NAME",
	 .help = "what it is made of; skepctl template list shows them"},
	{.name = "ostemplate", .arg = "NAME", .help = "OpenVZ's word for it", .means = "template"},
	{.name = "start", .help = "start it, too"},
	{0},
};
static const struct ctl_option *const tables[] = {options, ctl_definition_options, NULL};

const struct ctl_command ctl_cmd_create = {
	.name = "create",
	.words = "NAME",
	.summary = "make a container from a template",
	.examples = {"skepctl create web --template debian-12 --memory 512M --cpus 1.5",
		     "skepctl create 101 --ostemplate debian-12 --ram 512M --swap 1G --cpuunits "
		     "2000 --ipadd 10.209.0.10",
		     "skepctl create tiny --template busybox --network none --start"},
	.tables = tables,
	.least = 1,
	.most = 1,
	.run = run,
};
