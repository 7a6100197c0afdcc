// SPDX-License-Identifier: GPL-2.0-only
/* skep kill, pause, resume, delete: what is done to a container. */
#include <errno.h>
#include <signal.h>

#include "base/err.h"
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
	auto_ct struct ct ct = CT_INIT;
	struct err why = {0};
	int sig = SIGTERM;

	if (line->nwords > 1)
		sig = ct_signal_from_str("signal", line->words[1], e);
	/* Without the lock: a signal must get through to a container whose start hangs. */
	if (sig < 0 || ctl_oci_open(line, NULL, &ct, e) < 0)
		return -e->no;
	return ct_kill(&ct, sig, ctl_flag(line, "all"), &why) < 0 ? not_running(&why, e) : 0;
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
static int run_delete(struct ctl_line *line, struct err *e)
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

static const struct ctl_option kill_options[] = {
	{.name = "all", .letter = 'a', .help = "every process of it, not just the first"},
	{0},
};
static const struct ctl_option delete_options[] = {
	{.name = "force",
	 .letter = 'f',
	 .help = "kill it if it runs; one that is not there is fine"},
	{0},
};
static const struct ctl_option *const kill_tables[] = {kill_options, NULL};
static const struct ctl_option *const delete_tables[] = {delete_options, NULL};

const struct ctl_command ctl_oci_kill = {
	.name = "kill",
	.words = "ID [SIGNAL]",
	.summary = "send a signal, SIGTERM if not given, to a container's first process",
	.examples = {"skep kill web", "skep kill --all web KILL"},
	.tables = kill_tables,
	.least = 1,
	.most = 2,
	.run = run_kill,
};

const struct ctl_command ctl_oci_pause = {
	.name = "pause",
	.words = "ID",
	.summary = "freeze all processes of a container",
	.examples = {"skep pause web"},
	.least = 1,
	.most = 1,
	.run = run_pause,
};

const struct ctl_command ctl_oci_resume = {
	.name = "resume",
	.words = "ID",
	.summary = "let a paused container go on",
	.examples = {"skep resume web"},
	.least = 1,
	.most = 1,
	.run = run_resume,
};

const struct ctl_command ctl_oci_delete = {
	.name = "delete",
	.words = "ID",
	.summary = "remove a container that does not run, and all that it has on the host",
	.examples = {"skep delete web", "skep delete --force web"},
	.tables = delete_tables,
	.least = 1,
	.most = 1,
	.run = run_delete,
};
