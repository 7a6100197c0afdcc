// SPDX-License-Identifier: GPL-2.0-only
/* A descriptor that another process closes: not before we have, and for certain when that was waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "checkpoint/shed.h"

static bool has_ended(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1 && p.revents & POLLHUP;
}

static void test_life(void **state)
{
	int ends[2], other[2], fd, rest;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(pipe2(other, O_CLOEXEC), 0);
	fd = ends[1];
	rest = cr_shed_begin(&ends[1]);
	assert_true(rest >= 0);
	assert_int_equal(ends[1], -EBADF);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	/* It has nothing else of ours, and is nobody's child. */
	close(other[1]);
	assert_true(has_ended(other[0], 5000));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	cr_shed_wait(&rest);
	assert_int_equal(rest, -EBADF);
	assert_true(has_ended(ends[0], 0));
	close(ends[0]);
	close(other[0]);
}

/* Ours is not the last: as long as a second one of ours is open, so is the file. */
static void test_shared(void **state)
{
	int ends[2], second, rest;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	second = fcntl(ends[1], F_DUPFD_CLOEXEC, 3);
	rest = cr_shed_begin(&ends[1]);
	cr_shed_wait(&rest);
	assert_false(has_ended(ends[0], 0));
	close(second);
	assert_true(has_ended(ends[0], 0));
	close(ends[0]);
}

static void test_nothing(void **state)
{
	int none = -EBADF, rest = cr_shed_begin(&none);

	(void)state;
	assert_int_equal(rest, -EBADF);
	cr_shed_wait(&rest);
}

static void add_link(const char *name, const char *peer)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execlp("ip", "ip", "link", "add", name, "type", "veth", "peer", "name", peer, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(if_nametoindex(name) > 0);
}

static void test_links(void **state)
{
	static const char names[][IFNAMSIZ] = {"skep-shed-a", "skep-shed-none", "skep-shed-b"};
	int rest;

	(void)state;
	add_link("skep-shed-a", "skep-shed-x");
	add_link("skep-shed-b", "skep-shed-y");
	rest = cr_shed_links(names, 3);
	assert_true(rest >= 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	cr_shed_wait(&rest);
	assert_int_equal(rest, -EBADF);
	assert_int_equal(if_nametoindex("skep-shed-a"), 0);
	assert_int_equal(if_nametoindex("skep-shed-b"), 0);
	assert_int_equal(cr_shed_links(names, 0), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_links),
	};

	if (unshare(CLONE_NEWNET))
		return 1;

	return cmocka_run_group_tests(tests, NULL, NULL);
}
