// SPDX-License-Identifier: GPL-2.0-only
/* skep kill, pause, resume, delete: what is done to a container. */
#include <errno.h>
#include <regex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "checkpoint/dump.h"
#include "ctl/oci.h"
#include "runtime/container.h"
#include "runtime/signal_name.h"

/* containerd and Podman look for runc's very words. */
static int not_running(struct err *why, struct err *e)
{
	if (why->no == ESRCH) {
		err_set(e, why->no, "container not running");
		return err_class(e, ERR_NOT_RUNNING);
	}
	*e = *why;
	return -e->no;
}

static int run_kill(struct ctl_line *line, struct err *e)
{
	bool all = ctl_flag(line, "all");
	auto_ct struct ct ct = CT_INIT;
	struct err why = {0};
	int sig = SIGTERM;

	/* As kill(2)'s: whether there is one to hear it. */
	if (line->nwords > 1 && !strcmp(line->words[1], "0"))
		sig = 0;
	else if (line->nwords > 1)
		sig = ct_signal_from_str("signal", line->words[1], e);
	/* Without the lock: a signal must get through to a container whose start hangs. */
	if (sig < 0 || ctl_oci_open(line, NULL, &ct, e) < 0)
		return -e->no;
	if (ct_kill(&ct, sig, all, &why) >= 0)
		return 0;
	/* All of one that has ended are none: no error to runc and crun, either. */
	return all && why.no == ESRCH ? 0 : not_running(&why, e);
}

static int run_pause(struct ctl_line *line, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	struct err why = {0};

	if (ctl_oci_open(line, "pause", &ct, e) < 0)
		return -e->no;
	return ct_pause(&ct, &why) < 0 ? not_running(&why, e) : 0;
}

static int run_resume(struct ctl_line *line, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;

	if (ctl_oci_open(line, "resume", &ct, e) < 0 || ct_may(&ct, CT_EVENT_RESUME, NULL, e) < 0)
		return -e->no;
	/* It may be what a checkpoint that was killed has left. */
	return cr_dump_mend(&ct, e) < 0 ? -e->no : ct_resume(&ct, e);
}

/* One that has not been started has nothing to lose: runc and crun delete it, and containerd counts on it. */
static bool is_created(const struct ct *ct)
{
	enum ct_status status;
	struct err ignored = {0};

	return ct_status(ct, &status, &ignored) >= 0 && status == CT_CREATED;
}

/* With --force one that is not there is deleted already. */
static int delete_one(struct ctl_line *line, struct err *e)
{
	bool force = ctl_flag(line, "force");
	auto_ct struct ct ct = CT_INIT;

	if (ctl_oci_open(line, "delete", &ct, e) < 0) {
		if (force && e->class == ERR_NO_SUCH_CT) {
			err_clear(e);
			return 0;
		}
		if (!force || e->class != ERR_CONFIG)
			return -e->no;
		err_clear(e);
		if (ct_open_to_end(ctl_oci_root(line), line->words[0], "delete", &ct, e) < 0)
			return -e->no;
	}
	return ct_delete(&ct, force || is_created(&ct), e);
}

struct choice {
	regex_t re;
	char **ids;
	size_t n;
};

static int choose(struct ct *ct, void *arg, struct err *e)
{
	struct choice *c = arg;
	char **ids;

	if (regexec(&c->re, ct->s.id, 0, NULL, 0) != 0)
		return 0;
	ids = realloc(c->ids, (c->n + 1) * sizeof(*ids));
	if (!ids)
		return err_set(e, ENOMEM, "out of memory for names of containers");
	c->ids = ids;
	ids[c->n] = strdup(ct->s.id);
	return ids[c->n++] ? 0 : err_set(e, ENOMEM, "out of memory for names of containers");
}

/* Each has its turn whatever became of the others; the first failure is the command's. */
static int delete_chosen(struct ctl_line *line, struct choice *c, struct err *e)
{
	int r = ct_each(ctl_oci_root(line), choose, c, e);

	for (size_t i = 0; r >= 0 && i < c->n; i++) {
		struct err why = {0};

		line->words[0] = c->ids[i];
		if (delete_one(line, &why) >= 0)
			continue;
		if (e->no)
			log_warn("container %s: %s", c->ids[i], why.text);
		else
			*e = why;
	}
	return -e->no;
}

static int delete_by_pattern(struct ctl_line *line, struct err *e)
{
	struct choice c = {0};
	char why[80];
	int r = regcomp(&c.re, line->words[0], REG_EXTENDED | REG_NOSUB);

	if (r != 0) {
		regerror(r, &c.re, why, sizeof(why));
		err_set(e, EINVAL, "--regex: '%.60s': %s", line->words[0], why);
		return err_class(e, ERR_VALUE);
	}
	r = delete_chosen(line, &c, e);
	for (size_t i = 0; i < c.n; i++)
		free(c.ids[i]);
	free(c.ids);
	regfree(&c.re);
	return r;
}

static int run_delete(struct ctl_line *line, struct err *e)
{
	return ctl_flag(line, "regex") ? delete_by_pattern(line, e) : delete_one(line, e);
}

static const struct ctl_option kill_options[] = {
	{.name = "all", .letter = 'a', .help = "every process of it, not just the first"},
	{0},
};
static const struct ctl_option delete_options[] = {
	{.name = "force",
	 .letter = 'f',
	 .help = "kill it if it runs; one that is not there is fine"},
	{.name = "regex",
	 .letter = 'r',
	 .help = "CONTAINER is an extended regular expression: all whose names it is found in"},
	{0},
};
static const struct ctl_option *const kill_tables[] = {kill_options, NULL};
static const struct ctl_option *const delete_tables[] = {delete_options, NULL};

const struct ctl_command ctl_oci_kill = {
	.name = "kill",
	.words = "CONTAINER [SIGNAL]",
	.summary = "send a signal, SIGTERM if not given, to a container's first process",
	.examples = {"skep kill web", "skep kill --all web KILL"},
	.tables = kill_tables,
	.least = 1,
	.most = 2,
	.run = run_kill,
};

const struct ctl_command ctl_oci_pause = {
	.name = "pause",
	.words = "CONTAINER",
	.summary = "freeze all processes of a container",
	.examples = {"skep pause web"},
	.least = 1,
	.most = 1,
	.run = run_pause,
};

const struct ctl_command ctl_oci_resume = {
	.name = "resume",
	.words = "CONTAINER",
	.summary = "let a paused container go on",
	.examples = {"skep resume web"},
	.least = 1,
	.most = 1,
	.run = run_resume,
};

const struct ctl_command ctl_oci_delete = {
	.name = "delete",
	.words = "CONTAINER",
	.summary = "remove a container that does not run, and all that it has on the host",
	.examples = {"skep delete web", "skep delete --force web",
		     "skep delete --force --regex '^web-'"},
	.tables = delete_tables,
	.least = 1,
	.most = 1,
	.run = run_delete,
};
