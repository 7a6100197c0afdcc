// SPDX-License-Identifier: GPL-2.0-only
/* fork(2), twice. */
#include "ns/orphan.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
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

int ns_orphan(const char *name, const int keep[], size_t n)
{
	struct err ignored = {0};
	int status = 0, no = 0;
	pid_t child, last;

	fflush(NULL);
	child = fork();
	if (child < 0)
		return -errno;
	if (child > 0) {
		while (waitpid(child, &status, 0) < 0)
			if (errno != EINTR)
				return -errno;
		return !WIFEXITED(status) ? -EINTR : WEXITSTATUS(status) ? -WEXITSTATUS(status) : 1;
	}
	last = fork();
	no = last < 0 ? errno : 0;
	if (last != 0)
		_exit(no);
	prctl(PR_SET_NAME, name);
	(void)setsid();
	if (ns_fds_close_others(keep, n, &ignored) < 0)
		_exit(1);
	close_streams(keep, n);
	return 0;
}
