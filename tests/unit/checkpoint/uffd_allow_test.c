// SPDX-License-Identifier: GPL-2.0-only
/* vm.unprivileged_userfaultfd is 1 as long as somebody needs it, and then what it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "checkpoint/uffd_allow.h"

static int value(void)
{
	auto_free char *text = NULL;
	struct err e = {0};

	if (file_read_at(AT_FDCWD, "/proc/sys/vm/unprivileged_userfaultfd", 16, &text, &e) < 0)
		fail_msg("%s", e.text);
	return atoi(text);
}

static int allow(void)
{
	struct err e = {0};
	int fd = cr_uffd_allow(&e);

	if (fd < 0)
		fail_msg("%s", e.text);
	return fd;
}

/* Others on this machine may need it just now, for a moment. */
static void expect_former(int before)
{
	for (int ms = 0; ms < 10000 && value() != before; ms += 10)
		poll(NULL, 0, 10);
	assert_int_equal(value(), before);
}

static int set_up(void **state)
{
	static int before;
	struct err e = {0};

	(void)cr_uffd_mend(&e);
	before = value();
	*state = &before;
	return 0;
}

static void test_overlap(void **state)
{
	const int before = *(int *)*state;
	int a = allow(), b;

	assert_int_equal(value(), 1);
	b = allow();
	cr_uffd_disallow(&a);
	assert_int_equal(a, -EBADF);
	assert_int_equal(value(), 1); /* b needs it */
	a = allow();
	cr_uffd_disallow(&b);
	assert_int_equal(value(), 1);
	cr_uffd_disallow(&a);
	expect_former(before);
	cr_uffd_disallow(&a);
}

static void test_killed(void **state)
{
	const int before = *(int *)*state;
	struct err e = {0};
	pid_t pid = fork();
	int fd;

	if (pid == 0) {
		allow();
		raise(SIGKILL);
	}
	waitpid(pid, NULL, 0);
	assert_int_equal(value(), 1);
	fd = allow();
	assert_int_equal(cr_uffd_mend(&e), 0);
	assert_int_equal(value(), 1); /* not while it is needed */
	cr_uffd_disallow(&fd);
	expect_former(before);
	pid = fork();
	if (pid == 0) {
		allow();
		raise(SIGKILL);
	}
	waitpid(pid, NULL, 0);
	assert_int_equal(cr_uffd_mend(&e), before != 1);
	assert_int_equal(cr_uffd_mend(&e), 0);
	expect_former(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_overlap, set_up),
		cmocka_unit_test_setup(test_killed, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
