// SPDX-License-Identifier: GPL-2.0-only
/* The process that moves itself to where it is: it does so again and again, has nothing of ours, and ends with us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "cgroups/hierarchy.h"
#include "checkpoint/haste.h"

static char *read_of(pid_t pid, const char *name)
{
	struct err e = {0};
	char path[64], *text = NULL;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	assert_true(file_read_at(AT_FDCWD, path, 65536, &text, &e) >= 0);
	return text;
}

static unsigned long writes_of(pid_t pid)
{
	auto_free char *io = read_of(pid, "io");
	const char *at = strstr(io, "syscw: ");

	assert_non_null(at);
	return strtoul(at + 7, NULL, 10);
}

static int count_fds(pid_t pid)
{
	char path[64];
	auto_dir DIR *d = NULL;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	assert_non_null(d);
	for (struct dirent *entry; (entry = readdir(d));)
		n += entry->d_name[0] != '.';
	return n;
}

static void test_life(void **state)
{
	struct err e = {0};
	const struct cg_host *host = cg_host(&e);
	auto_free char *before = read_of(getpid(), "cgroup"), *its = NULL, *comm = NULL,
		       *children = NULL;
	char path[64];
	int fd, status;
	pid_t pid;

	(void)state;
	if (!host || !host->unified[0])
		skip();
	/* So its end is told to us, and not to the host's init. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	fd = cr_haste_begin();
	assert_true(fd >= 0);
	snprintf(path, sizeof(path), "task/%d/children", getpid());
	children = read_of(getpid(), path);
	pid = (pid_t)atoi(children);
	assert_true(pid > 1);
	alarm(60);
	while (writes_of(pid) < 3)
		poll(NULL, 0, 1);
	comm = read_of(pid, "comm");
	assert_string_equal(comm, "skep-haste\n");
	its = read_of(pid, "cgroup");
	assert_string_equal(its, before);
	assert_int_equal(count_fds(pid), 2);
	close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	alarm(0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_life)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
