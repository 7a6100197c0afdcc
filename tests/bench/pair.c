// SPDX-License-Identifier: GPL-2.0-only
/* Times commands side by side: pair RUNS GAP_MS NAME CMD... [";" NAME CMD...]..., the order shuffled in each round. */
/*
 * Prints for each "NAME MEDIAN_MS MIN_MS P95_MS RATIO PEAK_KIB", RATIO being the median over the rounds of the first command's time
 * divided by this one's, PEAK_KIB the most memory that it or a child of it that it waited for ever had resident (ru_maxrss: not below our own, which is why this is a small static program). "{}" in a word becomes a name that no other run has. A pause before each run, because back-to-back
 * runs hide what the kernel does after the last one has ended. The first round only warms memory and caches.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONTENDERS 8
#define RUNS_MAX   1000
#define WORDS	   64

extern char **environ;

struct contender {
	const char *name;
	char **argv;
	double ms[RUNS_MAX];
	long peak_kib;
};

static struct contender list[CONTENDERS];

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* The words with each "{}" replaced. */
static char **fill(char **argv, unsigned run)
{
	static char text[WORDS][512];
	static char *out[WORDS + 1];
	int n = 0;

	for (; argv[n] && n < WORDS; n++) {
		const char *hole = strstr(argv[n], "{}");

		out[n] = argv[n];
		if (!hole)
			continue;
		snprintf(text[n], sizeof(text[n]), "%.*sbench%d-%u%s", (int)(hole - argv[n]),
			 argv[n], (int)getpid(), run, hole + 2);
		out[n] = text[n];
	}
	out[n] = NULL;
	return out;
}

static double time_one(struct contender *c, unsigned run, posix_spawn_file_actions_t *quiet)
{
	char **argv = fill(c->argv, run);
	double began = now_ms();
	struct rusage used = {0};
	int status = 0, r;
	pid_t pid;

	if (!argv[0]) {
		fprintf(stderr, "pair: a contender without a command\n");
		exit(1);
	}
	r = posix_spawnp(&pid, argv[0], quiet, NULL, argv, environ);
	if (r) {
		fprintf(stderr, "pair: %s: %s\n", argv[0], strerror(r));
		exit(1);
	}
	while (wait4(pid, &status, 0, &used) < 0 && errno == EINTR)
		;
	if (used.ru_maxrss > c->peak_kib)
		c->peak_kib = used.ru_maxrss;
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "pair: %s ended with status %#x in run %u\n", c->name,
			(unsigned)status, run);
		exit(1);
	}
	return now_ms() - began;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(const struct contender *c, int runs)
{
	static double sorted[RUNS_MAX], ratio[RUNS_MAX];

	for (int i = 0; i < runs; i++) {
		sorted[i] = c->ms[i];
		ratio[i] = list[0].ms[i] / c->ms[i];
	}
	qsort(sorted, (size_t)runs, sizeof(double), by_value);
	qsort(ratio, (size_t)runs, sizeof(double), by_value);
	printf("%s %.3f %.3f %.3f %.3f %ld\n", c->name,
	       (sorted[(runs - 1) / 2] + sorted[runs / 2]) / 2, sorted[0],
	       sorted[(runs * 95 + 99) / 100 - 1], (ratio[(runs - 1) / 2] + ratio[runs / 2]) / 2,
	       c->peak_kib);
}

int main(int argc, char **argv)
{
	int runs = argc > 4 ? atoi(argv[1]) : 0, gap = argc > 4 ? atoi(argv[2]) : 0, n = 0,
	    order[CONTENDERS];
	posix_spawn_file_actions_t quiet;

	if (runs < 1 || runs >= RUNS_MAX) {
		fprintf(stderr, "use: pair RUNS GAP_MS NAME CMD... [';' NAME CMD...]...\n");
		return 2;
	}
	for (int i = 3; i < argc && n < CONTENDERS; i++, n++) {
		list[n] = (struct contender){.name = argv[i], .argv = argv + i + 1};
		order[n] = n;
		while (i < argc && strcmp(argv[i], ";") != 0)
			i++;
		argv[i] = NULL;
	}
	/* Errors stay visible. */
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
	srand((unsigned)time(NULL) ^ (unsigned)getpid());
	for (int round = -1; round < runs; round++) {
		for (int i = n - 1; i > 0; i--) {
			int j = rand() % (i + 1), kept = order[i];

			order[i] = order[j];
			order[j] = kept;
		}
		for (int i = 0; i < n; i++) {
			struct contender *c = &list[order[i]];
			double ms;

			poll(NULL, 0, gap);
			ms = time_one(c, (unsigned)(round + 1), &quiet);
			if (round >= 0)
				c->ms[round] = ms;
		}
	}
	for (int i = 0; i < n; i++)
		report(&list[i], runs);
	return 0;
}
