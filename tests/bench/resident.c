// SPDX-License-Identifier: GPL-2.0-only
/* Tells when every page of a program's memory is present, seen from outside: the same for whoever brings the pages. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * resident MB FILE SECONDS: FILE will hold the pid of an init, alone or as "pid" of a JSON object; its only child has a mapping of at least MB megabytes. Prints the time of day
 * (s) when the last page of that was there; fails when that is not within SECONDS. /proc/PID/pagemap says of each page whether it is present or swapped (bits 63, 62): no
 * counter, which would be late or rounded. Those that were there at the last look are not looked at again.
 */

#define PAGE	 4096u
#define PRESENT	 (3ull << 62)
#define LOOK_NS	 1000000
#define ENTRIES	 4096
#define TEXT_MAX 65536

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool read_text(const char *path, char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, TEXT_MAX - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	return n > 0;
}

/* 0: not yet. */
static int find_child(const char *file)
{
	static char text[TEXT_MAX];
	char path[64];
	const char *at;
	int init;

	if (!read_text(file, text))
		return 0;
	at = strstr(text, "\"pid\"");
	init = atoi(at ? at + strcspn(at, "0123456789") : text);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", init, init);
	return init > 1 && read_text(path, text) ? atoi(text) : 0;
}

/* Its largest mapping that is of no file. */
static bool find_memory(int pid, uint64_t least, uint64_t *from, uint64_t *to)
{
	char path[64], line[1024], perms[8];
	uint64_t a, b, size = 0;
	unsigned long inode;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %*x %*s %lu", &a, &b, perms,
			   &inode) == 4 &&
		    !inode && b - a > size) {
			*from = a;
			*to = b;
			size = b - a;
		}
	if (f)
		fclose(f);
	return size >= least;
}

/* How many pages from `from` on are present without a gap. */
static uint64_t count_present(int pagemap, uint64_t from, uint64_t to)
{
	static uint64_t entry[ENTRIES];
	uint64_t at = from;

	while (at < to) {
		size_t want = (to - at) / PAGE < ENTRIES ? (to - at) / PAGE : ENTRIES;
		ssize_t n = pread(pagemap, entry, want * 8, (off_t)(at / PAGE * 8));

		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n / 8; i++, at += PAGE)
			if (!(entry[i] & PRESENT))
				return (at - from) / PAGE;
	}
	return (at - from) / PAGE;
}

int main(int argc, char **argv)
{
	uint64_t bytes = argc == 4 ? strtoull(argv[1], NULL, 10) << 20 : 0, from = 0, to = 0;
	double until = now(CLOCK_MONOTONIC) + (argc == 4 ? atof(argv[3]) : 0);
	struct timespec pause = {.tv_nsec = LOOK_NS};
	int pid = 0, pagemap = -1;

	if (!bytes) {
		fprintf(stderr, "usage: resident MB FILE SECONDS\n");
		return 2;
	}
	for (; now(CLOCK_MONOTONIC) < until; nanosleep(&pause, NULL)) {
		uint64_t start, end;
		char path[64];

		if (!pid)
			pid = find_child(argv[2]);
		if (!pid || !find_memory(pid, bytes, &start, &end))
			continue;
		/* criu makes its mappings elsewhere and moves them to their places. */
		if (end != to) {
			from = start;
			to = end;
		}
		snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
		if (pagemap < 0)
			pagemap = open(path, O_RDONLY | O_CLOEXEC);
		from += count_present(pagemap, from, to) * PAGE;
		if (from < to)
			continue;
		printf("%.4f\n", now(CLOCK_REALTIME));
		return 0;
	}
	fprintf(stderr, "resident: %" PRIu64 " pages are not there, or no process\n",
		(to - from) / PAGE);
	return 1;
}
