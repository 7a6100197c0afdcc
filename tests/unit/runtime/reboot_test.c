// SPDX-License-Identifier: GPL-2.0-only
/* How often a container may reboot itself. */
#include "runtime/reboot.h"

#include "tests/unit/runtime/place.h"

static int open_place(const struct place *p)
{
	int dir = open(p->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(dir >= 0);
	return dir;
}

static void in_a_loop_it_is_stopped(void **state)
{
	auto_fd int dir = open_place(*state);
	struct err e = {0};

	for (int i = 0; i < CT_REBOOTS_MOST; i++)
		assert_int_equal(ct_reboot_allowed_at(dir, 1000 + (uint64_t)i, &e), 0);
	assert_int_equal(ct_reboot_allowed_at(dir, 1010, &e), -EAGAIN);
	assert_string_equal(e.text, "11 reboots in 10 s");
	err_clear(&e);
	/* Whoever starts it again has put it right. */
	assert_int_equal(ct_reboot_allowed_at(dir, 1011, &e), 0);
}

static void now_and_then_it_may(void **state)
{
	auto_fd int dir = open_place(*state);
	struct err e = {0};

	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(ct_reboot_allowed_at(dir, i * 7, &e), 0);
}

static void neither_garbage_nor_another_boot_counts(void **state)
{
	auto_fd int dir = open_place(*state);
	struct err e = {0};

	for (uint64_t i = 0; i < CT_REBOOTS_MOST; i++)
		assert_int_equal(ct_reboot_allowed_at(dir, 5000 + i, &e), 0);
	assert_int_equal(ct_reboot_allowed_at(dir, 10, &e), 0);
	assert_int_equal(file_replace_volatile_at(dir, CT_REBOOTS_FILE, "much\nmore", 9, 0600, &e),
			 0);
	assert_int_equal(ct_reboot_allowed_at(dir, 11, &e), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(in_a_loop_it_is_stopped),
		T(now_and_then_it_may),
		T(neither_garbage_nor_another_boot_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
