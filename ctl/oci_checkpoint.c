// SPDX-License-Identifier: GPL-2.0-only
/* skep checkpoint, restore: a container into a directory of images, and out of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/size.h"
#include "checkpoint/bundle.h"

#include "ctl/oci.h"
#include "runtime/exec.h"

/* runc's, in the present directory. */
#define DEFAULT_IMAGES "checkpoint"

/* The only namespace that can be left empty is the network's, and that of a container's own always is: runc's present behaviour, too. */
static int judge_empty(const struct ctl_line *line, struct err *e)
{
	const char *word;

	for (int i = 0; (word = ctl_value_nth(line, "empty-ns", i, NULL)); i++)
		if (strcmp(word, "network") != 0) {
			err_set(e, EINVAL, "--empty-ns: namespace '%.40s' is not supported", word);
			return err_class(e, ERR_VALUE);
		}
	return 0;
}

/* One that this verb does not have was not given. */
static bool has(const struct ctl_line *line, const char *name)
{
	return ctl_option_find(line->front, line->command, name);
}

static const char *value(const struct ctl_line *line, const char *name)
{
	return has(line, name) ? ctl_value(line, name) : NULL;
}

static bool flag(const struct ctl_line *line, const char *name)
{
	return has(line, name) && ctl_flag(line, name);
}

static int read_options(const struct ctl_line *line, struct cr_bundle *b, struct err *e)
{
	const char *images = value(line, "image-path");
	const char *fd = value(line, "status-fd");
	int64_t number = -1;

	if (judge_empty(line, e) < 0 ||
	    (fd && size_parse_number("--status-fd", fd, 0, INT32_MAX, &number, e) < 0))
		return -e->no;
	*b = (struct cr_bundle){
		.images = images && *images ? images : DEFAULT_IMAGES,
		.work = value(line, "work-path"),
		.parent = value(line, "parent-path"),
		.page_server = value(line, "page-server"),
		.groups = value(line, "manage-cgroups-mode"),
		.lsm_profile = value(line, "lsm-profile"),
		.lsm_mount_context = value(line, "lsm-mount-context"),
		.status_fd = (int)number,
		.leave_running = flag(line, "leave-running"),
		.tcp_established = flag(line, "tcp-established"),
		.tcp_skip_in_flight = flag(line, "tcp-skip-in-flight"),
		.link_remap = flag(line, "link-remap"),
		.ext_unix_sk = flag(line, "ext-unix-sk"),
		.shell_job = flag(line, "shell-job"),
		.file_locks = flag(line, "file-locks"),
		.lazy_pages = flag(line, "lazy-pages"),
		.pre_dump = flag(line, "pre-dump"),
		.auto_dedup = flag(line, "auto-dedup"),
	};
	return cr_bundle_judge(b, e);
}

static int run_checkpoint(struct ctl_line *line, struct err *e)
{
	auto_spec struct ct_spec spec = {0};
	auto_ct struct ct ct = CT_INIT;
	struct cr_bundle b = {0};
	struct err why = {0};
	int r = read_options(line, &b, e);

	if (r >= 0)
		r = ctl_oci_open(line, "checkpoint", &ct, e);
	if (r >= 0)
		r = ct_spec_of(&ct, -EBADF, &spec, e);
	if (r >= 0)
		r = cr_bundle_checkpoint(&ct, &spec, &b, e);
	if (r < 0 || b.leave_running || b.pre_dump)
		return r;
	/* Its images are whole, so it is no failure of the checkpoint. */
	if (ct_delete(&ct, true, &why) < 0)
		log_warn("delete after a checkpoint: %s", why.text);
	return 0;
}

static int restore(const struct ctl_line *line, const struct cr_bundle *b, struct ct *ct,
		   struct ct_created *made, struct err *e)
{
	const char *bundle = ctl_value(line, "bundle"), *socket = ctl_value(line, "console-socket");
	const char *pid_file = ctl_value(line, "pid-file");
	auto_spec struct ct_spec spec = {0};
	const struct ct_create start = {.state_root = ctl_oci_root(line),
					.id = line->words[0],
					.spec = &spec,
					.stdio = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}};
	struct err ignored = {0};
	int r = ct_spec_load(bundle ? bundle : ".", &spec, e);

	if (r >= 0)
		r = ctl_oci_groups(line, &spec, e);
	if (r >= 0)
		r = ctl_oci_judge_console(line, spec.process.terminal, ctl_flag(line, "detach"), e);
	if (r >= 0)
		r = cr_bundle_restore(&start, b, ct, made, e);
	if (r < 0)
		return r;
	if (pid_file)
		r = ctl_oci_write_pid(pid_file, ct->s.pid, e);
	if (r >= 0 && socket)
		r = ctl_oci_send_console(socket, made->console, e);
	if (r < 0 && ct_delete(ct, true, &ignored) < 0)
		log_warn("clean up after a failed restore: %s", ignored.text);
	return r;
}

