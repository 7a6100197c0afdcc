// SPDX-License-Identifier: GPL-2.0-only
/* Messages between host side and init side. */
#include "base/sync.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"

int sync_pair(int *ours, int *theirs, struct err *e)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return err_sys(e, "make a socket pair");
	*ours = fds[0];
	*theirs = fds[1];
	return 0;
}

static int send_msg(const struct sync *s, const struct sync_msg *msg, int fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)msg, .iov_len = sizeof(*msg)};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (fd >= 0) {
		struct cmsghdr *c;

		mh.msg_control = control.buf;
		mh.msg_controllen = sizeof(control.buf);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	do
		n = s->filtered && fd < 0 ? write(s->fd, msg, sizeof(*msg))
					  : sendmsg(s->fd, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int sync_send(struct sync *s, unsigned step, enum sync_kind kind, int64_t value, int fd,
	      struct err *e)
{
	const struct sync_msg msg = {.step = step, .kind = kind, .value = value};
	int r = send_msg(s, &msg, fd);

	if (r == 0)
		return 0;
	return err_set(e, -r, "tell %s about step %s: %s", s->peer, s->step_to_str(step),
		       strerror(-r));
}

void sync_send_error(struct sync *s, unsigned step, const struct err *why)
{
	struct sync_msg msg = {.step = step, .kind = SYNC_ERROR, .err = *why};

	send_msg(s, &msg, -1);
}

static int received_fd(struct msghdr *mh)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(mh);
	int fd = -EBADF;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

int sync_expect(struct sync *s, unsigned step, enum sync_kind kind, int64_t *value, int *fd,
		struct err *e)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct sync_msg msg;
	struct iovec iov = {.iov_base = &msg, .iov_len = sizeof(msg)};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf)};
	auto_fd int got = -EBADF;
	int resets = 0;
	ssize_t n;

	/* A peer that ended before it read all of ours shows as ECONNRESET, once (sock_error()), and its last words come after. */
	do
		n = recvmsg(s->fd, &mh, MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || (errno == ECONNRESET && !resets++)));
	if (n < 0 && errno == EAGAIN)
		return err_set(e, EAGAIN, "%s does not come on at step %s: given up", s->peer,
			       s->step_to_str(step));
	if (n < 0)
		return err_sys(e, "wait for %s at step %s", s->peer, s->step_to_str(step));
	if (n == 0)
		return err_set(e, EPIPE, "%s died at step %s", s->peer, s->step_to_str(step));
	got = received_fd(&mh);
	if ((size_t)n != sizeof(msg))
		return err_set(e, EPROTO, "%s sent a torn message at step %s", s->peer,
			       s->step_to_str(step));
	/* The peer's words: it may be a container's process by now, so they are cut, never trusted to end. */
	msg.err.text[sizeof(msg.err.text) - 1] = 0;
	msg.err.hint[sizeof(msg.err.hint) - 1] = 0;
	if (msg.kind == SYNC_ERROR) {
		err_set(e, msg.err.no, "%s", msg.err.text);
		if ((unsigned)msg.err.class <= ERR_NOT_FOUND)
			err_class(e, msg.err.class);
		return msg.err.hint[0] ? err_hint(e, "%s", msg.err.hint) : -e->no;
	}
	if (msg.step != step || msg.kind != kind)
		return err_set(e, EPROTO, "%s is at step %s, expected %s", s->peer,
			       s->step_to_str(msg.step), s->step_to_str(step));
	if (value)
		*value = msg.value;
	/* The message is there all the same (scm_detach_fds()): without a place for it the descriptor is gone. */
	if (kind == SYNC_FD && got < 0)
		return err_set(e, EMFILE,
			       "what %s sent at step %s could not be received: too many open files",
			       s->peer, s->step_to_str(step));
	if (fd)
		*fd = take_fd(&got);
	return 0;
}

int sync_peek(struct sync *s, int flags, struct err *e)
{
	int resets = 0;
	ssize_t n;
	char byte;

	do
		n = recv(s->fd, &byte, 1, MSG_PEEK | flags);
	while (n < 0 && (errno == EINTR || (errno == ECONNRESET && !resets++)));
	if (n < 0 && errno == EAGAIN && flags & MSG_DONTWAIT)
		return 0;
	return n < 0 ? err_sys(e, "wait for %s", s->peer) : n > 0;
}
