// SPDX-License-Identifier: GPL-2.0-only
/* An orphan: whose child it is, and what it has of its caller's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ns/orphan.h"

struct word {
	char name[16];
	pid_t pid, parent, session;
	int has[4]; /* what it keeps, and an output, and one of ours */
};

static void tell(int to, int other)
{
	struct word w = {.pid = getpid(), .parent = getppid(), .session = getsid(0)};

	prctl(PR_GET_NAME, w.name);
	w.has[0] = fcntl(to, F_GETFD) >= 0;
	w.has[1] = fcntl(STDOUT_FILENO, F_GETFD) >= 0;
	w.has[2] = fcntl(STDERR_FILENO, F_GETFD) >= 0;
	w.has[3] = fcntl(other, F_GETFD) >= 0;
	_exit(write(to, &w, sizeof(w)) != sizeof(w));
}

static void test_whose_it_is(void **state)
{
	int ends[2], other[2];
	struct pollfd p = {.events = POLLIN};
	struct word w = {0};

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(pipe2(other, O_CLOEXEC), 0);
	if (ns_orphan("the-orphan", (int[]){STDERR_FILENO, ends[1]}, 2) == 0)
		tell(ends[1], other[1]);
	/* No child is left to be waited for. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	close(ends[1]);
	p.fd = ends[0];
	assert_int_equal(poll(&p, 1, 30000), 1);
	assert_int_equal(read(ends[0], &w, sizeof(w)), sizeof(w));
	assert_string_equal(w.name, "the-orphan");
	assert_int_not_equal(w.parent, getpid());
	assert_int_not_equal(w.session, getsid(0));
	assert_int_equal(w.has[0], 1);
	assert_int_equal(w.has[1], 0);
	assert_int_equal(w.has[2], 1);
	assert_int_equal(w.has[3], 0);
	close(ends[0]);
	close(other[0]);
	close(other[1]);
}

/* RLIMIT_NPROC of 0 lets a user who is not root make no process: the caller hears of it. */
static void test_none(void **state)
{
	const struct rlimit none = {0, 0};
	int status;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		if (setrlimit(RLIMIT_NPROC, &none) < 0 || setresuid(65533, 65533, 65533) < 0)
			_exit(2);
		_exit(ns_orphan("the-orphan", NULL, 0) != -EAGAIN);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whose_it_is),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
