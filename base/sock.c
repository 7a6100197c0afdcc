// SPDX-License-Identifier: GPL-2.0-only
/* connect(2) with a bound, sendmsg(2) with a descriptor. */
#include "base/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/err.h"
#include "base/own.h"

#define TIMEOUT_S 10

int sock_connect(const char *path, const char *what, struct err *e)
{
	const struct timeval limit = {.tv_sec = TIMEOUT_S};
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	auto_fd int at = open(path, O_PATH | O_CLOEXEC);
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (at < 0)
		return err_sys(e, "open %s %s", what, path);
	if (fd < 0)
		return err_sys(e, "make a socket");
	/* By way of its descriptor a path of any length fits into sun_path. Who never accepts must not hold us for ever. */
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d", at);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		err_sys(e, "connect to %s %s", what, path);
		return e->no == EAGAIN ? err_hint(e, "nobody accepts on it") : -e->no;
	}
	return take_fd(&fd);
}

int sock_send_fd(int sock, const void *data, size_t len, int fd, struct err *e)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
	ssize_t n;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	do
		n = sendmsg(sock, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "send a descriptor");
	while ((size_t)n < len) {
		ssize_t more = send(sock, (const char *)data + n, len - (size_t)n, MSG_NOSIGNAL);

		if (more < 0 && errno != EINTR)
			return err_sys(e, "send to a socket");
		n += more > 0 ? more : 0;
	}
	return 0;
}
