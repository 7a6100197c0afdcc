// SPDX-License-Identifier: GPL-2.0-only
/* Running a program in a container on behalf of this terminal. */
#include "ctl/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "ctl/target.h"
#include "runtime/exec.h"

#define OWN_VARIABLES 2 /* PATH, TERM */

static char path_variable[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const struct ctl_option ctl_session_options[] = {
	{.name = "user",
	 .letter = 'u',
	 .arg = "USER[:GROUP]",
	 .help = "as that user of the container, name or number (root)"},
	{.name = "cwd", .letter = 'w', .arg = "DIR", .help = "in that directory of the container"},
	{.name = "env",
	 .letter = 'e',
	 .arg = "NAME=VALUE",
	 .help = "with that variable; can be repeated"},
	{.name = "tty", .letter = 't', .help = "on a terminal of its own, whatever ours is"},
	{.name = "no-tty", .letter = 'T', .help = "on our standard input and output as they are"},
	{0},
};

/* A variable replaces an earlier one of its name: which of two counts is up to each program. */
static void put_variable(char **env, char *variable)
{
	size_t len = strcspn(variable, "=") + 1;
	size_t i = 0;

	while (env[i] && strncmp(env[i], variable, len) != 0)
		i++;
	env[i] = variable;
}

/* The caller owns the list, not its strings. */
static int make_environment(const struct ctl_line *line, const struct ct_definition *d,
			    char *terminal, char ***out, struct err *e)
{
	auto_free char **env =
		calloc(OWN_VARIABLES + CT_WORDS_MAX + CTL_MOST_OPTIONS + 1, sizeof(*env));
	const char *variable;

	if (!env)
		return err_set(e, ENOMEM, "out of memory for variables");
	put_variable(env, path_variable);
	if (*terminal)
		put_variable(env, terminal);
	for (size_t i = 0; i < CT_WORDS_MAX && d->env[i][0]; i++)
		put_variable(env, (char *)d->env[i]);
	for (int n = 0; (variable = ctl_value_nth(line, "env", n, NULL)); n++) {
		if (!strchr(variable, '=') || *variable == '=') {
			err_set(e, EINVAL, "--env: '%.64s' is not of the form NAME=VALUE",
				variable);
			return err_class(e, ERR_VALUE);
		}
		put_variable(env, (char *)variable);
	}
	*out = take_ptr(&env);
	return 0;
}

static bool wants_terminal(const struct ctl_line *line)
{
	if (ctl_flag(line, "no-tty"))
		return false;
	return ctl_flag(line, "tty") || (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO));
}

int ctl_session(const struct ctl_line *line, const struct ct_system *s, char **args, struct err *e)
{
	const char *cwd = ctl_value(line, "cwd"), *term = getenv("TERM");
	auto_ct struct ct ct = CT_INIT;
	auto_free char **env = NULL;
	auto_free char *directory = strdup(cwd ? cwd : "/");
	char terminal[64] = "";
	struct ct_process p = {.args = args, .cwd = directory, .umask = -1};
	struct ct_exec how = {.process = &p,
			      .user = ctl_value(line, "user"),
			      .stdio = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO},
			      .cache_dir = -EBADF};
	struct ct_executed run = {.pidfd = -EBADF, .console = -EBADF};
	struct winsize size;
	int r;

	if (!directory)
		return err_set(e, ENOMEM, "out of memory");
	if (directory[0] != '/') {
		err_set(e, EINVAL, "--cwd: '%.64s' does not begin with /", directory);
		return err_class(e, ERR_VALUE);
	}
	if (ctl_runtime_running(s, &ct, e) < 0)
		return -e->no;
	p.terminal = wants_terminal(line);
	if (p.terminal && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
		p.rows = size.ws_row;
		p.cols = size.ws_col;
	}
	if (p.terminal)
		snprintf(terminal, sizeof(terminal), "TERM=%s", term && *term ? term : "linux");
	if (make_environment(line, &s->d, terminal, &env, e) < 0)
		return -e->no;
	p.env = env;
	how.cache_dir = ct_host_cache(s->host, e);
	if (how.cache_dir < 0)
		return how.cache_dir;
	r = ct_exec(&ct, &how, &run, e);
	if (r < 0)
		ctl_runtime_explain(s, e);
	close(how.cache_dir);
	if (r >= 0)
		r = ct_exec_wait(&run, e);
	if (run.pidfd >= 0)
		close(run.pidfd);
	if (run.console >= 0)
		close(run.console);
	return r;
}
