// SPDX-License-Identifier: GPL-2.0-only
/* skep exec: a further process in a container, from a file or from words. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/size.h"
#include "cgroups/sub.h"
#include "ctl/oci.h"
#include "ns/lsm.h"
#include "runtime/container.h"
#include "runtime/exec.h"

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory for the process");
}

/* --env is set over what the container's init has of that name. */
static int set_env(struct ct_process *p, const char *text, struct err *e)
{
	size_t name = strcspn(text, "="), n = 0;
	char **env;

	if (!name || !text[name]) {
		err_set(e, EINVAL, "--env: '%.60s' is not NAME=VALUE", text);
		return err_class(e, ERR_VALUE);
	}
	for (; p->env[n]; n++)
		if (!strncmp(p->env[n], text, name + 1))
			break;
	if (p->env[n]) {
		free(p->env[n]);
	} else {
		env = realloc(p->env, (n + 2) * sizeof(*env));
		if (!env)
			return no_memory(e);
		p->env = env;
		env[n + 1] = NULL;
	}
	p->env[n] = strdup(text);
	return p->env[n] ? 0 : no_memory(e);
}

static int add_groups(const struct ctl_line *line, struct ct_process *p, struct err *e)
{
	const char *text;

	for (int i = 0; (text = ctl_value_nth(line, "additional-gids", i, NULL)); i++) {
		int64_t gid;
		gid_t *groups;

		if (size_parse_number("--additional-gids", text, 0, UINT32_MAX - 1, &gid, e) < 0)
			return -e->no;
		if (p->n_groups < 0)
			p->n_groups = 0;
		groups = realloc(p->groups, ((size_t)p->n_groups + 1) * sizeof(*groups));
		if (!groups)
			return no_memory(e);
		p->groups = groups;
		groups[p->n_groups++] = (gid_t)gid;
	}
	return 0;
}

/*
 * Nothing becomes inheritable (CVE-2022-29162), and only what config.json made so becomes ambient, as in runc 1.5 (exec.go) and crun: a program of another user than root that
 * has neither loses it at execve (capabilities(7)).
 */
static void add_caps(const struct ctl_line *line, struct ct_process *p)
{
	struct err why = {0};
	const char *text;

	for (int i = 0; (text = ctl_value_nth(line, "cap", i, NULL)); i++) {
		uint64_t bit;
		int cap;

		/* As one of config.json (runtime-spec, "Linux Process"), and as runc and crun. */
		if (ns_caps_from_str(text, &cap, &why) < 0) {
			log_warn("--cap: %s; going on without it", why.text);
			err_clear(&why);
			continue;
		}
		bit = UINT64_C(1) << cap;
		p->caps.bounding |= bit;
		p->caps.permitted |= bit;
		p->caps.effective |= bit;
		p->caps.ambient |= bit & p->caps.inheritable;
	}
}

static int set_words(struct ct_process *p, char **words, int n, struct err *e)
{
	for (char **s = p->args; s && *s; s++)
		free(*s);
	free(p->args);
	p->args = calloc((size_t)n + 1, sizeof(*p->args));
	for (int i = 0; i < n && p->args; i++) {
		p->args[i] = strdup(words[i]);
		if (!p->args[i])
			return no_memory(e);
	}
	return p->args ? 0 : no_memory(e);
}

static int set_label(const struct ctl_line *line, const char *option, enum ns_lsm lsm, char **label,
		     struct err *e)
{
	const char *text = ctl_value(line, option);

	if (!text)
		return 0;
	if (!ns_lsm_has(lsm)) {
		err_set(e, EOPNOTSUPP, "--%s: this host has no %s, or does not use it", option,
			lsm == NS_LSM_APPARMOR ? "AppArmor" : "SELinux");
		return err_class(e, ERR_UNSUPPORTED);
	}
	free(*label);
	*label = strdup(text);
	return *label ? 0 : no_memory(e);
}

