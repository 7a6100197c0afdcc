// SPDX-License-Identifier: GPL-2.0-only
/* A process that closes a descriptor for us. */
#include "checkpoint/shed.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "ns/fds.h"

#define WAIT_MS 1000

/* I am nobody's child. Our caller closes its own, and then its half of the pair: mine is the last. My end is told by that of my half. */
static _Noreturn void close_last(int fd, int pair)
{
	struct pollfd p = {.fd = pair, .events = POLLIN};
	struct err ignored = {0};

	prctl(PR_SET_NAME, "skep-shed");
	if (ns_fds_close_others((int[]){fd, pair}, 2, &ignored) >= 0) {
		for (int i = 0; i < 3; i++)
			close(i); /* who reads our caller's output waits for its end */
		while (poll(&p, 1, -1) < 0 && errno == EINTR)
			;
		close(fd);
	}
	_exit(0);
}

int cr_shed_begin(int *fd)
{
	auto_fd int ours = -EBADF, theirs = -EBADF;
	int pair[2], status = 1;
	pid_t child;

	if (*fd < 0)
		return -EBADF;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		own_close_fd(fd);
		return -EBADF;
	}
	ours = pair[0];
	theirs = pair[1];
	fflush(NULL);
	child = fork();
	if (child == 0) {
		pid_t last;

		own_close_fd(&ours);
		last = fork();
		if (last == 0)
			close_last(*fd, theirs);
		_exit(last < 0);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	own_close_fd(fd);
	if (child < 0 || status)
		return -EBADF;
	(void)shutdown(ours, SHUT_WR);
	return take_fd(&ours);
}

void cr_shed_wait(int *rest)
{
	struct pollfd p = {.fd = *rest, .events = POLLIN};

	if (*rest >= 0)
		while (poll(&p, 1, WAIT_MS) < 0 && errno == EINTR)
			;
	own_close_fd(rest);
}
