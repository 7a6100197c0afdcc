// SPDX-License-Identifier: GPL-2.0-only
/* A process that closes a descriptor, or destroys links, for us. */
#include "checkpoint/shed.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "net/veth.h"
#include "ns/orphan.h"

#define WAIT_MS 1000

/* Our caller closes its own, and then its half of the pair: ours is the last. Our end is told by that of our half. */
static _Noreturn void close_last(int fd, int pair)
{
	struct pollfd p = {.fd = pair, .events = POLLIN};

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	close(fd);
	_exit(0);
}

int cr_shed_begin(int *fd)
{
	auto_fd int ours = -EBADF, theirs = -EBADF;
	int pair[2], r;

	if (*fd < 0)
		return -EBADF;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		own_close_fd(fd);
		return -EBADF;
	}
	ours = pair[0];
	theirs = pair[1];
	r = ns_orphan("skep-shed", (int[]){*fd, theirs}, 2);
	if (r == 0)
		close_last(*fd, theirs);
	own_close_fd(fd);
	if (r < 0)
		return -EBADF;
	(void)shutdown(ours, SHUT_WR);
	return take_fd(&ours);
}

static _Noreturn void destroy(const char names[][IFNAMSIZ], int count)
{
	struct err ignored = {0};

	for (int i = 0; i < count; i++)
		(void)net_veth_destroy(names[i], &ignored);
	_exit(0);
}

int cr_shed_links(const char names[][IFNAMSIZ], int count)
{
	auto_fd int ours = -EBADF, theirs = -EBADF;
	int pair[2], r;

	if (count < 1 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -EBADF;
	ours = pair[0];
	theirs = pair[1];
	r = ns_orphan("skep-shed", &theirs, 1);
	if (r == 0)
		destroy(names, count);
	return r < 0 ? -EBADF : take_fd(&ours);
}

void cr_shed_wait(int *rest)
{
	struct pollfd p = {.fd = *rest, .events = POLLIN};

	if (*rest >= 0)
		while (poll(&p, 1, WAIT_MS) < 0 && errno == EINTR)
			;
	own_close_fd(rest);
}
