// SPDX-License-Identifier: GPL-2.0-only
/* The operator's terminal, connected to a container's console by way of its monitor. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "runtime/monitor.h"
#include "runtime/state.h"

#define ESCAPE 0x1d /* ^] */

enum watched { INPUT, SERVER, SIGNALS, WATCHED };

struct attached {
	const struct ct *ct;
	int in, out;
	int sock;
	int signals;
	sigset_t old_mask;
	struct termios old_mode;
	bool raw;
	bool masked;
	bool in_ended;
	int caught;	  /* a signal that is to end us, once the terminal is as it was */
	char typed[1024]; /* a packet that the monitor has not taken yet */
	size_t typed_len;
};

static int open_monitor(const struct ct *ct, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	auto_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(e, "make a socket");
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/" MONITOR_SOCKET_FILE,
		 ct->dir);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return take_fd(&fd);
	if (errno != ENOENT && errno != ECONNREFUSED)
		return err_sys(e, "reach the monitor of container %s", ct->s.id);
	/* Running, or we would not be here: its monitor was killed, or it never had one. */
	err_set(e, ENOTCONN, "container %s has no monitor that serves its console", ct->s.id);
	return err_hint(e,
			"`skepctl enter %s` opens a shell in it; a restart brings the console back",
			ct->s.id);
}

static int make_raw(struct attached *a, struct err *e)
{
	struct termios mode;

	if (tcgetattr(a->in, &a->old_mode) < 0)
		return 0; /* no terminal: bytes as they come */
	mode = a->old_mode;
	cfmakeraw(&mode);
	if (tcsetattr(a->in, TCSADRAIN, &mode) < 0)
		return err_sys(e, "set the terminal to raw");
	a->raw = true;
	return 0;
}

