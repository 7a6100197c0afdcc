// SPDX-License-Identifier: GPL-2.0-only
/* The last words of a peer that ended before it read all of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/sync.h"

static const char *name_of(unsigned step)
{
	return step == 1 ? "one" : "two";
}

/* A peer that says something, or nothing, leaves what we sent unread, and is gone. */
static void end_of(struct sync *s, bool speaks)
{
	struct sync theirs = {.fd = -EBADF, .peer = "us", .step_to_str = name_of};
	struct err e = {0}, why = {0};

	*s = (struct sync){.fd = -EBADF, .peer = "init", .step_to_str = name_of};
	assert_int_equal(sync_pair(&s->fd, &theirs.fd, &e), 0);
	assert_int_equal(sync_send(s, 1, SYNC_OK, 0, -EBADF, &e), 0);
	err_set(&why, ENOSPC, "no room");
	if (speaks)
		sync_send_error(&theirs, 1, &why);
	close(theirs.fd);
}

static void test_last_words(void **state)
{
	static const int flags[] = {0, MSG_DONTWAIT};
	struct sync s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct err e = {0};

		end_of(&s, true);
		assert_int_equal(sync_peek(&s, flags[i], &e), 1);
		assert_int_equal(sync_expect(&s, 1, SYNC_OK, NULL, NULL, &e), -ENOSPC);
		assert_string_equal(e.text, "no room");
		assert_int_equal(sync_peek(&s, flags[i], &e), 0);
		close(s.fd);
	}
}

static void test_no_words(void **state)
{
	struct err e = {0};
	struct sync s;

	(void)state;
	end_of(&s, false);
	assert_int_equal(sync_peek(&s, 0, &e), 0);
	assert_int_equal(sync_expect(&s, 1, SYNC_OK, NULL, NULL, &e), -EPIPE);
	close(s.fd);
}

static void test_none_yet(void **state)
{
	struct sync s = {.fd = -EBADF, .peer = "init", .step_to_str = name_of};
	struct err e = {0};
	int theirs;

	(void)state;
	assert_int_equal(sync_pair(&s.fd, &theirs, &e), 0);
	assert_int_equal(sync_peek(&s, MSG_DONTWAIT, &e), 0);
	assert_int_equal(e.no, 0);
	close(theirs);
	close(s.fd);
}

/* No number is left for the descriptor: the value comes, and it is an error. */
static void test_no_room_for_a_descriptor(void **state)
{
	struct sync s = {.fd = -EBADF, .peer = "init", .step_to_str = name_of};
	struct sync theirs = {.fd = -EBADF, .peer = "us", .step_to_str = name_of};
	struct rlimit before, none;
	struct err e = {0};
	int64_t value = 0;
	int fd = -EBADF, r;

	(void)state;
	assert_int_equal(sync_pair(&s.fd, &theirs.fd, &e), 0);
	assert_int_equal(sync_send(&theirs, 1, SYNC_FD, 42, 0, &e), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = sync_expect(&s, 1, SYNC_FD, &value, &fd, &e);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(r, -EMFILE);
	assert_int_equal(value, 42);
	assert_true(fd < 0);
	close(theirs.fd);
	close(s.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_words),
		cmocka_unit_test(test_no_words),
		cmocka_unit_test(test_none_yet),
		cmocka_unit_test(test_no_room_for_a_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
