// SPDX-License-Identifier: GPL-2.0-only
/* skepctl doctor: what this host can and cannot do, each gap with its remedy. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "ctl/doctor.h"
#include "ctl/options.h"
#include "ctl/report.h"
#include "ctl/skepctl.h"

static int print_json(const struct ctl_doctor *d, struct err *e)
{
	auto_json json_t *j = ctl_doctor_to_json(d);

	if (!j)
		return err_set(e, ENOMEM, "doctor: out of memory");
	json_dumpf(j, stdout, JSON_INDENT(2));
	putchar('\n');
	return 0;
}

static void print_summary(const struct ctl_doctor *d)
{
	size_t n[CTL_VERDICT_MISSING + 1] = {0};

	for (size_t i = 0; i < d->count; i++)
		n[d->list[i].verdict]++;
	if (n[CTL_VERDICT_MISSING])
		printf("%zu missing, %zu warnings: see the arrows for what to do\n",
		       n[CTL_VERDICT_MISSING], n[CTL_VERDICT_WARNING]);
	else
		printf("all that is needed is there; %zu optional things are not\n",
		       n[CTL_VERDICT_WARNING]);
}

static bool wants_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

static int run(struct ctl_line *line, struct err *e)
{
	const char *root = ctl_value(line, "root"), *state = ctl_value(line, "state");
	struct ct_conf conf;
	auto_doctor struct ctl_doctor d = {.conf = &conf};
	int r = ct_conf_load(&conf, e);

	if (r < 0)
		return r;
	if (root)
		snprintf(conf.root, sizeof(conf.root), "%s", root);
	if (state)
		snprintf(conf.state, sizeof(conf.state), "%s", state);
	ctl_doctor_kernel(&d);
	ctl_doctor_cgroups(&d);
	ctl_doctor_network(&d);
	ctl_doctor_storage(&d);
	ctl_doctor_checkpoint(&d);
	if (d.no_memory)
		return err_set(e, ENOMEM, "doctor: out of memory");
	if (ctl_flag(line, "json")) {
		r = print_json(&d, e);
		if (r < 0)
			return r;
	} else {
		ctl_doctor_print(&d, wants_colour(), stdout);
		print_summary(&d);
	}
	return ctl_doctor_verdict(&d) == CTL_VERDICT_MISSING ? err_class_exit_code(ERR_UNSUPPORTED)
							     : 0;
}

static const struct ctl_option options[] = {
	{.name = "json", .help = "print the findings as one JSON object"},
	{0},
};
static const struct ctl_option *const tables[] = {options, NULL};

const struct ctl_command ctl_cmd_doctor = {
	.name = "doctor",
	.words = "",
	.summary = "say what this host can and cannot do, and what to do about it",
	.examples = {"skepctl doctor",
		     "skepctl doctor --json | jq '.findings[] | select(.verdict != \"ok\")'"},
	.tables = tables,
	.run = run,
};
