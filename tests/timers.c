// SPDX-License-Identifier: GPL-2.0-only
/* A timerfd of each kind, and when each of them expires as its own clock has it. */

/*
 * timers FILE: every 20 ms FILE is replaced by lines "KIND POINT READY": the point in ms of the timer's clock (0: not armed), and whether an expiration waits to be read; and a line
 * "turn N".
 */

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define FAR 1000 /* s */

static struct kind {
	const char *name;
	int clock, flags;
	int64_t sec; /* from now; INT64_MAX: never */
	int disarmed;
	int fd;
} kinds[] = {
	{"monotonic", CLOCK_MONOTONIC, TFD_TIMER_ABSTIME, FAR, 0, -1},
	{"boottime", CLOCK_BOOTTIME, TFD_TIMER_ABSTIME, FAR, 0, -1},
	{"realtime", CLOCK_REALTIME, TFD_TIMER_ABSTIME, FAR, 0, -1},
	{"from_now", CLOCK_MONOTONIC, 0, FAR, 0, -1},
	{"disarmed", CLOCK_MONOTONIC, TFD_TIMER_ABSTIME, FAR, 1, -1},
	{"expired", CLOCK_MONOTONIC, TFD_TIMER_ABSTIME, -1, 0, -1},
	{"clock_set", CLOCK_REALTIME, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, INT64_MAX, 0,
	 -1},
};

static int arm(struct kind *k)
{
	struct itimerspec spec = {0};
	struct timespec now = {0};

	k->fd = timerfd_create(k->clock, TFD_NONBLOCK | TFD_CLOEXEC);
	if (k->flags & TFD_TIMER_ABSTIME)
		clock_gettime(k->clock, &now);
	spec.it_value.tv_sec = k->sec == INT64_MAX ? INT64_MAX : now.tv_sec + k->sec;
	spec.it_value.tv_nsec = 500000000;
	if (k->fd < 0 || timerfd_settime(k->fd, k->flags, &spec, NULL) < 0)
		return -1;
	memset(&spec, 0, sizeof(spec));
	return k->disarmed ? timerfd_settime(k->fd, k->flags, &spec, NULL) : 0;
}

static int64_t ms_of(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000 + t->tv_nsec / 1000000;
}

static int64_t point(const struct kind *k)
{
	struct itimerspec left;
	struct timespec before, now;

	/* What is left is of a moment between two looks at the clock. */
	do {
		if (clock_gettime(k->clock, &before) < 0 || timerfd_gettime(k->fd, &left) < 0 ||
		    clock_gettime(k->clock, &now) < 0)
			return -1;
	} while (ms_of(&now) - ms_of(&before) > 5); /* preempted in between */
	if (left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0)
		return 0;
	return (now.tv_sec + left.it_value.tv_sec) * 1000 +
	       (now.tv_nsec + left.it_value.tv_nsec) / 1000000;
}

int main(int argc, char **argv)
{
	char fresh[256];

	if (argc != 2 || snprintf(fresh, sizeof(fresh), "%s.new", argv[1]) >= (int)sizeof(fresh))
		return 2;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (arm(&kinds[i]) < 0) {
			perror(kinds[i].name);
			return 1;
		}
	for (unsigned turn = 1;; turn++) {
		FILE *f = fopen(fresh, "w");

		if (!f)
			return 1;
		for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
			struct pollfd p = {.fd = kinds[i].fd, .events = POLLIN};

			fprintf(f, "%s %lld %d\n", kinds[i].name, (long long)point(&kinds[i]),
				poll(&p, 1, 0));
		}
		fprintf(f, "turn %u\n", turn);
		if (fclose(f) != 0 || rename(fresh, argv[1]) < 0)
			return 1;
		usleep(20000);
	}
}
