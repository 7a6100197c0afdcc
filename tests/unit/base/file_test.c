// SPDX-License-Identifier: GPL-2.0-only
/* One file in the place of another. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"

/* A directory of our own, removed with all in it. */
static int dir_setup(void **state)
{
	char *path = strdup("/tmp/skep-file-XXXXXX");

	*state = path;
	return path && mkdtemp(path) ? 0 : -1;
}

static int dir_teardown(void **state)
{
	struct err e = {0};
	int r = file_remove_tree_at(AT_FDCWD, *state, &e);

	free(*state);
	return r < 0 ? -1 : 0;
}

static void assert_replaced(int dir, const char *text)
{
	struct err e = {0};
	auto_free char *now = NULL;

	assert_int_equal(file_replace_volatile_at(dir, "note", text, strlen(text), 0600, &e), 0);
	assert_true(file_read_at(dir, "note", 64, &now, &e) >= 0);
	assert_string_equal(now, text);
}

/* Killed between its beginning and the rename, with the pid that is ours now. */
static void what_a_killed_one_left_is_swept(void **state)
{
	auto_fd int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char temp[32];
	struct err e = {0};
	struct stat st;

	snprintf(temp, sizeof(temp), ".note.%d", getpid());
	for (int i = 0; i < 2; i++) {
		auto_fd int left = openat(dir, temp, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);

		assert_int_equal(write(left, "a longer text", 13), 13);
		assert_replaced(dir, i ? "two" : "one");
		assert_int_equal(fstatat(dir, temp, &st, 0), -1);
		assert_int_equal(fstatat(dir, "note", &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	/* Nor is a link gone through. */
	assert_return_code(symlinkat("note", dir, temp), errno);
	assert_replaced(dir, "three");
	assert_return_code(mkdirat(dir, temp, 0700), errno);
	assert_int_equal(file_replace_volatile_at(dir, "note", "four", 4, 0600, &e), -EISDIR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, dir_setup, dir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_a_killed_one_left_is_swept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
