// SPDX-License-Identifier: GPL-2.0-only
/* Command lines against a small table: options, aliases, words, did-you-mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "ctl/nearest.h"
#include "ctl/options.h"

static const struct ctl_option globals[] = {{.name = "root", .arg = "DIR"}, {0}};
static const struct ctl_option create[] = {
	{.name = "memory", .letter = 'm', .arg = "SIZE", .help = "how much"},
	{.name = "ram", .arg = "SIZE", .means = "memory"},
	{.name = "force", .letter = 'f'},
	{.name = "online", .help = NULL},
	{0}};
static const struct ctl_option *const tables[] = {create, NULL};
static const struct ctl_command create_cmd = {
	.name = "create", .words = "NAME", .tables = tables, .least = 1, .most = 1};
static const struct ctl_command exec_cmd = {
	.name = "exec", .words = "NAME COMMAND", .least = 2, .most = -1, .tail = true};
static const struct ctl_command *const commands[] = {&create_cmd, &exec_cmd, NULL};
static const struct ctl_front front = {.name = "skepctl", .global = globals, .commands = commands};

#define PARSE(...)                                               \
	char *argv[] = {(char[]){"skepctl"}, __VA_ARGS__, NULL}; \
	struct ctl_line line;                                    \
	struct err e = {0};                                      \
	int r = ctl_parse(&front, (int)(sizeof(argv) / sizeof(argv[0])) - 1, argv, &line, &e)

static void alias_counts_and_last_wins(void **state)
{
	PARSE("--root=/x", "create", "-m1G", "101", "--ram", "512M", "-f");

	(void)state;
	assert_int_equal(r, 0);
	assert_string_equal(ctl_value(&line, "memory"), "512M");
	assert_string_equal(ctl_value(&line, "root"), "/x");
	assert_true(ctl_flag(&line, "force"));
	assert_int_equal(line.nwords, 1);
	assert_string_equal(line.words[0], "101");
}

static void tail_keeps_the_commands_options(void **state)
{
	PARSE("exec", "101", "ls", "-l", "--", "--root");

	(void)state;
	assert_int_equal(r, 0);
	assert_int_equal(line.nwords, 5);
	assert_string_equal(line.words[2], "-l");
	assert_string_equal(line.words[4], "--root");
}

static void wrong_verb_is_told_the_right_one(void **state)
{
	PARSE("craete", "101");

	(void)state;
	assert_true(r < 0);
	assert_int_equal(e.class, ERR_USAGE);
	assert_non_null(strstr(e.hint, "skepctl create"));
}

static void wrong_option_is_told_the_right_one(void **state)
{
	PARSE("create", "101", "--memroy", "1G");

	(void)state;
	assert_true(r < 0);
	assert_non_null(strstr(e.hint, "--memory"));
}

static void what_no_help_names_is_not_offered(void **state)
{
	PARSE("create", "101", "--offline");

	(void)state;
	assert_true(r < 0);
	assert_null(strstr(e.hint, "--online"));
}

static void missing_value_and_extra_word_fail(void **state)
{
	(void)state;
	{
		PARSE("create", "101", "--memory");
		assert_true(r < 0);
	}
	{
		PARSE("create", "101", "102");
		assert_true(r < 0);
		assert_non_null(strstr(e.text, "102"));
	}
	{
		PARSE("create");
		assert_true(r < 0);
	}
}

static void distance_counts_swaps_once(void **state)
{
	(void)state;
	assert_int_equal(ctl_distance("destory", "destroy"), 1);
	assert_int_equal(ctl_distance("", "abc"), 3);
	assert_int_equal(ctl_distance("same", "same"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alias_counts_and_last_wins),
		cmocka_unit_test(tail_keeps_the_commands_options),
		cmocka_unit_test(wrong_verb_is_told_the_right_one),
		cmocka_unit_test(wrong_option_is_told_the_right_one),
		cmocka_unit_test(what_no_help_names_is_not_offered),
		cmocka_unit_test(missing_value_and_extra_word_fail),
		cmocka_unit_test(distance_counts_swaps_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
