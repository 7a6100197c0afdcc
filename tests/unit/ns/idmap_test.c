// SPDX-License-Identifier: GPL-2.0-only
/* Id maps and id ranges: checks, the kernel's view of a map, and picks that do not collide. */
#include "tests/unit/ns/lab.h"

#include <errno.h>

#include "ns/idrange.h"

static void test_check(void **state)
{
	static const struct {
		struct ns_idmap map[2];
		size_t n;
	} bad[] = {
		{{{0, 0, 0}}, 1},
		{{{1, 1000, 10}}, 1},
		{{{0, 0xfffffff0, 0x20}}, 1},
		{{{0, 1000, 10}, {5, 5000, 10}}, 2},
		{{{0, 1000, 10}, {10, 1005, 10}}, 2},
		{{{0, 0, 1}}, 0},
	};
	const struct ns_idmap good[] = {{0, 1000, 10}, {10, 5000, 10}};
	struct err e = {0};
	uint32_t out;

	(void)state;
	assert_int_equal(ns_idmap_check(good, 2, "user id", &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		err_clear(&e);
		if (ns_idmap_check(bad[i].map, bad[i].n, "user id", &e) != -EINVAL)
			fail_msg("bad map %zu was accepted", i);
	}
	assert_true(ns_idmap_to_host(good, 2, 12, &out));
	assert_int_equal(out, 5002);
	assert_false(ns_idmap_to_host(good, 2, 20, &out));
}

static int mapped(struct lab *lab, struct err *e)
{
	unsigned inside, outside, count;
	FILE *f = fopen("/proc/self/uid_map", "re");

	(void)e;
	LAB_CHECK(lab, f && fscanf(f, "%u %u %u", &inside, &outside, &count) == 3);
	fclose(f);
	LAB_CHECK(lab, inside == 0 && outside == LAB_BASE && count == 65536);
	LAB_CHECK(lab, getuid() == 0 && getgid() == 0);
	LAB_CHECK(lab, setresuid(65535, 65535, 65535) == 0);
	return 0;
}

static void test_write(void **state)
{
	struct lab lab;

	(void)state;
	lab_make(&lab);
	assert_int_equal(lab_run(&lab, CLONE_NEWUSER, mapped), 0);
	lab_drop(&lab);
}

static void test_longest_map(void **state)
{
	struct ns_idmap map[NS_IDMAP_MOST];
	struct err e = {0};
	int fd;

	(void)state;
	/* The numbers of most digits, so that the text is the longest there is. Non-adjacent: the
	 * kernel keeps 340 extents. */
	for (uint32_t i = 0; i < NS_IDMAP_MOST; i++)
		map[i] = (struct ns_idmap){i ? 4000000000u + 2 * i : 0, 4100000000u + 2 * i, 1};
	assert_int_equal(ns_idmap_userns(map, NS_IDMAP_MOST, map, NS_IDMAP_MOST, &e), -EINVAL);
	assert_non_null(strstr(e.text, "longer"));
	err_clear(&e);
	fd = ns_idmap_userns(map, 160, map, 160, &e);
	if (fd < 0)
		fail_msg("%s", e.text);
	close(fd);
}

static void test_pool(void **state)
{
	static const char *const bad[] = {"skep:",
					  "skep:1",
					  "skep:1:",
					  "skep:a:65536",
					  "skep:65536:-1",
					  "skep:65536:65535",
					  "skep:99999999999:65536",
					  "skep:65536:65536:1"};
	struct ns_idrange_pool pool;
	struct err e = {0};

	(void)state;
	assert_int_equal(ns_idrange_pool_parse(NULL, &pool, &e), 0);
	assert_int_equal(pool.first, NS_IDRANGE_DEFAULT_FIRST);
	assert_int_equal(
		ns_idrange_pool_parse("root:1:5\nskep:100000:1000000\nskepper:1:2", &pool, &e), 0);
	assert_int_equal(pool.first, 131072);
	assert_int_equal(pool.last, 1048576);
	assert_int_equal(ns_idrange_pool_parse("skep:0:131072\n", &pool, &e), 0);
	assert_int_equal(pool.first, 65536);
	assert_int_equal(ns_idrange_pool_parse("skep:4294901760:65536", &pool, &e), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		err_clear(&e);
		if (ns_idrange_pool_parse(bad[i], &pool, &e) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void test_pick(void **state)
{
	struct ns_idrange_pool pool = {65536, 65536 * 5};
	uint32_t taken[4], again;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(ns_idrange_pick(&pool, "web", taken, i, &taken[i], &e), 0);
		assert_int_equal(taken[i] % 65536, 0);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(taken[i], taken[k]);
	}
	assert_int_equal(ns_idrange_pick(&pool, "web", taken, 4, &again, &e), -ENOSPC);
	err_clear(&e);
	assert_int_equal(ns_idrange_pick(&pool, "web", NULL, 0, &again, &e), 0);
	assert_int_equal(again, taken[0]);
	/* A range that was given by hand, not on our grid, still shuts both it touches. */
	taken[0] = 65536 * 2 - 1;
	assert_int_equal(ns_idrange_pick(&pool, "web", taken, 1, &again, &e), 0);
	assert_true(again >= 65536 * 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),	    cmocka_unit_test(test_write),
		cmocka_unit_test(test_longest_map), cmocka_unit_test(test_pool),
		cmocka_unit_test(test_pick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
