/* SPDX-License-Identifier: GPL-2.0-only */
/* Groups of our own (skep-test-PID/NAME) and processes inside them, for the tests of cgroups/. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above first */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/sys.h"
#include "cgroups/freezer.h"
#include "cgroups/entry.h"
#include "cgroups/group.h"
#include "cgroups/kill.h"
#include "cgroups/limits.h"
#include "cgroups/stat.h"

#define OK(call)                                                        \
	do {                                                            \
		err_clear(&e);                                          \
		if ((call) < 0)                                         \
			fail_msg("%s: %s (%s)", #call, e.text, e.hint); \
	} while (0)

static inline const char *test_path(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "skep-test-%d/%s", getpid(), name);
	return path;
}

static inline void test_make(const char *name, struct cg *cg)
{
	struct err e = {0};

	OK(cg_create(test_path(name), cg, &e));
}

static inline void test_note_left(const char *dir, void *arg)
{
	if (!access(dir, F_OK)) {
		print_error("left behind: %s\n", dir);
		++*(int *)arg;
	}
}

/* Kills, waits, removes, and wants nothing to be left. */
static inline void test_end(struct cg *cg)
{
	struct err e = {0};
	char path[256];
	int left = 0;

	snprintf(path, sizeof(path), "%s", cg->path);
	OK(cg_thaw(cg, 30000, &e));
	OK(cg_kill(cg, &e));
	OK(cg_wait_empty(cg, 5000, &e));
	cg_close(cg);
	OK(cg_destroy(path, 5000, &e));
	OK(cg_each_dir(path, test_note_left, &left, &e));
	assert_int_equal(left, 0);
}

/* Group teardown: a test that failed half-way has left processes and groups of this process's own name. */
static inline int test_clean(void **state)
{
	struct err e = {0};
	char path[64];
	struct cg cg;

	(void)state;
	snprintf(path, sizeof(path), "skep-test-%d", getpid());
	if (cg_open(path, &cg, &e) < 0)
		return e.no == ENOENT ? 0 : -1;
	if (cg_thaw(&cg, 30000, &e) < 0 || cg_kill(&cg, &e) < 0)
		print_error("%s\n", e.text);
	cg_close(&cg);
	err_clear(&e);
	if (cg_destroy(path, 5000, &e) < 0)
		print_error("%s\n", e.text);
	return -1;
}

/* A child inside the group, as the runtime makes one: born in v2, it walks into v1 by itself. */
static inline pid_t test_spawn(const struct cg *cg, int (*fn)(void *arg), void *arg)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	struct cg_doors doors = CG_DOORS_INIT;
	struct err e = {0};
	int there[2];
	char c = 0;
	pid_t pid;

	assert_int_equal(pipe2(there, O_CLOEXEC), 0);
	OK(cg_doors_open(cg, &doors, &e));
	if (cg_v2_fd(cg) >= 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cg_v2_fd(cg);
	}
	pid = sys_clone3(&args);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (cg_doors_enter(&doors, &e) < 0 || write(there[1], &c, 1) != 1)
			_exit(99);
		close(there[1]);
		_exit(fn(arg));
	}
	assert_true(pid > 0);
	cg_doors_close(&doors);
	close(there[1]);
	assert_int_equal(read(there[0], &c, 1), 1);
	close(there[0]);
	return pid;
}

static inline int test_reap(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static inline int test_pause(void *arg)
{
	(void)arg;
	while (pause())
		;
	return 0;
}

static inline int test_spin(void *arg)
{
	volatile unsigned long n = 1;

	(void)arg;
	while (n)
		n = n + 2;
	return 0;
}

/* One more look, or false after ten seconds. */
static inline bool test_again(unsigned *looks)
{
	poll(NULL, 0, 5);
	return ++*looks < 2000;
}

static inline bool test_is_v1(enum cg_controller c)
{
	struct err e = {0};

	return cg_host(&e)->ctl[c].version == 1;
}
