// SPDX-License-Identifier: GPL-2.0-only
/* Which mode is taken between hosts that can this or that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "checkpoint/plan.h"

#define LEND  (1U << CR_CAN_LEND)
#define TRACK (1U << CR_CAN_TRACK)
#define LAZY  (1U << CR_CAN_LAZY)

static void test_choice(void **state)
{
	static const struct {
		enum cr_mode wanted;
		unsigned here, there;
		int mode; /* < 0: refused */
		const char *why;
	} cases[] = {
		{CR_MODE_AUTO, LEND | TRACK, LAZY, CR_MODE_PRECOPY, "both hosts can"},
		{CR_MODE_AUTO, LEND | TRACK | LAZY, LEND | TRACK, CR_MODE_SUSPEND,
		 "no userfaultfd"},
		{CR_MODE_AUTO, LEND, LAZY, CR_MODE_CONTENT, "Linux 6.7"},
		{CR_MODE_AUTO, TRACK, LAZY, CR_MODE_SUSPEND, "cgroup2"},
		{CR_MODE_AUTO, 0, 0, CR_MODE_SUSPEND, "cgroup2"},
		{CR_MODE_LIVE, LEND, LAZY, CR_MODE_CONTENT, "Linux 6.7"},
		{CR_MODE_LIVE, LEND | TRACK, 0, -1, "no userfaultfd"},
		{CR_MODE_PRECOPY, LEND, LAZY, -1, "Linux 6.7"},
		{CR_MODE_PRECOPY, LEND | TRACK, LAZY, CR_MODE_PRECOPY, ""},
		{CR_MODE_HYBRID, LEND, LAZY, -1, "Linux 6.7"},
		{CR_MODE_POSTCOPY, LEND, LAZY, CR_MODE_POSTCOPY, ""},
		{CR_MODE_POSTCOPY, 0, LAZY, -1, "cgroup2"},
		{CR_MODE_SUSPEND, 0, 0, CR_MODE_SUSPEND, ""},
		{CR_MODE_RESTART, 0, 0, CR_MODE_RESTART, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum cr_mode mode = CR_MODE_AUTO;
		struct err e = {0};
		char why[256];
		int r = cr_plan(cases[i].wanted, cases[i].here, cases[i].there, "b", &mode, why,
				&e);

		if (cases[i].mode < 0) {
			assert_int_equal(r, -EOPNOTSUPP);
			assert_int_equal(e.class, ERR_UNSUPPORTED);
			assert_non_null(strstr(e.text, cases[i].why));
			continue;
		}
		assert_int_equal(r, 0);
		if ((int)mode != cases[i].mode || !strstr(why, cases[i].why))
			fail_msg("case %zu: %s, \"%s\"", i, cr_mode_to_str(mode), why);
		assert_true(cases[i].why[0] || !why[0]);
	}
}

/* What is shared by a fork is not, after a live one. */
static void test_memory(void **state)
{
	enum cr_mode mode = CR_MODE_PRECOPY;
	struct err e = {0};
	char why[256] = "before";

	(void)state;
	assert_int_equal(cr_plan_memory(CR_MODE_AUTO, 100 << 20, 0, &mode, why, &e), 0);
	assert_int_equal(cr_plan_memory(CR_MODE_AUTO, 100 << 20, 100 << 20, &mode, why, &e), 0);
	assert_int_equal(mode, CR_MODE_PRECOPY);
	assert_string_equal(why, "before");
	assert_int_equal(cr_plan_memory(CR_MODE_PRECOPY, 100 << 20, 64 << 20, &mode, why, &e),
			 -EOPNOTSUPP);
	assert_int_equal(e.class, ERR_UNSUPPORTED);
	assert_non_null(strstr(e.text, "100M"));
	err_clear(&e);
	assert_int_equal(cr_plan_memory(CR_MODE_LIVE, 100 << 20, 64 << 20, &mode, why, &e),
			 -EOPNOTSUPP);
	err_clear(&e);
	assert_int_equal(cr_plan_memory(CR_MODE_AUTO, 100 << 20, 64 << 20, &mode, why, &e), 0);
	assert_int_equal(mode, CR_MODE_SUSPEND);
	assert_non_null(strstr(why, "the limit is 64M"));
	mode = CR_MODE_RESTART;
	assert_int_equal(cr_plan_memory(CR_MODE_RESTART, 100 << 20, 64 << 20, &mode, why, &e), 0);
	assert_int_equal(mode, CR_MODE_RESTART);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
