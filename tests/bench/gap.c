// SPDX-License-Identifier: GPL-2.0-only
/* The outside client of a migration: asks a counter (probe counter) at a steady pace, and tells by its own clock how long it heard nothing. */
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
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/*
 * gap ADDRESS PORT INTERVAL_MS: sends "n\n" every INTERVAL_MS, whether it was answered or not, and expects the numbers one after the other. "ready" when it is connected, and then, at
 * SIGUSR1 and at its end (SIGTERM), a line of JSON about the time since the last one:
 *   answers, lost (numbers left out), repeated (numbers that came before), reconnects, unanswered (questions that still are)
 *   gap_ms: the longest time between two answers; gap_at: when it began, seconds since 1970; latency_ms: the longest from a question to its answer
 * An end of the connection is a reconnect: it connects anew, and the numbers begin again. It exits with 1 when anything was lost, repeated or reconnected.
 */

#define ASKED_MAX (1U << 16)

struct client {
	struct sockaddr_storage to;
	socklen_t len;
	int fd;
	char line[32];
	unsigned used;
	uint64_t count; /* the last number */
	uint64_t last;	/* when it came; ns, 0: none on this connection */
	uint64_t asked[ASKED_MAX], first, next;
	struct {
		uint64_t answers, lost, repeated, reconnects, gap, gap_at, latency;
	} told;
	bool bad;
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int fail(const char *what)
{
	fprintf(stderr, "gap: %s: %s\n", what, strerror(errno));
	return 1;
}

static bool parse(struct client *c, const char *address, const char *port)
{
	struct sockaddr_in *in = (void *)&c->to;
	struct sockaddr_in6 *in6 = (void *)&c->to;

	if (inet_pton(AF_INET, address, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)atoi(port));
		c->len = sizeof(*in);
		return true;
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)atoi(port));
	c->len = sizeof(*in6);
	return inet_pton(AF_INET6, address, &in6->sin6_addr) == 1;
}

static int connect_to(struct client *c)
{
	int one = 1;

	c->fd = socket(c->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&c->to, c->len) < 0)
		return fail("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->used = 0;
	c->count = c->first = c->next = 0;
	return 0;
}

/* The silence goes on: `last` stays. It is tried again at the next question. */
static int reconnect(struct client *c)
{
	if (c->fd >= 0) {
		c->told.reconnects++;
		close(c->fd);
	}
	c->bad = true;
	if (connect_to(c)) {
		close(c->fd);
		c->fd = -1;
	}
	return 0;
}

static void note(struct client *c, uint64_t number)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC), waited;

	if (c->last && now - c->last > c->told.gap) {
		c->told.gap = now - c->last;
		c->told.gap_at = now_ns(CLOCK_REALTIME) - c->told.gap;
	}
	c->last = now;
	c->told.answers++;
	if (number <= c->count)
		c->told.repeated++;
	else
		c->told.lost += number - c->count - 1;
	c->bad |= number != c->count + 1;
	c->count = number;
	if (c->first == c->next)
		return;
	waited = now - c->asked[c->first++ % ASKED_MAX];
	if (waited > c->told.latency)
		c->told.latency = waited;
}

static int hear(struct client *c)
{
	char in[4096];
	ssize_t n = recv(c->fd, in, sizeof(in), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return reconnect(c);
	for (ssize_t i = 0; i < n; i++) {
		if (in[i] != '\n' && c->used < sizeof(c->line) - 1) {
			c->line[c->used++] = in[i];
			continue;
		}
		c->line[c->used] = 0;
		c->used = 0;
		note(c, strtoull(c->line, NULL, 10));
	}
	return 0;
}

static int ask(struct client *c)
{
	if (c->next - c->first >= ASKED_MAX)
		return 0; /* it will not become better by asking */
	if (c->fd < 0)
		return reconnect(c);
	if (send(c->fd, "n\n", 2, MSG_NOSIGNAL | MSG_DONTWAIT) != 2)
		return errno == EAGAIN ? 0 : reconnect(c);
	c->asked[c->next++ % ASKED_MAX] = now_ns(CLOCK_MONOTONIC);
	return 0;
}

static void tell(struct client *c)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	/* A silence that lasts is one, too. */
	if (c->last && c->first != c->next && now - c->last > c->told.gap) {
		c->told.gap = now - c->last;
		c->told.gap_at = now_ns(CLOCK_REALTIME) - c->told.gap;
	}
	printf("{\"answers\": %llu, \"lost\": %llu, \"repeated\": %llu, \"reconnects\": %llu, \"unanswered\": %llu, "
	       "\"gap_ms\": %.2f, \"gap_at\": %.4f, \"latency_ms\": %.2f}\n",
	       (unsigned long long)c->told.answers, (unsigned long long)c->told.lost,
	       (unsigned long long)c->told.repeated, (unsigned long long)c->told.reconnects,
	       (unsigned long long)(c->next - c->first), (double)c->told.gap / 1e6,
	       (double)c->told.gap_at / 1e9, (double)c->told.latency / 1e6);
	fflush(stdout);
	memset(&c->told, 0, sizeof(c->told));
}

static int talk(struct client *c, int timer, int signals)
{
	for (;;) {
		struct pollfd p[] = {{.fd = signals, .events = POLLIN},
				     {.fd = timer, .events = POLLIN},
				     {.fd = c->fd, .events = POLLIN}};
		struct signalfd_siginfo s;
		uint64_t ticks;
		int r = 0;

		if (poll(p, 3, -1) < 0)
			return fail("poll");
		if (p[2].revents)
			r = hear(c);
		if (r == 0 && p[1].revents && read(timer, &ticks, sizeof(ticks)) == sizeof(ticks))
			r = ask(c);
		if (p[0].revents && read(signals, &s, sizeof(s)) == sizeof(s)) {
			tell(c);
			if (s.ssi_signo == SIGTERM)
				return c->bad;
		}
		if (r)
			return r;
	}
}

int main(int argc, char **argv)
{
	static struct client c;
	double ms = argc == 4 ? atof(argv[3]) : 0;
	long ns = (long)(ms * 1e6);
	struct itimerspec every = {.it_interval = {ns / 1000000000, ns % 1000000000}};
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), signals;
	sigset_t set;

	if (ms <= 0 || !parse(&c, argv[1], argv[2])) {
		fprintf(stderr, "usage: gap ADDRESS PORT INTERVAL_MS\n");
		return 2;
	}
	every.it_value = every.it_interval;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0 || timer < 0 || timerfd_settime(timer, 0, &every, NULL) < 0)
		return fail("set up");
	if (connect_to(&c))
		return 1;
	puts("ready");
	fflush(stdout);
	return talk(&c, timer, signals);
}
