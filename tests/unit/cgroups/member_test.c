// SPDX-License-Identifier: GPL-2.0-only
/* The groups that /proc/PID/cgroup names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "cgroups/group.h"
#include "cgroups/member.h"

#define HYBRID \
	"12:cpu,cpuacct:/a/b\n1:name=systemd:/\n3:pids:/x:0::/odd\n\nno line\n7:broken\n0::/u/v (deleted)\n"

static void lines_come_in_their_order(void **state)
{
	static const struct {
		const char *controllers, *path;
	} want[] = {
		{"cpu,cpuacct", "/a/b"},
		{"name=systemd", "/"},
		{"pids", "/x:0::/odd"},
		{"", "/u/v (deleted)"},
	};
	char text[] = HYBRID, *rest = text;
	struct cg_member m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_true(cg_member_next(&rest, &m));
		assert_string_equal(m.controllers, want[i].controllers);
		assert_string_equal(m.path, want[i].path);
	}
	assert_false(cg_member_next(&rest, &m));
	assert_null(rest);
	assert_false(cg_member_next(&rest, &m));
}

static void assert_path(const char *controllers, const char *path)
{
	char text[] = HYBRID;
	const char *found = cg_member_path(text, controllers);

	if (path)
		assert_string_equal(found, path);
	else
		assert_null(found);
}

static void a_hierarchy_is_found_by_all_its_controllers(void **state)
{
	char none[] = "";

	(void)state;
	assert_path("", "/u/v (deleted)");
	assert_path("name=systemd", "/");
	assert_path("cpu,cpuacct", "/a/b");
	assert_path("cpu", NULL);
	assert_path("memory", NULL);
	assert_null(cg_member_path(none, ""));
}

static void each_line_of_the_kernels_is_one(void **state)
{
	auto_free char *text = NULL;
	struct cg_member m;
	struct err e = {0};
	int lines = 0;
	char *rest;

	(void)state;
	assert_true(file_read_at(AT_FDCWD, "/proc/self/cgroup", 65536, &text, &e) >= 0);
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	assert_true(lines > 0);
	for (rest = text; cg_member_next(&rest, &m); lines--)
		assert_int_equal(m.path[0], '/');
	assert_int_equal(lines, 0);
}

static void bits_are_of_the_names_of_v1(void **state)
{
	struct cg cg = CG_INIT;

	(void)state;
	assert_int_equal(cg_member_bits(""), CG_MEMBER_V2);
	assert_int_equal(cg_member_bits("blkio"), 1u << CG_IO);
	assert_int_equal(cg_member_bits("cpu,cpuacct"), 1u << CG_CPU | 1u << CG_CPUACCT);
	assert_int_equal(cg_member_bits("hugetlb,pids"), 1u << CG_PIDS);
	assert_int_equal(cg_member_bits("name=systemd"), 1u << CG_SYSTEMD);
	assert_int_equal(cg_member_bits("hugetlb"), 0);
	assert_int_equal(cg_member_bits_of(&cg), 0);
	cg.v2 = cg.v1[CG_IO] = 0;
	assert_int_equal(cg_member_bits_of(&cg), CG_MEMBER_V2 | 1u << CG_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_in_their_order),
		cmocka_unit_test(a_hierarchy_is_found_by_all_its_controllers),
		cmocka_unit_test(each_line_of_the_kernels_is_one),
		cmocka_unit_test(bits_are_of_the_names_of_v1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
