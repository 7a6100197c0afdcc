// SPDX-License-Identifier: GPL-2.0-only
/* The mounts that /proc/PID/mountinfo lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "ns/mountinfo.h"

#define LIST                                                                                                    \
	"1 1 0:2 / / rw - rootfs none rw\n"                                                                     \
	"36 1 98:7 /mnt1 /a\\040b\\134\\012 rw,noatime shared:5 master:1 - ext3 /dev/root rw,errors=continue\n" \
	"\n"                                                                                                    \
	"37 36 0:40 net:[4026532000] /run/netns/x rw - nsfs  rw\n"                                              \
	"38 36 0:41 / /no rw shared:1 ext3 /dev/root rw\n"                                                      \
	"x 36 0:41 / /no rw - ext3 /dev/root rw\n"                                                              \
	"39 36 0:41 / - ext3 /dev/root rw\n"                                                                    \
	"40 36 0:41 / /last rw - fuse.sshfs me@there: ro"

static void fields_are_told_from_each_other(void **state)
{
	static const struct {
		uint64_t id, parent;
		unsigned major, minor;
		const char *root, *at, *propagation, *type, *options;
	} want[] = {
		{1, 1, 0, 2, "/", "/", "", "rootfs", "rw"},
		{36, 1, 98, 7, "/mnt1", "/a\\040b\\134\\012", "shared:5 master:1", "ext3",
		 "rw,errors=continue"},
		{37, 36, 0, 40, "net:[4026532000]", "/run/netns/x", "", "nsfs", "rw"},
		{40, 36, 0, 41, "/", "/last", "", "fuse.sshfs", "ro"},
	};
	char text[] = LIST;
	auto_free struct ns_mountinfo *list = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(ns_mountinfo_list(text, &list, &e), ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(list[i].id, want[i].id);
		assert_int_equal(list[i].parent, want[i].parent);
		assert_int_equal(list[i].dev, makedev(want[i].major, want[i].minor));
		assert_string_equal(list[i].root, want[i].root);
		assert_string_equal(list[i].at, want[i].at);
		assert_string_equal(list[i].propagation, want[i].propagation);
		assert_string_equal(list[i].type, want[i].type);
		assert_string_equal(list[i].options, want[i].options);
	}
}

static void lines_of_another_form_are_told(void **state)
{
	static const int want[] = {1, 1, 1, -EINVAL, -EINVAL, -EINVAL, 1, 0, 0};
	char text[] = LIST, *rest = text;
	struct ns_mountinfo m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_int_equal(ns_mountinfo_next(&rest, &m), want[i]);
	assert_null(rest);
}

static void each_line_of_the_kernels_is_one(void **state)
{
	auto_free struct ns_mountinfo *list = NULL;
	auto_free char *text = NULL;
	struct err e = {0};
	ssize_t lines = 0;

	(void)state;
	assert_true(file_read_at(AT_FDCWD, "/proc/self/mountinfo", NS_MOUNTINFO_MOST, &text, &e) >=
		    0);
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	assert_true(lines > 0);
	assert_int_equal(ns_mountinfo_list(text, &list, &e), lines);
}

static void assert_unescaped(const char *field, const char *want)
{
	auto_free char *text = strdup(field);

	assert_non_null(text);
	assert_string_equal(ns_mountinfo_unescape(text), want);
}

static void three_octal_digits_are_a_byte(void **state)
{
	(void)state;
	assert_unescaped("/a\\040b\\134\\012", "/a b\\\n");
	assert_unescaped("\\011\\0403", "\t 3");
	assert_unescaped("/\\08\\9 \\04", "/\\08\\9 \\04");
	assert_unescaped("", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_told_from_each_other),
		cmocka_unit_test(lines_of_another_form_are_told),
		cmocka_unit_test(each_line_of_the_kernels_is_one),
		cmocka_unit_test(three_octal_digits_are_a_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
