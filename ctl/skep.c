// SPDX-License-Identifier: GPL-2.0-only
/* skep: the OCI runtime command. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "ctl/help.h"
#include "ctl/oci.h"
#include "ctl/report.h"
#include "ctl/skepctl.h"
#include "ns/self.h"

/* Whoever called us without one of 0, 1, 2 must not find a file of ours in its place. */
static void fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

static int help(const struct ctl_line *line, struct err *e)
{
	if (line->command)
		ctl_help_command(line->front, line->command, stdout);
	else
		ctl_help_front(line->front, stdout);
	return ctl_flush(e);
}

/* "crun version 0.1 (skep)" by a link called crun: callers read the first word as the runtime's name, people are told what it is. */
static int version(const struct ctl_line *line, struct err *e)
{
	const struct ctl_front *front = line->front;
	bool own = strcmp(front->name, front->page) == 0;

	printf("%s version %s%s%s%s\n", front->name, SKEP_VERSION, own ? "" : " (",
	       own ? "" : front->page, own ? "" : ")");
	/* The third line is as crun's, which callers and tests look at: what is built in. */
	printf("spec: %s\n%s\n", CTL_OCI_VERSION,
	       "+SYSTEMD +SELINUX +APPARMOR +CAP +SECCOMP +EBPF +CRIU");
	return ctl_flush(e);
}

static int run(struct ctl_line *line, int argc, char **argv, struct err *e)
{
	int r;

	line->front = ctl_oci_called(program_invocation_short_name);
	if (ctl_oci_remember(argc, argv, e) < 0)
		return -e->no;
	r = ctl_parse(line->front, argc, argv, line, e);
	/* Asked for without a command, which the parser misses. */
	if (!line->command && ctl_flag(line, "version")) {
		err_clear(e);
		return version(line, e);
	}
	if (r < 0)
		return r;
	if (line->help || !line->command)
		return help(line, e);
	r = ctl_oci_log_open(line, e);
	if (r >= 0)
		r = ctl_oci_judge_globals(line, e);
	return r < 0 ? r : line->command->run(line, e);
}

int main(int argc, char **argv)
{
	struct ctl_line line = {0};
	struct err e = {0};
	uint32_t seed;
	int r;

	fill_standard_descriptors();
	ns_self_mount_find();
	/* Else jansson opens /dev/urandom for it. The kernel has given us 16 random bytes, anywhere on the stack. */
	memcpy(&seed, (const void *)getauxval(AT_RANDOM), sizeof(seed));
	json_object_seed(seed | 1);
	/* The modes of what we make on the way into a container are what the code says, whatever the caller's mask. */
	umask(0022);
	r = run(&line, argc, argv, &e);
	return r < 0 ? ctl_oci_report(&line, &e) : r;
}
