// SPDX-License-Identifier: GPL-2.0-only
/* skep create, start, run: a bundle becomes a container. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "ctl/oci.h"
#include "runtime/container.h"
#include "runtime/exec.h"
#include "runtime/net_devices.h"
#include "runtime/notify.h"

/* NULL: the bundle's own, which is also what crun takes "config.json" for, wherever it is called. */
static const char *config_of(const struct ctl_line *line)
{
	const char *config = ctl_value(line, "config");

	return config && strcmp(config, "config.json") != 0 ? config : NULL;
}

/* What was made and shall not be. Its devices first: they may go with its network namespace. */
static void undo(struct ct *ct, struct ct_created *made, const char *verb)
{
	struct err ignored = {0};

	ct_devices_take_back(made->netns, &made->devices);
	if (ct_delete(ct, true, &ignored) < 0)
		log_warn("clean up after a failed %s: %s", verb, ignored.text);
}

/* Everything but the start. On failure nothing remains. ct is locked and the caller's, as is what is in made. */
static int create(const struct ctl_line *line, bool detached, bool at_once, struct ct *ct,
		  struct ct_created *made, struct err *e)
{
	const char *bundle = ctl_value(line, "bundle"), *socket = ctl_value(line, "console-socket");
	const char *pid_file = ctl_value(line, "pid-file"),
		   *pidfd = ctl_value(line, "pidfd-socket");
	auto_spec struct ct_spec spec = {0};
	auto_fd int cache = -EBADF;
	struct ct_create how = {.state_root = ctl_oci_root(line),
				.id = line->words[0],
				.spec = &spec,
				.at_once = at_once,
				.ahead = !detached && !pid_file && !socket && !pidfd,
				.stdio = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}};
	uint64_t since = log_now_ns();
	int r = ctl_oci_preserved(line, &how.preserve_fds, e);

	if (r >= 0)
		r = ctl_oci_shield(e);
	if (r >= 0) {
		cache = ctl_oci_cache_look(line);
		r = ct_spec_load_cached(bundle ? bundle : ".", config_of(line), cache, &spec, e);
	}
	if (r >= 0)
		r = ctl_oci_groups(line, &spec, e);
	if (r >= 0)
		r = ctl_oci_listen_env(&spec.process, e);
	if (r >= 0)
		r = ct_notify_add(&spec, getenv("NOTIFY_SOCKET"), e);
	if (r >= 0)
		r = ctl_oci_judge_console(line, spec.process.terminal, detached, e);
	if (r < 0)
		return r;
	log_step("read the bundle", &since);
	if (!detached)
		ct_exec_size(&spec.process);
	if (cache < 0 && ct_spec_filters(&spec))
		cache = ctl_oci_cache(line);
	how.cache_dir = cache;
	/* Its socket has to be there before the program is. */
	how.ahead = how.ahead && !spec.notify;
	how.no_pivot = ctl_flag(line, "no-pivot");
	spec.process.keep_keyring = ctl_flag(line, "no-new-keyring");
	r = ct_create(&how, ct, made, e);
	if (r < 0)
		return r;
	if (pid_file)
		r = ctl_oci_write_pid(pid_file, ct->s.pid, e);
	if (r >= 0 && socket)
		r = ctl_oci_send_console(socket, made->console, e);
	if (r >= 0 && pidfd)
		r = ctl_oci_send_pidfd(pidfd, made->pidfd, e);
	if (r < 0)
		undo(ct, made, "create");
	log_step("create", &since);
	return r;
}

void ctl_oci_created_done(struct ct_created *made)
{
	own_close_fd(&made->pidfd);
	own_close_fd(&made->console);
	own_close_fd(&made->netns);
	own_close_fd(&made->init);
	ct_devices_done(&made->devices);
}

static int run_create(struct ctl_line *line, struct err *e)
{
	auto_created struct ct_created made = CTL_OCI_CREATED_INIT;
	auto_ct struct ct ct = CT_INIT;

	return create(line, true, false, &ct, &made, e);
}

/* Without the lock: others may have a say in it meanwhile. */
static int await_ready(struct ct *ct, int notify, struct err *e)
{
	auto_fd int pidfd = notify < 0 ? -EBADF : ct_init_open(ct, e);

	own_close_fd(&ct->lock);
	return e->no ? -e->no
		     : ct_notify_wait(notify, pidfd, ct->s.pid, getenv("NOTIFY_SOCKET"), e);
}

static int run_start(struct ctl_line *line, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	auto_fd int notify = -EBADF;
	struct err ignored = {0};
	const char *socket = getenv("NOTIFY_SOCKET");
	int r = ctl_oci_open(line, "start", &ct, e);

	/* One that runs already is not to lose its end of the socket. */
	if (r >= 0 && socket)
		r = ct_may(&ct, CT_EVENT_START, NULL, e);
	if (r >= 0)
		notify = ct_notify_listen(&ct, socket, e);
	if (e->no)
		return -e->no;
	if (ct_start(&ct, e) == 0)
		return await_ready(&ct, notify, e);
	/* runtime-spec, "Lifecycle": a hook that fails is the container's end. */
	if (e->class == ERR_HOOK && ct_delete(&ct, true, &ignored) < 0)
		log_warn("clean up after a failed hook: %s", ignored.text);
	return -e->no;
}

