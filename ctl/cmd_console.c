// SPDX-License-Identifier: GPL-2.0-only
/* skepctl console: the terminal that a container's init has as its /dev/console. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "ctl/report.h"
#include "ctl/skepctl.h"
#include "ctl/target.h"
#include "runtime/monitor.h"

#define LOG_FILE "console.log"

static int show_file(int dir, const char *name, struct err *e)
{
	auto_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char buf[16384];
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(e, "open %s", name);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (fwrite(buf, 1, (size_t)n, stdout) < (size_t)n)
			return err_sys(e, "write to standard output");
	return n < 0 ? err_sys(e, "read %s", name) : 0;
}

static int attach(const struct ct_system *s, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	int r;

	if (ctl_runtime_running(s, &ct, e) < 0)
		return -e->no;
	if (isatty(STDIN_FILENO))
		fprintf(stderr, "Console of %s; Ctrl-] leaves it.\r\n", s->d.name);
	r = ct_console_attach(&ct, STDIN_FILENO, STDOUT_FILENO, e);
	if (r >= 0 && isatty(STDIN_FILENO))
		fprintf(stderr, "\r\n%s\n", r ? "Left the console." : "The container has ended.");
	return r < 0 ? r : 0;
}

static int run(struct ctl_line *line, struct err *e)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	struct ct_host h;

	if (ctl_host(line, &h, e) < 0 || ctl_system(&h, line->words[0], NULL, &s, e) < 0)
		return -e->no;
	if (!ctl_flag(line, "log"))
		return attach(&s, e);
	if (show_file(s.dir, LOG_FILE ".1", e) < 0)
		return -e->no;
	return show_file(s.dir, LOG_FILE, e);
}

static const struct ctl_option options[] = {
	{.name = "log", .letter = 'l', .help = "print what was on it, also of a stopped one"},
	{0},
};
static const struct ctl_option *const tables[] = {options, NULL};

const struct ctl_command ctl_cmd_console = {
	.name = "console",
	.words = "NAME",
	.summary = "connect this terminal to a container's console",
	.examples = {"skepctl console 101", "skepctl console --log 101"},
	.tables = tables,
	.least = 1,
	.most = 1,
	.run = run,
};
