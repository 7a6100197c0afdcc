// SPDX-License-Identifier: GPL-2.0-only
/* Columns of list: which are shown, how values look, how rows are ordered, what JSON says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "ctl/columns.h"

static struct ctl_row *add(struct ctl_table *t, const char *name)
{
	struct ctl_row *row = ctl_table_add(t);

	assert_non_null(row);
	ctl_row_text(row, CTL_COLUMN_name, name);
	return row;
}

static void assert_order(struct ctl_table *t, const char *const *names, size_t n)
{
	ctl_table_sort(t);
	assert_int_equal(t->n_rows, n);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(t->rows[i].text[CTL_COLUMN_name], names[i]);
}

static void names_that_are_numbers_sort_as_numbers(void **state)
{
	static const char *const wanted[] = {"9", "10", "101", "db", "web"};
	auto_table struct ctl_table t = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(ctl_table_init(&t, NULL, NULL, &e), 0);
	for (const char *const *n = (const char *const[]){"web", "101", "10", "db", "9", NULL}; *n;
	     n++)
		add(&t, *n);
	assert_order(&t, wanted, ARRAY_SIZE(wanted));
}

static void rows_without_a_value_come_last_both_ways(void **state)
{
	static const char *const up[] = {"b", "a", "none"}, *const down[] = {"a", "b", "none"};
	auto_table struct ctl_table t = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(ctl_table_init(&t, "name", "memory", &e), 0);
	add(&t, "none");
	ctl_row_number(add(&t, "a"), CTL_COLUMN_memory, 200);
	ctl_row_number(add(&t, "b"), CTL_COLUMN_memory, 100);
	assert_order(&t, up, 3);
	t.backwards = true;
	assert_order(&t, down, 3);
}

static void minus_sorts_backwards(void **state)
{
	auto_table struct ctl_table t = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(ctl_table_init(&t, "name", "-uptime", &e), 0);
	assert_int_equal(t.sort, CTL_COLUMN_uptime);
	assert_true(t.backwards);
}

static void a_wrong_column_is_told_the_right_one(void **state)
{
	auto_table struct ctl_table t = {0};
	struct err e = {0}, sort = {0}, empty = {0};

	(void)state;
	assert_true(ctl_table_init(&t, "name,stauts", NULL, &e) < 0);
	assert_int_equal(e.class, ERR_USAGE);
	assert_non_null(strstr(e.hint, "did you mean status"));
	assert_true(ctl_table_init(&t, NULL, "memry", &sort) < 0);
	assert_non_null(strstr(sort.hint, "did you mean memory"));
	assert_true(ctl_table_init(&t, "name,", NULL, &empty) < 0);
}

static void a_column_is_shown_once(void **state)
{
	auto_table struct ctl_table t = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(ctl_table_init(&t, "ip,name,ip", NULL, &e), 0);
	assert_int_equal(t.count, 2);
	assert_true(ctl_table_shows(&t, CTL_COLUMN_ip));
	assert_false(ctl_table_shows(&t, CTL_COLUMN_memory));
}

static void print(const struct ctl_table *t, bool header, char *buf, size_t size)
{
	auto_file FILE *f = fmemopen(buf, size, "w");

	assert_non_null(f);
	ctl_table_print(t, header, f);
}

static void text_goes_left_and_numbers_right(void **state)
{
	auto_table struct ctl_table t = {0};
	struct err e = {0};
	struct ctl_row *row;
	char buf[512] = "";

	(void)state;
	assert_int_equal(ctl_table_init(&t, "name,memory,cpus,uptime,ip", NULL, &e), 0);
	row = add(&t, "long-name");
	ctl_row_number(row, CTL_COLUMN_memory, 512u << 20);
	ctl_row_number(row, CTL_COLUMN_cpus, 1500);
	ctl_row_number(row, CTL_COLUMN_uptime, 723);
	ctl_row_text(row, CTL_COLUMN_ip, "10.0.0.2");
	add(&t, "x");
	print(&t, true, buf, sizeof(buf));
	assert_string_equal(buf, "NAME       MEMORY  CPUS  UPTIME  IP\n"
				 "long-name    512M   1.5  12m03s  10.0.0.2\n"
				 "x               -     -       -  -\n");
	print(&t, false, buf, sizeof(buf));
	assert_memory_equal(buf, "long-name  512M  1.5  12m03s  10.0.0.2\n", 39);
}

static void durations_have_two_units(void **state)
{
	char text[32];

	(void)state;
	assert_string_equal(ctl_seconds_to_str(0, text, sizeof(text)), "0s");
	assert_string_equal(ctl_seconds_to_str(59, text, sizeof(text)), "59s");
	assert_string_equal(ctl_seconds_to_str(3599, text, sizeof(text)), "59m59s");
	assert_string_equal(ctl_seconds_to_str(25500, text, sizeof(text)), "7h05m");
	assert_string_equal(ctl_seconds_to_str(86400 * 3 + 4 * 3600, text, sizeof(text)), "3d04h");
}

static void negative_counts_are_shown_as_such(void **state)
{
	struct ctl_row row = {0};
	char text[CTL_CELL];

	(void)state;
	ctl_row_number(&row, CTL_COLUMN_order, (uint64_t)-5);
	assert_string_equal(ctl_row_cell(&row, CTL_COLUMN_order, text), "-5");
}

static void json_has_exact_numbers_and_nulls(void **state)
{
	auto_table struct ctl_table t = {0};
	auto_json json_t *j = NULL;
	struct err e = {0};
	struct ctl_row *row;
	char *text;

	(void)state;
	assert_int_equal(ctl_table_init(&t, "name,memory,cpus,ip", NULL, &e), 0);
	row = add(&t, "101");
	ctl_row_number(row, CTL_COLUMN_memory, 1234567);
	ctl_row_number(row, CTL_COLUMN_cpus, 1500);
	j = ctl_table_to_json(&t);
	text = json_dumps(j, JSON_COMPACT);
	assert_string_equal(text, "{\"version\":1,\"containers\":[{\"name\":\"101\","
				  "\"memory\":1234567,\"cpus\":1.5,\"ip\":null}]}");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_are_numbers_sort_as_numbers),
		cmocka_unit_test(rows_without_a_value_come_last_both_ways),
		cmocka_unit_test(minus_sorts_backwards),
		cmocka_unit_test(a_wrong_column_is_told_the_right_one),
		cmocka_unit_test(a_column_is_shown_once),
		cmocka_unit_test(text_goes_left_and_numbers_right),
		cmocka_unit_test(durations_have_two_units),
		cmocka_unit_test(negative_counts_are_shown_as_such),
		cmocka_unit_test(json_has_exact_numbers_and_nulls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
