// SPDX-License-Identifier: GPL-2.0-only
/* A remote shell without a cipher, so that a migration goes through a link and nothing else is measured. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * wire serve ADDRESS PORT: runs what each connection's first line says by `sh -c`, with the connection as its input and output. Says "ready".
 * wire call [-a SECONDS] PORT ADDRESS [--] WORD...: is called as ssh is; ends when the other side does, and with -a when the other host's kernel has not
 * been heard of for so long, as ssh does with ServerAliveInterval. The serving side has no such limit, as sshd has none.
 */

#define LINE_MAX_BYTES 65536

static int fail(const char *what)
{
	fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
	return 255;
}

static bool parse(struct sockaddr_in *sa, const char *address, const char *port)
{
	sa->sin_family = AF_INET;
	sa->sin_port = htons((uint16_t)atoi(port));
	return inet_pton(AF_INET, address, &sa->sin_addr) == 1;
}

static bool write_all(int fd, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, data, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return false;
		data += w;
		n -= (size_t)w;
	}
	return true;
}

/* Byte by byte: what follows the line is not ours. */
static void serve_one(int fd)
{
	static char line[LINE_MAX_BYTES];
	size_t n = 0;

	while (n < sizeof(line) - 1 && read(fd, line + n, 1) == 1 && line[n] != '\n')
		n++;
	line[n] = 0;
	if (dup2(fd, 0) < 0 || dup2(fd, 1) < 0)
		_exit(fail("dup2"));
	close(fd);
	signal(SIGCHLD, SIG_DFL);
	execl("/bin/sh", "sh", "-c", line, NULL);
	_exit(fail("sh"));
}

static int serve(const char *address, const char *port)
{
	struct sockaddr_in sa = {0};
	int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!parse(&sa, address, port) || bind(listener, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(listener, 8) < 0)
		return fail("listen");
	signal(SIGCHLD, SIG_IGN);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (fork() == 0)
			serve_one(fd);
		close(fd);
	}
}

/* Moves what is there; false: that direction has ended. */
static bool pump(int from, int to)
{
	static char buf[1 << 18];
	ssize_t n = read(from, buf, sizeof(buf));

	if (n < 0 && errno == EINTR)
		return true;
	return n > 0 && write_all(to, buf, (size_t)n);
}

/* A silent link is asked three times; data that nobody acknowledges ends it after the same time (tcp(7), TCP_USER_TIMEOUT). */
static bool bound(int fd, int seconds)
{
	unsigned ms = (unsigned)seconds * 1000;
	int one = 1, every = seconds / 4 > 0 ? seconds / 4 : 1, times = 3;

	return setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)) == 0 &&
	       setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &every, sizeof(every)) == 0 &&
	       setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every)) == 0 &&
	       setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times)) == 0 &&
	       setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms)) == 0;
}

static int call(int seconds, const char *port, const char *address, char **words)
{
	static char line[LINE_MAX_BYTES];
	struct sockaddr_in sa = {0};
	struct pollfd p[2] = {{.events = POLLIN}, {.events = POLLIN}};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t n = 0;

	if (seconds > 0 && !bound(fd, seconds))
		return fail("bound");
	if (!parse(&sa, address, port) || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return fail(address);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	signal(SIGPIPE, SIG_IGN);
	if (*words && !strcmp(*words, "--"))
		words++;
	for (; *words && n < sizeof(line); words++)
		n += (size_t)snprintf(line + n, sizeof(line) - n, "%s%c", *words,
				      words[1] ? ' ' : '\n');
	if (n >= sizeof(line) || !write_all(fd, line, n))
		return fail("ask");
	p[1].fd = fd;
	while (p[1].fd >= 0) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return fail("poll");
		if (p[0].revents && !pump(0, fd)) {
			p[0].fd = -1;
			shutdown(fd, SHUT_WR);
		}
		errno = 0;
		if (p[1].revents && !pump(fd, 1))
			p[1].fd = -1;
		if (p[1].fd < 0 && errno)
			return fail(address);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "serve"))
		return serve(argv[2], argv[3]);
	if (argc > 6 && !strcmp(argv[1], "call") && !strcmp(argv[2], "-a"))
		return call(atoi(argv[3]), argv[4], argv[5], argv + 6);
	if (argc > 4 && !strcmp(argv[1], "call"))
		return call(0, argv[2], argv[3], argv + 4);
	fprintf(stderr,
		"usage: wire serve ADDRESS PORT | wire call [-a SECONDS] PORT ADDRESS [--] WORD...\n");
	return 2;
}
