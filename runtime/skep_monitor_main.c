// SPDX-License-Identifier: GPL-2.0-only
/* skep-monitor: stays with a container, reaps its init, keeps its console. One file, no library: it is resident once a container. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/monitor.h"

/* linux/tty.h and asm/ioctls.h are not for a C library's user; the number is the same on all that have it but parisc, mips, powerpc, sparc, alpha. */
#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

/* Nobody has the terminal open and we could not open it either: look again after this. */
#define HUP_WAIT_MS 1000

/* More cannot be in a terminal whose writers are all dead (the kernel's limit is 64 KiB). */
#define DRAIN_MOST 64

/* Indices of the poll set. */
enum watched { INIT, CONSOLE, SOCKET, CLIENT, WATCHED };

static struct {
	pid_t init;
	const char *log_path;
	int log;
	int console; /* -1: it has none */
	off_t log_size;
	int slave; /* held, so that the master does not read EIO between two programs that open the console */
	int client;
	unsigned long lost; /* bytes that the client was too slow for */
	bool hung_up;
	size_t typed_from, typed_to; /* of typed[]: not yet taken by the terminal */
	char typed[MONITOR_PACKET];
	char shown[MONITOR_PACKET]; /* the letter, then what was read */
} m;

/* A handler, not SIG_IGN: what is ignored stays so for the program that we exec. */
static void stay(int sig)
{
	(void)sig;
}