static int watch_signals(struct attached *a, struct err *e)
{
	static const int ours[] = {SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		sigaddset(&set, ours[i]);
	if (sigprocmask(SIG_BLOCK, &set, &a->old_mask) < 0)
		return err_sys(e, "block signals");
	a->masked = true;
	a->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return a->signals < 0 ? err_sys(e, "watch signals") : 0;
}

static void detach(struct attached *a)
{
	if (a->raw)
		(void)tcsetattr(a->in, TCSADRAIN, &a->old_mode);
	own_close_fd(&a->sock);
	own_close_fd(&a->signals);
	if (a->caught)
		(void)raise(a->caught);
	if (a->masked)
		(void)sigprocmask(SIG_SETMASK, &a->old_mask, NULL);
}

/*
 * Never waits: a container that does not read its console must not keep us from hearing signals. 0: it has no room now. What it does not hear
 * because it is gone shows when we listen to it.
 */
static int send_packet(const struct attached *a, const char *packet, size_t n, struct err *e)
{
	if (send(a->sock, packet, n, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 || errno == EPIPE ||
	    errno == ECONNRESET)
		return 1;
	return errno == EAGAIN || errno == EINTR ? 0 : err_sys(e, "send to the monitor");
}

static int send_pending(struct attached *a, struct err *e)
{
	int r = send_packet(a, a->typed, a->typed_len, e);

	if (r > 0)
		a->typed_len = 0;
	return r < 0 ? r : 0;
}

static int send_size(const struct attached *a, struct err *e)
{
	char packet[1 + 2 * sizeof(uint16_t)] = {MONITOR_SIZE};
	struct winsize size;

	if (ioctl(a->in, TIOCGWINSZ, &size) < 0 && ioctl(a->out, TIOCGWINSZ, &size) < 0)
		return 0;
	/* A terminal that does not know its size says 0: the container's keeps what it has. */
	if (!size.ws_row || !size.ws_col)
		return 0;
	memcpy(packet + 1, &(uint16_t){size.ws_row}, sizeof(uint16_t));
	memcpy(packet + 3, &(uint16_t){size.ws_col}, sizeof(uint16_t));
	/* Without room it is lost: the next change tells the size again. */
	return send_packet(a, packet, sizeof(packet), e) < 0 ? -e->no : 0;
}

/* 1: the escape was typed. */
static int take_typed(struct attached *a, struct err *e)
{
	ssize_t n = read(a->in, a->typed + 1, sizeof(a->typed) - 1);
	const char *escape;
	int r;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		/* EIO: our terminal was taken away. A pipe or file that has ended leaves us as one who only looks. */
		a->in_ended = true;
		return n < 0 ? 1 : 0;
	}
	escape = memchr(a->typed + 1, ESCAPE, (size_t)n);
	if (escape)
		n = escape - a->typed - 1;
	if (n == 0)
		return 1;
	a->typed[0] = MONITOR_INPUT;
	a->typed_len = (size_t)n + 1;
	r = send_pending(a, e);
	return r < 0 ? r : escape != NULL;
}

static int hear_signal(struct attached *a, struct err *e)
{
	struct signalfd_siginfo info;

	if (read(a->signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	if (info.ssi_signo == SIGWINCH)
		return send_size(a, e);
	a->caught = (int)info.ssi_signo;
	return 1;
}

/* The monitor's end without a word: it was killed, or we were too slow for its last one. */
static int lost_monitor(const struct attached *a, struct err *e)
{
	auto_fd int pidfd = ct_init_open(a->ct, e);

	if (pidfd == -ESRCH)
		return 0;
	if (pidfd < 0)
		return pidfd;
	err_set(e, EPIPE, "the monitor of container %s was killed; the container goes on",
		a->ct->s.id);
	return err_hint(e, "a restart brings the console back");
}

/* 1: go on; 0: the container has ended. */
static int hear_monitor(struct attached *a, struct err *e)
{
	char packet[MONITOR_PACKET];
	ssize_t n = recv(a->sock, packet, sizeof(packet), 0);
	int r;

	/* ECONNRESET: it went without having read all that we sent. Told once, before what it said last. */
	if (n < 0 && (errno == EINTR || errno == ECONNRESET))
		return 1;
	if (n < 0)
		return err_sys(e, "hear the monitor of container %s", a->ct->s.id);
	if (n == 0)
		return lost_monitor(a, e);
	switch (packet[0]) {
	case MONITOR_OUTPUT:
		r = file_write_all(a->out, packet + 1, (size_t)n - 1, e);
		return r < 0 ? r : 1;
	case MONITOR_END:
		return 0;
	case MONITOR_BUSY:
		err_set(e, EBUSY, "the console of container %s is in use by somebody else",
			a->ct->s.id);
		return err_class(e, ERR_LOCKED);
	default:
		return 1; /* a newer monitor's word */
	}
}

static int talk(struct attached *a, struct err *e)
{
	int r = send_size(a, e);

	while (r >= 0) {
		bool full = a->typed_len > 0;
		struct pollfd p[WATCHED] = {
			[INPUT] = {.fd = a->in_ended || full ? -1 : a->in, .events = POLLIN},
			[SERVER] = {.fd = a->sock,
				    .events = (short)(POLLIN | (full ? POLLOUT : 0))},
			[SIGNALS] = {.fd = a->signals, .events = POLLIN},
		};

		if (poll(p, WATCHED, -1) < 0 && errno != EINTR)
			return err_sys(e, "wait for input");
		if (p[SERVER].revents & ~POLLOUT) {
			r = hear_monitor(a, e);
			if (r <= 0)
				return r;
		}
		r = p[SIGNALS].revents ? hear_signal(a, e) : 0;
		if (r == 0 && full && p[SERVER].revents & POLLOUT)
			r = send_pending(a, e);
		if (r == 0 && p[INPUT].revents)
			r = take_typed(a, e);
		if (r == 1)
			return 1;
	}
	return r;
}

int ct_console_attach(const struct ct *ct, int in, int out, struct err *e)
{
	struct attached a = {.ct = ct, .in = in, .out = out, .sock = -EBADF, .signals = -EBADF};
	int r = a.sock = open_monitor(ct, e);

	if (r >= 0)
		r = watch_signals(&a, e);
	if (r >= 0)
		r = make_raw(&a, e);
	if (r >= 0)
		r = talk(&a, e);
	detach(&a);
	return r;
}
