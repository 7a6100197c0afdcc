// SPDX-License-Identifier: GPL-2.0-only
/* Between skep and its caller: descriptors, the terminal's socket, the pid file. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/size.h"
#include "base/sock.h"
#include "ctl/oci.h"
#include "ns/self.h"

#define PRESERVE_MOST	   1000
#define FIRST_PRESERVED_FD 3

static char **as_called; /* for the length of the program */

int ctl_oci_remember(int argc, char **argv, struct err *e)
{
	as_called = calloc((size_t)argc + 1, sizeof(*as_called));
	if (!as_called)
		return err_set(e, ENOMEM, "out of memory for the command line");
	memcpy(as_called, argv, (size_t)argc * sizeof(*as_called));
	return 0;
}

int ctl_oci_shield(struct err *e)
{
	static char self[512];

	/* Who is not root needs a user namespace: ct_create() says so. */
	if (getauxval(AT_EUID) != 0)
		return 0;
	/* A program on a mount without a place has no directory: its helper is looked for beside its first word then (libexec.h). */
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) > 1)
		as_called[0] = self;
	if (ns_self_shield(as_called, e) < 0)
		return -e->no;
	/* The name that execveat(2) gives is the descriptor's number. */
	return ns_self_name("skep", e);
}

/* From 3 on, up to the last that our caller has left open. One that is CLOEXEC is ours already, not inherited. */
static int count_inherited(int most)
{
	while (most > 0 && fcntl(FIRST_PRESERVED_FD + most - 1, F_GETFD) != 0)
		most--;
	return most;
}

static int not_open(int fd, struct err *e)
{
	err_set(e, EBADF, "descriptor %d is to be preserved, but is not open", fd);
	return err_class(e, ERR_VALUE);
}

/* A number between them that is not open would become whatever we open next, and the container's. */
static int fill_gaps(int count, struct err *e)
{
	for (int fd = FIRST_PRESERVED_FD; fd < FIRST_PRESERVED_FD + count; fd++) {
		int flags = fcntl(fd, F_GETFD);
		auto_fd int null = -EBADF;

		if (flags == 0)
			continue;
		if (flags > 0)
			return not_open(fd, e);
		null = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (null < 0)
			return err_sys(e, "open /dev/null");
		if (null == fd) {
			(void)fcntl(fd, F_SETFD, 0);
			take_fd(&null);
		} else if (dup2(null, fd) < 0) {
			return err_sys(e, "reserve descriptor %d", fd);
		}
	}
	return 0;
}

int ctl_oci_preserved(const struct ctl_line *line, int *count, struct err *e)
{
	const char *more = ctl_value(line, "preserve-fds"), *listen = getenv("LISTEN_FDS");
	int64_t n = 0, of_listen = 0;

	if (listen && size_parse_number("$LISTEN_FDS", listen, 0, PRESERVE_MOST, &of_listen, e) < 0)
		return -e->no;
	if (more && size_parse_number("--preserve-fds", more, 0, PRESERVE_MOST, &n, e) < 0)
		return -e->no;
	ns_self_mount_above(FIRST_PRESERVED_FD + (int)(n + of_listen));
	*count = count_inherited((int)(n + of_listen));
	if (n && !*count)
		return not_open(FIRST_PRESERVED_FD, e);
	if (*count < n)
		log_warn("of %d descriptors to be preserved the last %d are not open", (int)n,
			 (int)n - *count);
	return fill_gaps(*count, e);
}

int ctl_oci_listen_env(struct ct_process *p, struct err *e)
{
	const char *listen = getenv("LISTEN_FDS");
	char *fds = NULL, *pid = NULL;
	size_t n = 0;
	char **env;

	if (!listen || !*listen)
		return 0;
	while (p->env && p->env[n])
		n++;
	env = realloc(p->env, (n + 3) * sizeof(*env));
	if (env)
		p->env = env;
	if (!env || asprintf(&fds, "LISTEN_FDS=%s", listen) < 0 ||
	    !(pid = strdup("LISTEN_PID=1"))) {
		free(fds);
		return err_set(e, ENOMEM, "out of memory for the environment");
	}
	env[n] = fds;
	env[n + 1] = pid;
	env[n + 2] = NULL;
	return 0;
}

int ctl_oci_judge_console(const struct ctl_line *line, bool terminal, bool detached, struct err *e)
{
	bool has_socket = ctl_flag(line, "console-socket");

	if (terminal && detached && !has_socket)
		err_set(e, EINVAL,
			"cannot allocate a terminal without --console-socket: nobody would hold it, use --console-socket");
	else if (has_socket && !terminal)
		err_set(e, EINVAL, "--console-socket: the process wants no terminal");
	else if (has_socket && !detached)
		err_set(e, EINVAL, "--console-socket: only with --detach");
	else
		return 0;
	return err_class(e, ERR_VALUE);
}

int ctl_oci_send_console(const char *path, int console, struct err *e)
{
	/* The data are the terminal's name; readers look at the descriptor only. */
	static const char name[] = "/dev/ptmx";
	auto_fd int fd = sock_connect(path, "console socket", e);

	if (fd < 0)
		return fd;
	if (sock_send_fd(fd, name, sizeof(name), console, e) < 0)
		return err_wrap(e, "console socket %s", path);
	return 0;
}

int ctl_oci_send_pidfd(const char *path, int pidfd, struct err *e)
{
	static const char name[] = "pidfd";
	auto_fd int fd = sock_connect(path, "pidfd socket", e);

	if (fd < 0)
		return fd;
	return sock_send_fd(fd, name, strlen(name), pidfd, e) < 0
		       ? err_wrap(e, "pidfd socket %s", path)
		       : 0;
}

int ctl_oci_write_pid(const char *path, pid_t pid, struct err *e)
{
	const char *slash = strrchr(path, '/');
	auto_free char *parent = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	auto_fd int dir = -EBADF;
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", pid);

	if (!parent)
		return err_set(e, ENOMEM, "out of memory for a path");
	dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "pid file: open %s", parent);
	if (file_replace_volatile_at(dir, slash ? slash + 1 : path, text, (size_t)n, 0644, e) < 0)
		return err_wrap(e, "pid file");
	return 0;
}
