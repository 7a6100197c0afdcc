// SPDX-License-Identifier: GPL-2.0-only
/* fork(2), twice. */
#include "ns/orphan.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "ns/fds.h"

/* Who reads our caller's output waits for its end. */
static void close_streams(const int keep[], size_t n)
{
	for (int fd = 0; fd < 3; fd++) {
		bool kept = false;

		for (size_t i = 0; i < n; i++)
			kept |= keep[i] == fd;
		if (!kept)
			close(fd);
	}
}

/* Closed by who is waited for: nothing else of the caller's, a lock above all, is open any more when it goes on. Never returns but in the orphan. */
static void go_on_alone(const char *name, const int keep[], size_t n)
{
	static const int caught[] = {SIGINT, SIGTERM, SIGHUP};
	struct err e = {0};
	pid_t last;

	if (ns_fds_close_others(keep, n, &e) < 0)
		_exit(e.no);
	close_streams(keep, n);
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		signal(caught[i], SIG_DFL);
	last = fork();
	if (last != 0)
		_exit(last < 0 ? errno : 0);
	prctl(PR_SET_NAME, name);
	(void)setsid();
	if (chdir("/") < 0)
		_exit(1);
}

int ns_orphan(const char *name, const int keep[], size_t n)
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		go_on_alone(name, keep, n);
		return 0;
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return !WIFEXITED(status) ? -EINTR : WEXITSTATUS(status) ? -WEXITSTATUS(status) : 1;
}