/* When init has ended: unless somebody has deleted it meanwhile, or made another one of the name. */
static int delete_ended(const struct ctl_line *line, const struct ct *mine, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	struct err why = {0};
	int r = ct_open(mine->state_root, line->words[0], "delete", &ct, &why);

	if (r < 0 && why.class == ERR_NO_SUCH_CT)
		return 0;
	if (r >= 0 && (ct.s.pid != mine->s.pid || ct.s.pid_start != mine->s.pid_start))
		return 0;
	if (r < 0)
		*e = why;
	return r < 0 ? r : ct_delete(&ct, true, e);
}

int ctl_oci_run_to_end(const struct ctl_line *line, struct ct *ct, const struct ct_created *made,
		       struct err *e)
{
	struct ct_executed init = {
		.pid = ct->s.pid, .pidfd = made->pidfd, .console = made->console};
	struct err why = {0};
	int status;

	/* Others may have a say in it while it runs. */
	own_close_fd(&ct->lock);
	status = ct_exec_wait(&init, e);
	if (line->command == &ctl_oci_run && ctl_flag(line, "keep"))
		return status;
	if (delete_ended(line, ct, &why) < 0) {
		if (status >= 0)
			*e = why;
		return -e->no;
	}
	return status;
}

static int run_run(struct ctl_line *line, struct err *e)
{
	bool detached = ctl_flag(line, "detach");
	auto_created struct ct_created made = CTL_OCI_CREATED_INIT;
	auto_ct struct ct ct = CT_INIT;
	auto_fd int notify = -EBADF;
	uint64_t since = log_now_ns();
	int r = create(line, detached, true, &ct, &made, e);

	if (r < 0)
		return r;
	notify = ct_notify_listen(&ct, getenv("NOTIFY_SOCKET"), e);
	if (!detached && !e->no)
		r = ct_exec_signals(e);
	if (e->no)
		r = -e->no;
	if (r >= 0)
		r = ct_start_waiting(&ct, &made, e);
	log_step("create and start", &since);
	if (r < 0) {
		undo(&ct, &made, "start");
		return -e->no;
	}
	if (detached)
		return await_ready(&ct, notify, e);
	ct_notify_follow(notify, made.pidfd, getenv("NOTIFY_SOCKET"));
	own_close_fd(&notify);
	r = ctl_oci_run_to_end(line, &ct, &made, e);
	log_step("run and delete", &since);
	return r;
}

static const struct ctl_option create_options[] = {
	{.name = "bundle",
	 .letter = 'b',
	 .arg = "DIR",
	 .help = "directory with config.json; the present one if not given"},
	{.name = "config",
	 .letter = 'f',
	 .arg = "FILE",
	 .help = "that in the place of the bundle's config.json"},
	{.name = "pid-file", .arg = "FILE", .help = "write init's process id there"},
	{.name = "console-socket",
	 .arg = "SOCKET",
	 .help = "send the terminal's master to this socket"},
	{.name = "pidfd-socket", .arg = "SOCKET", .help = "send init's pidfd to this socket"},
	{.name = "preserve-fds", .arg = "N", .help = "N descriptors from 3 on are the program's"},
	{.name = "no-pivot",
	 .help = "leave a root that pivot_root(2) cannot, a ramdisk, by chroot(2)"},
	{.name = "no-new-keyring", .help = "the program keeps the caller's session keyring"},
	{0},
};
static const struct ctl_option run_options[] = {
	{.name = "detach", .letter = 'd', .help = "return when the program runs"},
	{.name = "no-subreaper", .help = "without a meaning, as in runc"},
	{.name = "keep", .help = "do not delete the container when it has ended"},
	{0},
};
static const struct ctl_option *const create_tables[] = {create_options, NULL};
static const struct ctl_option *const run_tables[] = {create_options, run_options, NULL};

const struct ctl_command ctl_oci_create = {
	.name = "create",
	.words = "CONTAINER",
	.summary = "make a container from a bundle; its program waits for `start`",
	.examples = {"skep create --bundle /srv/web web", "skep start web"},
	.tables = create_tables,
	.least = 1,
	.most = 1,
	.run = run_create,
};

const struct ctl_command ctl_oci_start = {
	.name = "start",
	.words = "CONTAINER",
	.summary = "let a created container's program run",
	.examples = {"skep start web"},
	.least = 1,
	.most = 1,
	.run = run_start,
};

const struct ctl_command ctl_oci_run = {
	.name = "run",
	.words = "CONTAINER",
	.summary = "create, start, wait for the end, delete",
	.examples = {"skep run --bundle /srv/web web", "skep run -d --pid-file /run/web.pid web"},
	.tables = run_tables,
	.least = 1,
	.most = 1,
	.run = run_run,
};
