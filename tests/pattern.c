// SPDX-License-Identifier: GPL-2.0-only
/*
 * pattern FD: a process with a known pattern in its memory, which it compares after it was restored; what it finds goes to the file FD.
 * A program of its own, static and without a sanitizer: criu takes 10 s to scan the 16 TB of AddressSanitizer's shadow.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/checkpoint/pages_fill.h"

static int result;

static void say(const char *word)
{
	if (write(result, word, strlen(word)) < 0)
		_exit(3);
}

static uint8_t *fill(void)
{
	uint8_t *m = mmap((void *)PATTERN_BASE, PATTERN_COUNT * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (m != (uint8_t *)PATTERN_BASE) {
		say("no memory");
		_exit(2);
	}
	for (uint64_t i = 0; i < PATTERN_COUNT; i++)
		if (!pattern_none(i))
			lab_fill(1, PATTERN_BASE + i * PAGE, m + i * PAGE);
	memset(m + 50 * PAGE, 0, PAGE); /* there, and zero */
	return m;
}

static void compare(const uint8_t *m, const char *differs)
{
	for (uint64_t i = 0; i < PATTERN_COUNT; i++)
		if (!(pattern_none(i) ? lab_zero(m + i * PAGE, 1)
				      : lab_same(1, m + i * PAGE, PATTERN_BASE + i * PAGE, 1)))
			say(differs);
}

/* The first SIGUSR1 says that it is restored, the second one ends it. */
int main(int argc, char **argv)
{
	int null = open("/dev/null", O_RDWR), sig, status;
	const uint8_t *m;
	sigset_t usr;
	pid_t child;

	result = argc == 2 ? atoi(argv[1]) : -1;
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	m = fill();
	sigemptyset(&usr);
	sigaddset(&usr, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr, NULL);
	say("ready ");
	sigwait(&usr, &sig);
	child = fork();
	compare(m, child ? "differs " : "differs in the child ");
	if (child == 0)
		_exit(0);
	say(waitpid(child, &status, 0) == child && status == 0 ? "compared" : "the child failed");
	sigwait(&usr, &sig);
	return 0;
}
