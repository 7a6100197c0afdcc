// SPDX-License-Identifier: GPL-2.0-only
/* Control groups of images as criu writes them, against those of a host; and damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "cgroups/group.h"
#include "checkpoint/image_groups.h"
#include "tests/unit/checkpoint/image_lab.h"

#define MAGIC "\x19\x43\x56\x54\x30\x38\x59\x14"

/* Members of a set, in a group "/ab" whose namespace begins there, or at its parent. */
#define IN_V2	    "\x12\x09\x0a\x00\x12\x03/ab\x18\x03"
#define IN_PIDS	    "\x12\x0d\x0a\x04pids\x12\x03/ab\x18\x03"
#define BELOW_PIDS  "\x12\x0d\x0a\x04pids\x12\x03/ab\x18\x01"
#define UNKNOWN	    "\x12\x0b\x0a\x04pids\x12\x03/ab"
#define IN_HUGETLB  "\x12\x10\x0a\x07hugetlb\x12\x03/ab\x18\x03"
#define DAMAGED_SET "\x12\x7f\x0a\x00"

#define SET(members) "\x0a" members

static int fit(const struct lab *l, const char *sets, size_t len, bool v2, bool pids)
{
	struct cg cg = CG_INIT;
	struct err e = {0};
	char image[256] = MAGIC;
	uint32_t size = (uint32_t)len;

	cg.v2 = v2 ? 0 : -EBADF;
	cg.v1[CG_PIDS] = pids ? 0 : -EBADF;
	memcpy(image + 8, &size, sizeof(size));
	memcpy(image + 12, sets, len);
	assert_int_equal(file_replace_volatile_at(l->fd, "cgroup.img", image, 12 + len, 0600, &e),
			 0);
	return cr_image_groups_fit(l->fd, &cg, &e);
}
#define FIT(sets, v2, pids) fit(*state, sets, sizeof(sets) - 1, v2, pids)

#define BOTH	SET("\x1a" IN_V2 IN_PIDS)
#define V2_ONLY SET("\x0b" IN_V2)

static void same_hierarchies_fit(void **state)
{
	assert_int_equal(FIT(BOTH, true, true), 1);
	assert_int_equal(FIT(BOTH BOTH, true, true), 1);
	assert_int_equal(FIT(V2_ONLY, true, false), 1);
}

static void others_do_not(void **state)
{
	assert_int_equal(FIT(BOTH, true, false), 0);
	assert_int_equal(FIT(BOTH BOTH, false, true), 0);
	assert_int_equal(FIT(V2_ONLY, true, true), 0);
	assert_int_equal(FIT(SET("\x1d" IN_V2 IN_HUGETLB), true, false), 0);
	assert_int_equal(FIT("", true, false), 0);
}

static void groups_below_are_left_to_criu(void **state)
{
	assert_int_equal(FIT(SET("\x1a" IN_V2 BELOW_PIDS), true, false), 1);
	assert_int_equal(FIT(BOTH SET("\x1a" IN_V2 BELOW_PIDS), true, false), 1);
	assert_int_equal(FIT(SET("\x18" IN_V2 UNKNOWN), true, false), 1);
}

static void damage_is_told(void **state)
{
	const struct lab *l = *state;
	struct cg cg = CG_INIT;
	struct err e = {0};

	assert_int_equal(FIT(SET("\x04" DAMAGED_SET), true, true), -EPROTO);
	assert_int_equal(FIT(SET("\x7f" IN_V2), true, true), -EPROTO);
	assert_int_equal(unlinkat(l->fd, "cgroup.img", 0), 0);
	assert_int_equal(cr_image_groups_fit(l->fd, &cg, &e), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(same_hierarchies_fit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(others_do_not, set_up, tear_down),
		cmocka_unit_test_setup_teardown(groups_below_are_left_to_criu, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damage_is_told, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
