// SPDX-License-Identifier: GPL-2.0-only
/* Word of an OOM kill, and none of a group that goes. */
#include "fixture.h"

#include "cgroups/oom.h"

/* v1 tells its eventfd of that, too; v2's file is not there any more. */
static void a_group_that_goes_is_no_news(void **state)
{
	auto_oom struct cg_oom oom = CG_OOM_INIT;
	struct pollfd p = {.events = POLLIN};
	struct err e = {0};
	struct cg cg;

	(void)state;
	test_make("oom", &cg);
	OK(cg_oom_watch(&cg, &oom, &e));
	assert_int_equal(cg_oom_read(&oom, &e), 0);
	OK(cg_destroy(cg.path, 0, &e));
	p.fd = oom.fd;
	if (oom.v1)
		assert_int_equal(poll(&p, 1, 30000), 1);
	assert_int_equal(cg_oom_read(&oom, &e), 0);
	assert_int_equal(e.no, 0);
	cg_close(&cg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_group_that_goes_is_no_news)};

	return cmocka_run_group_tests(tests, NULL, test_clean);
}
