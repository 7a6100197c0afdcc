// SPDX-License-Identifier: GPL-2.0-only
/* Command lines against a small table: options, aliases, words, did-you-mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
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

static const struct ctl_front runcs = {
	.name = "skep", .global = globals, .commands = commands, .as_runc = true};

#define PARSE_AS(front, ...)                                     \
	char *argv[] = {(char[]){"skepctl"}, __VA_ARGS__, NULL}; \
	struct ctl_line line;                                    \
	struct err e = {0};                                      \
	int r = ctl_parse(&(front), (int)(sizeof(argv) / sizeof(argv[0])) - 1, argv, &line, &e)
#define PARSE(...) PARSE_AS(front, __VA_ARGS__)

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

/* Whether --force is meant, -1 if the words are none. */
static int forces(const struct ctl_front *of, char *first, char *second)
{
	PARSE_AS(*of, "create", "101", "--memory=1G", first, second);

	if (r >= 0)
		assert_string_equal(ctl_value(&line, "memory"), "1G");
	else
		assert_non_null(strstr(e.text, of == &front ? "no" : "invalid boolean"));
	return r < 0 ? -1 : ctl_flag(&line, "force");
}

static void flag_of_runcs_takes_a_truth(void **state)
{
	static char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
	static char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
	static char *const neither[] = {"", "yes", "no", "on", "FaLSE", "2", "true "};
	static char *const names[] = {"--force", "-force", "-f"};
	char word[32];

	(void)state;
	for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
		for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
			snprintf(word, sizeof(word), "%s=%s", names[n], yes[i]);
			assert_int_equal(forces(&runcs, "--ram=1G", word), 1);
			assert_int_equal(forces(&runcs, "--force=false", word), 1);
			assert_int_equal(forces(&front, "--ram=1G", word), -1);
		}
		for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
			snprintf(word, sizeof(word), "%s=%s", names[n], no[i]);
			assert_int_equal(forces(&runcs, "--ram=1G", word), 0);
			assert_int_equal(forces(&runcs, "-f", word), 0);
			assert_int_equal(forces(&front, "--ram=1G", word), -1);
		}
		for (size_t i = 0; i < ARRAY_SIZE(neither); i++) {
			snprintf(word, sizeof(word), "%s=%s", names[n], neither[i]);
			assert_int_equal(forces(&runcs, "--ram=1G", word), -1);
		}
	}
}

static void runcs_names_have_one_dash_as_well(void **state)
{
	(void)state;
	{
		PARSE_AS(runcs, "-root", "/x", "create", "-memory=5M", "101", "-force");
		assert_int_equal(r, 0);
		assert_string_equal(ctl_value(&line, "root"), "/x");
		assert_string_equal(ctl_value(&line, "memory"), "5M");
		assert_true(ctl_flag(&line, "force"));
		assert_int_equal(line.nwords, 1);
	}
	{
		PARSE_AS(runcs, "create", "-m=5M", "101", "-fmemory");
		assert_int_equal(r, 0);
		assert_string_equal(ctl_value_nth(&line, "memory", 0, NULL), "5M");
		assert_string_equal(ctl_value_nth(&line, "memory", 1, NULL), "emory");
		assert_true(ctl_flag(&line, "force"));
	}
	{
		PARSE("create", "101", "-memory=5M");
		assert_int_equal(r, 0);
		assert_string_equal(ctl_value(&line, "memory"), "emory=5M");
	}
	{
		PARSE("-root", "/x", "create", "101");
		assert_true(r < 0);
	}
	{
		PARSE_AS(runcs, "create", "-help=false", "-h=1", "--help=0");
		assert_true(r < 0);
		assert_false(line.help);
	}
	{
		PARSE_AS(runcs, "create", "-help");
		assert_int_equal(r, 0);
		assert_true(line.help);
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
		cmocka_unit_test(flag_of_runcs_takes_a_truth),
		cmocka_unit_test(runcs_names_have_one_dash_as_well),
		cmocka_unit_test(distance_counts_swaps_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