static int run_restore(struct ctl_line *line, struct err *e)
{
	bool detached = ctl_flag(line, "detach");
	auto_created struct ct_created made = CTL_OCI_CREATED_INIT;
	auto_ct struct ct ct = CT_INIT;
	struct cr_bundle b;
	int r = read_options(line, &b, e);

	if (r >= 0 && !detached)
		r = ct_exec_signals(e);
	if (r >= 0)
		r = restore(line, &b, &ct, &made, e);
	if (r < 0 || detached)
		return r;
	return ctl_oci_run_to_end(line, &ct, &made, e);
}

static const struct ctl_option common_options[] = {
	{.name = "image-path",
	 .arg = "DIR",
	 .help = "directory of criu's images (" DEFAULT_IMAGES ")"},
	{.name = "work-path", .arg = "DIR", .help = "directory of criu's log and statistics"},
	{.name = "tcp-established", .help = "take connections along"},
	{.name = "ext-unix-sk", .help = "allow UNIX sockets whose other end is outside"},
	{.name = "shell-job", .help = "allow a terminal that is somebody else's"},
	{.name = "file-locks", .help = "take file locks along"},
	{.name = "lazy-pages", .help = "memory follows while it runs (criu lazy-pages)"},
	{.name = "manage-cgroups-mode",
	 .arg = "MODE",
	 .help = "soft, full, strict or ignore: what becomes of groups inside"},
	{.name = "empty-ns",
	 .arg = "NAMESPACE",
	 .help = "network: links are not taken along (they never are)"},
	{.name = "auto-dedup", .help = "drop pages from images as soon as newer ones have them"},
	{0},
};
static const struct ctl_option checkpoint_options[] = {
	{.name = "leave-running", .help = "let it go on afterwards"},
	{.name = "pre-dump", .help = "only its memory, while it runs; the rest later"},
	{.name = "parent-path",
	 .arg = "DIR",
	 .help = "images of a --pre-dump, relative to --image-path"},
	{.name = "page-server",
	 .arg = "ADDRESS:PORT",
	 .help = "memory goes to a criu page-server there"},
	{.name = "status-fd",
	 .arg = "FD",
	 .help = "write a 0 there when lazy pages can be asked for"},
	{.name = "tcp-skip-in-flight", .help = "leave out connections that nobody has accepted"},
	{.name = "link-remap", .help = "give files that have no name any more one for the time"},
	{0},
};
static const struct ctl_option restore_options[] = {
	{.name = "bundle",
	 .letter = 'b',
	 .arg = "DIR",
	 .help = "directory with config.json; the present one if not given"},
	{.name = "pid-file", .arg = "FILE", .help = "write init's process id there"},
	{.name = "console-socket",
	 .arg = "SOCKET",
	 .help = "send the terminal's master to this socket"},
	{.name = "detach", .letter = 'd', .help = "return when it runs"},
	{.name = "no-subreaper", .help = "as it is: for callers who know runc"},
	{.name = "no-pivot", .help = "no matter to a restore: for callers who know runc"},
	{.name = "lsm-profile", .arg = "TYPE:NAME", .help = "give it this security profile"},
	{.name = "lsm-mount-context",
	 .arg = "CONTEXT",
	 .help = "give its mounts this security context"},
	{0},
};
static const struct ctl_option *const checkpoint_tables[] = {common_options, checkpoint_options,
							     NULL};
static const struct ctl_option *const restore_tables[] = {restore_options, common_options, NULL};

const struct ctl_command ctl_oci_checkpoint = {
	.name = "checkpoint",
	.words = "CONTAINER",
	.summary = "save a running container's state in a directory, and end it",
	.examples = {"skep checkpoint --image-path /srv/images web",
		     "skep checkpoint --leave-running --tcp-established web"},
	.tables = checkpoint_tables,
	.least = 1,
	.most = 1,
	.run = run_checkpoint,
};

const struct ctl_command ctl_oci_restore = {
	.name = "restore",
	.words = "CONTAINER",
	.summary = "make a container of what checkpoint saved, running",
	.examples = {"skep restore --detach --image-path /srv/images --bundle /srv/web web"},
	.tables = restore_tables,
	.least = 1,
	.most = 1,
	.run = run_restore,
};