/* The process of the container's init, changed as the options say. */
static int from_words(const struct ctl_line *line, struct ct_process *p, struct err *e)
{
	const char *cwd = ctl_value(line, "cwd"), *text;
	int r = set_words(p, line->words + 1, line->nwords - 1, e);

	p->terminal = ctl_flag(line, "tty");
	p->rows = p->cols = 0;
	/* Another user's groups are not init's. */
	if (ctl_flag(line, "user"))
		p->n_groups = 0;
	for (int i = 0; r >= 0 && (text = ctl_value_nth(line, "env", i, NULL)); i++)
		r = set_env(p, text, e);
	if (r >= 0)
		r = add_groups(line, p, e);
	if (r >= 0)
		add_caps(line, p);
	if (r >= 0 && cwd) {
		free(p->cwd);
		p->cwd = strdup(cwd);
		r = p->cwd ? 0 : no_memory(e);
	}
	p->no_new_privs |= ctl_flag(line, "no-new-privs");
	if (r >= 0)
		r = set_label(line, "apparmor", NS_LSM_APPARMOR, &p->apparmor, e);
	return r < 0 ? r : set_label(line, "process-label", NS_LSM_SELINUX, &p->selinux, e);
}

static int from_file(const struct ctl_line *line, const char *path, struct ct_process *p,
		     struct err *e)
{
	auto_json json_t *j = NULL;
	int r = ct_config_load_at(AT_FDCWD, path, &j, e);

	if (r >= 0)
		r = ct_process_from_json(j, p, e);
	if (r < 0)
		return err_wrap(e, "--process %s", path);
	p->terminal |= ctl_flag(line, "tty");
	return 0;
}

static int read_process(const struct ctl_line *line, struct ct_spec *spec, struct ct_process *p,
			struct err *e)
{
	const char *file = ctl_value(line, "process");

	if (file)
		return from_file(line, file, p, e);
	if (line->nwords < 2) {
		err_set(e, EINVAL, "exec needs a program, or --process FILE");
		return err_class(e, ERR_USAGE);
	}
	*p = spec->process;
	spec->process = (struct ct_process){.umask = -1};
	return from_words(line, p, e);
}

/* Started, told to who wants to know, and, unless detached, waited for. */
static int start(const struct ctl_line *line, struct ct *ct, const struct ct_exec *how,
		 struct err *e)
{
	const char *socket = ctl_value(line, "console-socket");
	const char *pid_file = ctl_value(line, "pid-file"),
		   *pidfd = ctl_value(line, "pidfd-socket");
	bool detached = ctl_flag(line, "detach");
	struct ct_executed run;
	uint64_t since = log_now_ns();
	int r = detached ? 0 : ct_exec_signals(e);

	if (r >= 0)
		r = ct_exec(ct, how, &run, e);
	if (r < 0)
		return r;
	log_step("exec", &since);
	own_close_fd(&ct->lock);
	if (pid_file)
		r = ctl_oci_write_pid(pid_file, run.pid, e);
	if (r >= 0 && socket)
		r = ctl_oci_send_console(socket, run.console, e);
	if (r >= 0 && pidfd)
		r = ctl_oci_send_pidfd(pidfd, run.pidfd, e);
	if (r < 0)
		ct_exec_kill(&run);
	else if (!detached)
		r = ct_exec_wait(&run, e);
	ct_executed_done(&run);
	return r;
}

/* All of them, judged; the list is the caller's, the words are not. */
static int read_groups(const struct ctl_line *line, const char ***list, struct err *e)
{
	const char *word;
	int n = 0;

	while (ctl_value_nth(line, "cgroup", n, NULL))
		n++;
	*list = calloc((size_t)n + 1, sizeof(**list));
	if (!*list)
		return no_memory(e);
	for (int i = 0; (word = ctl_value_nth(line, "cgroup", i, NULL)); i++) {
		if (cg_sub_check(word, e) < 0)
			return err_wrap(e, "--cgroup");
		(*list)[i] = word;
	}
	return 0;
}

/*
 * A program put into a frozen group would stop there on its way, with the container's lock in our hands that a resume needs: it is begun when the container goes on. runc begins
 * it at once, and it comes no further than there (exec.go).
 */
static int await_turn(const struct ctl_line *line, struct ct *ct, struct err *e)
{
	enum ct_status now = CT_STOPPED;
	int r;

	while ((r = ct_may(ct, CT_EVENT_EXEC, &now, e)) < 0 && now == CT_PAUSED &&
	       ctl_flag(line, "ignore-paused")) {
		*e = (struct err){0};
		own_close_fd(&ct->lock);
		r = ct_await_resumed(ct, e);
		ct_close(ct);
		if (r >= 0)
			r = ctl_oci_open(line, "exec", ct, e);
		if (r < 0)
			return r;
	}
	return r;
}

