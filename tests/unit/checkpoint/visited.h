/* SPDX-License-Identifier: GPL-2.0-only */
/* A child in the middle of something, which is entered by ptrace and must come out of it as if nobody had been there. */
#pragma once

#include "tests/unit/cgroups/fixture.h"

#include <sys/syscall.h>

#include "base/proc.h"
#include "checkpoint/inject.h"

#define ANSWER 42 /* exit status of a child that saw nothing strange */

struct child {
	pid_t pid;
	uint64_t ticks;
	int in, out; /* its ends of pipes to and from us are 3 and 4 */
};

/* Runs fn in a child that answers with its exit status. */
static inline struct child child_of(int (*fn)(void))
{
	struct child c;
	struct err e = {0};
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	c.pid = fork();
	if (c.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], 60);
		dup2(out[1], 61);
		dup2(60, 3);
		dup2(61, 4);
		close_range(5, ~0u, 0);
		_exit(fn());
	}
	assert_true(c.pid > 0);
	close(in[0]);
	close(out[1]);
	c.in = in[1];
	c.out = out[0];
	OK(proc_start_time(c.pid, &c.ticks, &e));
	return c;
}

static inline char state_of(pid_t pid)
{
	char path[48], text[512], *p;
	auto_fd int fd = -EBADF;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	p = strrchr(text, ')');
	return p ? p[2] : '?';
}

/* Until it is in that state, and in that system call (-1: any). */
static inline void wait_for(pid_t pid, char state, long nr)
{
	unsigned looks = 0;

	for (;;) {
		char path[48], text[200];
		auto_fd int fd = -EBADF;
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
		fd = open(path, O_RDONLY);
		n = read(fd, text, sizeof(text) - 1);
		text[n > 0 ? n : 0] = 0;
		if (state_of(pid) == state && (nr < 0 || strtol(text, NULL, 10) == nr))
			return;
		assert_true(test_again(&looks));
	}
}

/* One visit: a call whose answer proves that it was made there. Returns the failure of begin, if any. */
static inline int visit(const struct child *c, struct err *e)
{
	struct cr_inject in;
	long pid = 0, fd = 0;
	int r = cr_inject_begin(&in, c->pid, c->ticks, 2000, e);

	if (r < 0)
		return r;
	assert_int_equal(cr_inject_syscall(&in, SYS_getpid, (uint64_t[6]){0}, &pid, e), 0);
	assert_int_equal(pid, c->pid);
	assert_int_equal(cr_inject_syscall(&in, SYS_dup2, (uint64_t[6]){3, 7}, &fd, e), 0);
	assert_int_equal(fd, 7);
	assert_int_equal(cr_inject_syscall(&in, SYS_close, (uint64_t[6]){7}, &fd, e), 0);
	assert_int_equal(fd, 0);
	return cr_inject_end(&in, NULL, e);
}

static inline void visit_ok(const struct child *c)
{
	struct err e = {0};

	OK(visit(c, &e));
}

static inline void say(const struct child *c)
{
	assert_int_equal(write(c->in, "x", 1), 1);
}

static inline void comes_out(struct child *c)
{
	int status = test_reap(c->pid);

	close(c->in);
	close(c->out);
	if (WIFSIGNALED(status))
		fail_msg("killed by %d", WTERMSIG(status));
	assert_int_equal(WEXITSTATUS(status), ANSWER);
}
