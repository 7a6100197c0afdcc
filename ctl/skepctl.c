// SPDX-License-Identifier: GPL-2.0-only
/* The operator's command: words to a verb, its failure to one line and an exit code. */
#include "ctl/skepctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "ctl/help.h"
#include "ctl/report.h"

/* A descriptor that we open must never become somebody's standard output because the caller had closed its own. */
static int open_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR); /* not CLOEXEC: 0 to 2 are inherited */
	while (fd >= 0 && fd <= STDERR_FILENO);
	return fd < 0 ? -errno : close(fd);
}

static int show(const struct ctl_line *line)
{
	if (ctl_flag(line, "version"))
		printf("skepctl %s\n", SKEP_VERSION);
	else if (line->command)
		ctl_help_command(&ctl_skepctl, line->command, stdout);
	else
		ctl_help_front(&ctl_skepctl, stdout);
	return 0;
}

static int run(struct ctl_line *line, struct err *e)
{
	int r, flushed;

	ctl_report_init(&ctl_skepctl, ctl_flag(line, "verbose"), ctl_flag(line, "debug"));
	if (line->help || ctl_flag(line, "version"))
		r = show(line);
	else
		r = line->command->run(line, e);
	flushed = ctl_flush(e);
	if (r < 0 || flushed < 0) {
		if (geteuid() != 0)
			err_hint(e, "skepctl works as root only: try it with sudo");
		if (e->class == ERR_NO_SPACE)
			err_hint(e, "skepctl doctor says how much room there is, and where");
		return ctl_report(line, e);
	}
	return r;
}

int main(int argc, char **argv)
{
	struct ctl_line line = {.front = &ctl_skepctl};
	struct err e = {0};

	if (open_standard() < 0)
		return err_class_exit_code(ERR_SYSTEM);
	/* The modes of our files are what the code says, whatever the caller's mask. */
	umask(0022);
	if (ctl_parse(&ctl_skepctl, argc, argv, &line, &e) < 0)
		return ctl_report(&line, &e);
	return run(&line, &e);
}