static int run_exec(struct ctl_line *line, struct err *e)
{
	auto_fd int cache = -EBADF;
	auto_ct struct ct ct = CT_INIT;
	auto_spec struct ct_spec spec = {0};
	auto_free const char **groups = NULL;
	struct ct_process p = {.umask = -1};
	struct ct_exec how = {.process = &p,
			      .spec = &spec,
			      .user = ctl_value(line, "user"),
			      .stdio = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO},
			      .cache_dir = -EBADF};
	int r = ctl_oci_preserved(line, &how.preserve_fds, e);

	if (r >= 0)
		r = ctl_oci_shield(e);
	if (r >= 0)
		r = read_groups(line, &groups, e);
	how.cgroups = groups;
	if (r >= 0)
		r = ctl_oci_open(line, "exec", &ct, e);
	if (r >= 0)
		r = await_turn(line, &ct, e);
	cache = ctl_oci_cache_look(line);
	if (r >= 0)
		r = ct_spec_of(&ct, cache, &spec, e);
	if (r < 0)
		return r;
	if (cache < 0 && ct_spec_filters(&spec))
		cache = ctl_oci_cache(line);
	how.cache_dir = cache;
	r = read_process(line, &spec, &p, e);
	if (r >= 0)
		r = ctl_oci_listen_env(&p, e);
	if (r >= 0)
		r = ctl_oci_judge_console(line, p.terminal, ctl_flag(line, "detach"), e);
	if (r >= 0 && !ctl_flag(line, "detach"))
		ct_exec_size(&p);
	if (r >= 0)
		r = start(line, &ct, &how, e);
	ct_process_done(&p);
	return r;
}

static const struct ctl_option options[] = {
	{.name = "process", .letter = 'p', .arg = "FILE", .help = "the process as OCI JSON"},
	{.name = "cwd", .arg = "DIR", .help = "its working directory"},
	{.name = "env", .letter = 'e', .arg = "NAME=VALUE", .help = "set that, too"},
	{.name = "user",
	 .letter = 'u',
	 .arg = "USER[:GROUP]",
	 .help = "by their numbers, or names that the container knows"},
	{.name = "additional-gids", .letter = 'g', .arg = "GID", .help = "one more group"},
	{.name = "cap",
	 .letter = 'c',
	 .arg = "NAME",
	 .help = "one more capability, of root's programs"},
	{.name = "no-new-privs", .help = "never more rights by an execve"},
	{.name = "apparmor", .arg = "PROFILE", .help = "its AppArmor profile"},
	{.name = "process-label", .arg = "LABEL", .help = "its SELinux label"},
	{.name = "cgroup",
	 .arg = "[CONTROLLER:]PATH",
	 .help = "in that control group below the container's, which must be there"},
	{.name = "tty", .letter = 't', .help = "give it a terminal"},
	{.name = "detach", .letter = 'd', .help = "return when it runs"},
	{.name = "pid-file", .arg = "FILE", .help = "write its process id there"},
	{.name = "console-socket",
	 .arg = "SOCKET",
	 .help = "send the terminal's master to this socket"},
	{.name = "pidfd-socket", .arg = "SOCKET", .help = "send its pidfd to this socket"},
	{.name = "ignore-paused", .help = "when the container is paused, wait until it goes on"},
	{.name = "preserve-fds", .arg = "N", .help = "N descriptors from 3 on are the program's"},
	{0},
};
static const struct ctl_option *const tables[] = {options, NULL};

const struct ctl_command ctl_oci_exec = {
	.name = "exec",
	.words = "CONTAINER cmd [WORDS...]",
	.summary = "run a further program in a container; its exit code is ours",
	.examples = {"skep exec web ps", "skep exec -t --user 1000:1000 web sh",
		     "skep exec --detach --process process.json web"},
	.tables = tables,
	.least = 1,
	.most = -1,
	.name_ends = true,
	.run = run_exec,
};
