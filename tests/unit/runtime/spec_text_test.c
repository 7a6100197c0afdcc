// SPDX-License-Identifier: GPL-2.0-only
/* The value that is found without a parser is the one the parser finds; a text made tight says the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "runtime/spec_text.h"

static char *found(const char *text)
{
	static char copy[4096], out[4096];
	size_t len = 0;
	char *p;

	strcpy(copy, text);
	p = ct_text_object(copy, "linux", "seccomp", &len);
	if (!p)
		return NULL;
	memcpy(out, p, len);
	out[len] = 0;
	return out;
}

static void test_found(void **state)
{
	(void)state;
	assert_string_equal(found("{\"linux\":{\"seccomp\":{\"a\":1}}}"), "{\"a\":1}");
	assert_string_equal(
		found(" {\"x\" : [1, {\"linux\":{}}, \"}\"],\n\t\"linux\" : { \"y\":null, \"seccomp\" :\n{ \"a\":\"}\\\"\" } , \"z\":2}}"),
		"{ \"a\":\"}\\\"\" }");
	assert_string_equal(found("{\"s\":\"\\\\\",\"linux\":{\"n\":-1.5e3,\"seccomp\":{}}}"),
			    "{}");
}

static void test_not_found(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"linux\":{}}",
		"{\"linux\":null}",
		"{\"linux\":[{\"seccomp\":{}}]}",
		"{\"linux\":{\"seccomp\":null}}",
		"{\"linux\":{\"seccomp\":[{}]}}",
		"{\"linux\":{\"seccomp\":{\"a\":[}",
		"{\"linux\":{\"seccomp\":{\"a\":\"}}}",
		"{\"process\":{\"linux\":{\"seccomp\":{}}}}",
		"{\"seccomp\":{}}",
		"{\"a\" 1, \"linux\":{\"seccomp\":{}}}",
		"{\"a\":\"\\\"",
		"{\"a\":\"\\",
		"{\"linux\":{\"b\":\"seccomp\",\"c\":{\"seccomp\":{}}}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_null(found(texts[i]));
}

/* Compares what the parser makes of both. */
static void same(const char *text)
{
	char *tight = ct_text_tight(text, NULL, 0);
	json_t *a = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	json_t *b = json_loads(tight, JSON_REJECT_DUPLICATES, NULL);

	assert_int_equal(!a, !b);
	assert_true(!a || json_equal(a, b));
	assert_true(strlen(tight) <= strlen(text));
	json_decref(a);
	json_decref(b);
	free(tight);
}

static void test_tight(void **state)
{
	char *tight;

	(void)state;
	same("{ \"a  b\" :\n\n\t[ 1 ,  2 ] , \"c\\\"  \" : \"\\\\\" }  ");
	same("{\"a\": 1  2}"); /* wrong before and after: no number grows together */
	same("{\"a\": tr  ue}");
	same("{\"a\":\"unended  }");
	same("");
	tight = ct_text_tight("{\n\t\t\"a\": 1,\n  \"b\": 2\n}\n", NULL, 0);
	assert_string_equal(tight, "{\n\"a\": 1,\n\"b\": 2\n}\n");
	free(tight);
}

static void test_without(void **state)
{
	const char *text = "{\"linux\": {\"seccomp\": {\"a\": 1}, \"b\": 2}}";
	char *tight = ct_text_tight(text, strstr(text, "{\"a"), 8);

	(void)state;
	assert_string_equal(tight, "{\"linux\": {\"seccomp\": null, \"b\": 2}}");
	free(tight);
}

static char *fold(const char *text)
{
	bool needed;
	char *out = ct_text_fold(text, strlen(text), &needed);

	assert_int_equal(needed, out != NULL);
	return out;
}

static void test_fold(void **state)
{
	char *out = fold("{\"a\":18446744073709551615,\"b\":\"18446744073709551615\"}");

	(void)state;
	assert_string_equal(out, "{\"a\":-1,\"b\":\"18446744073709551615\"}");
	free(out);
	assert_null(fold("{\"a\":123456789012345678,\"b\":\"\"}"));
	/* Wherever it begins, 19 digits are seen. */
	for (size_t at = 1; at < 60; at++) {
		char text[128];

		memset(text, ' ', sizeof(text));
		memcpy(text + at, "9999999999999999999", 19);
		text[100] = 0;
		out = fold(text);
		assert_non_null(out);
		assert_null(strstr(out, "9999"));
		free(out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found), cmocka_unit_test(test_not_found),
		cmocka_unit_test(test_tight), cmocka_unit_test(test_without),
		cmocka_unit_test(test_fold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