static void set_up_descriptors(void)
{
	struct stat st;

	for (int fd = MONITOR_STATE; fd < MONITOR_FDS_END; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	m.console = fcntl(MONITOR_CONSOLE, F_SETFL, O_RDWR | O_NONBLOCK) < 0 ? -1 : MONITOR_CONSOLE;
	fcntl(MONITOR_SOCKET, F_SETFL, O_RDWR | O_NONBLOCK);
	m.log = MONITOR_LOG;
	m.log_size = fstat(m.log, &st) == 0 ? st.st_size : 0;
	m.client = -1;
	m.slave = ioctl(m.console, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static void set_up_signals(void)
{
	static const int ours[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2};
	struct sigaction act = {.sa_handler = stay, .sa_flags = SA_RESTART};
	sigset_t none;

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		sigaction(ours[i], &act, NULL);
	/* They were blocked before our execve, lest one that came too early should end us. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void rotate(void)
{
	char old[4096];
	size_t n = strlen(m.log_path);
	int fd;

	m.log_size = 0; /* on failure: the next try is after as many bytes again */
	if (n + 3 > sizeof(old))
		return;
	memcpy(old, m.log_path, n);
	memcpy(old + n, ".1", 3);
	if (rename(m.log_path, old) < 0)
		return;
	fd = open(m.log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	close(m.log);
	m.log = fd;
}

/* What a full disk does not take is lost: a container must not stand still for its log. */
static void keep(const char *text, size_t n)
{
	ssize_t done = write(m.log, text, n);

	if (done > 0)
		m.log_size += done;
	if (m.log_size >= MONITOR_LOG_MOST)
		rotate();
}

static void drop_client(void)
{
	if (m.client >= 0)
		close(m.client);
	m.client = -1;
	m.typed_from = m.typed_to = 0;
}

/* False: it is too slow, or gone. */
static bool send_packet(int fd, const char *packet, size_t n)
{
	return send(fd, packet, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n;
}

static void tell_lost(void)
{
	char text[64] = {MONITOR_OUTPUT}, digits[24], *p = digits + sizeof(digits), *q;
	static const char before[] = "\r\n[skep: ", after[] = " bytes not shown]\r\n";
	unsigned long n = m.lost;

	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	q = stpcpy(text + 1, before);
	q = mempcpy(q, p, (size_t)(digits + sizeof(digits) - p));
	q = stpcpy(q, after);
	if (send_packet(m.client, text, (size_t)(q - text)))
		m.lost = 0;
}

static void show(size_t n)
{
	if (m.client < 0)
		return;
	if (m.lost)
		tell_lost();
	if (m.lost || !send_packet(m.client, m.shown, n + 1))
		m.lost += n;
}

/* False: nothing more to read now. */
static bool read_console(void)
{
	ssize_t n = read(m.console, m.shown + 1, sizeof(m.shown) - 1);

	if (n > 0) {
		m.shown[0] = MONITOR_OUTPUT;
		keep(m.shown + 1, (size_t)n);
		show((size_t)n);
		return true;
	}
	/*
	 * EIO: the last slave was closed, or hung up by vhangup(2), as systemd does between two programs on the console. To open a slave ends that
	 * state (pty_open clears TTY_OTHER_CLOSED). Without it poll(2) would say POLLHUP for ever.
	 */
	if (n == 0 || errno == EIO) {
		if (m.slave >= 0)
			close(m.slave);
		m.slave = ioctl(m.console, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
		m.hung_up = m.slave < 0;
	}
	return false;
}

static void type(void)
{
	while (m.typed_from < m.typed_to) {
		ssize_t n = write(m.console, m.typed + m.typed_from, m.typed_to - m.typed_from);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			m.typed_from = m.typed_to;
		if (n <= 0)
			return;
		m.typed_from += (size_t)n;
	}
}

static void hear_client(void)
{
	ssize_t n = recv(m.client, m.typed, sizeof(m.typed), MSG_DONTWAIT);
	struct winsize size = {0};

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop_client();
		return;
	}
	if (m.typed[0] == MONITOR_INPUT) {
		m.typed_from = 1;
		m.typed_to = (size_t)n;
		type();
	} else if (m.typed[0] == MONITOR_SIZE && n == 5) {
		memcpy(&size.ws_row, m.typed + 1, 2);
		memcpy(&size.ws_col, m.typed + 3, 2);
		ioctl(m.console, TIOCSWINSZ, &size);
	}
}

/* Root of the host only: a container's root is another uid here. */
static void meet_client(void)
{
	const char busy = MONITOR_BUSY;
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t len = sizeof(peer);
	int fd = accept4(MONITOR_SOCKET, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != 0) {
		close(fd);
		return;
	}
	if (m.client >= 0) {
		send_packet(fd, &busy, 1);
		close(fd);
		return;
	}
	m.client = fd;
	m.lost = 0;
}

/* Until init has ended. */
static void watch(void)
{
	bool typing = m.typed_from < m.typed_to;
	struct pollfd p[WATCHED] = {
		[INIT] = {.fd = MONITOR_PIDFD, .events = POLLIN},
		[CONSOLE] = {.fd = m.hung_up ? -1 : m.console,
			     .events = (short)(POLLIN | (typing ? POLLOUT : 0))},
		[SOCKET] = {.fd = MONITOR_SOCKET, .events = POLLIN},
		/* While the terminal takes no more, neither do we: the client's typing waits in its socket. */
		[CLIENT] = {.fd = m.client, .events = (short)(typing ? 0 : POLLIN)},
	};

	while (poll(p, WATCHED, m.hung_up ? HUP_WAIT_MS : -1) < 0)
		if (errno != EINTR && errno != EAGAIN)
			return;
	if (p[CONSOLE].revents & ~POLLOUT || m.hung_up)
		read_console();
	if (p[CONSOLE].revents & POLLOUT)
		type();
	if (p[CLIENT].revents & (POLLIN | POLLHUP | POLLERR)) {
		if (typing)
			drop_client();
		else
			hear_client();
	}
	if (p[SOCKET].revents)
		meet_client();
}

static bool ended(void)
{
	struct pollfd p = {.fd = MONITOR_PIDFD, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* The wait status in decimal. If we are not init's parent (a restore by others) nobody knows it, and there is no file. */
static void note_end(void)
{
	char digits[16], *p = digits + sizeof(digits);
	unsigned n;
	int status, fd;
	pid_t r;

	do
		r = waitpid(m.init, &status, 0);
	while (r < 0 && errno == EINTR);
	if (r != m.init)
		return;
	n = (unsigned)status & 0xffff;
	*--p = '\n';
	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	fd = openat(MONITOR_STATE, ".exit", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0)
		return;
	if (write(fd, p, (size_t)(digits + sizeof(digits) - p)) == digits + sizeof(digits) - p)
		renameat(MONITOR_STATE, ".exit", MONITOR_STATE, "exit");
	close(fd);
}

int main(int argc, char **argv)
{
	const char end = MONITOR_END;

	if (argc < 5 || strcmp(argv[3], "--") != 0)
		return 1;
	m.init = (pid_t)atoi(argv[1]);
	m.log_path = argv[2];
	set_up_signals();
	set_up_descriptors();
	while (!ended())
		watch();
	for (int i = 0; i < DRAIN_MOST && read_console(); i++)
		continue;
	note_end();
	if (m.client >= 0)
		send_packet(m.client, &end, 1);
	execv(argv[4], argv + 4);
	return 1;
}
