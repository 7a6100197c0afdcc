// SPDX-License-Identifier: GPL-2.0-only
/* Splitting a command into words, without a shell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/own.h"
#include "ctl/words.h"

static char buf[64];
static char *words[4];
static const char *why;

static int split(const char *value)
{
	memset(words, 0xff, sizeof(words));
	why = NULL;
	return ctl_words(value, buf, sizeof(buf), words, ARRAY_SIZE(words), &why);
}

static void blanks_separate(void **state)
{
	(void)state;
	assert_int_equal(split("  ssh -p\t22 "), 3);
	assert_string_equal(words[0], "ssh");
	assert_string_equal(words[1], "-p");
	assert_string_equal(words[2], "22");
	assert_null(words[3]);
	assert_int_equal(split(" \t"), 0);
	assert_null(words[0]);
}

static void quotes_keep_blanks(void **state)
{
	(void)state;
	assert_int_equal(split("a 'b c'd \"e 'f\""), 3);
	assert_string_equal(words[1], "b cd");
	assert_string_equal(words[2], "e 'f");
	assert_int_equal(split("x ''"), 2);
	assert_string_equal(words[1], "");
}

static void a_backslash_keeps_what_follows(void **state)
{
	(void)state;
	assert_int_equal(split("a\\ b \"c\\\"d\" 'e\\f'"), 3);
	assert_string_equal(words[0], "a b");
	assert_string_equal(words[1], "c\"d");
	assert_string_equal(words[2], "e\\f");
	assert_int_equal(split("end\\"), 1);
	assert_string_equal(words[0], "end\\");
}

static void what_does_not_fit_is_refused(void **state)
{
	char value[100];

	(void)state;
	assert_true(split("a b c d") < 0);
	assert_non_null(strstr(why, "too many"));
	memset(value, 'x', sizeof(value));
	value[sizeof(buf)] = '\0';
	assert_true(split(value) < 0);
	assert_non_null(strstr(why, "too long"));
	value[sizeof(buf) - 1] = '\0';
	assert_int_equal(split(value), 1);
	assert_true(split("a 'b") < 0);
	assert_non_null(strstr(why, "quote"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blanks_separate),
		cmocka_unit_test(quotes_keep_blanks),
		cmocka_unit_test(a_backslash_keeps_what_follows),
		cmocka_unit_test(what_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
