// SPDX-License-Identifier: GPL-2.0-only
/* The value that is found without a parser is the one the parser finds; the plain parser takes nothing that jansson would not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "runtime/spec_plain.h"
#include "runtime/spec_text.h"

static char *found(const char *text)
{
	static char copy[4096], out[4096];
	size_t len = 0;
	char *p;

	snprintf(copy, sizeof(copy), "%s", text);
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

/* What the plain parser takes, jansson takes for the same. Returns whether it did. */
static bool same(const char *text)
{
	json_t *plain = ct_plain_parse(text, NULL, 0);
	json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	bool took = plain != NULL;

	if (took && (!j || !json_equal(plain, j)))
		fail_msg("not the same: %s", text);
	json_decref(plain);
	json_decref(j);
	return took;
}

static const char config[] =
	"{ \"ociVersion\": \"1.0.2\",\n\t\"process\": { \"args\": [ \"/true\", \"\" ], \"n\": [0, -1, 123456789012345678],"
	"\"env\":[]}, \"linux\": {\"a\":null,\"b\":true, \"c\" :false , \"d\":{} , \"e\": [ [ ] , { } ] } }\n";

static void test_plain(void **state)
{
	static const char *const not_plain[] = {"",
						"[]",
						"{",
						"{}x",
						"{\"a\":1,}",
						"{\"a\":01}",
						"{\"a\":1.5}",
						"{\"a\":1e3}",
						"{\"a\":-}",
						"{\"a\":1,\"a\":2}",
						"{\"a\":\"\\u0041\"}",
						"{\"a\":\"\xc3\xa4\"}",
						"{\"a\":\"\n\"}",
						"{\"a\":[1,]}",
						"{\"a\" 1}",
						"{\"a\":tru}",
						"{\"a\":1 2}",
						"{a:1}",
						"{\"a\":1",
						"{\"a\":\"b}",
						"{\"a\":1234567890123456789}"};

	(void)state;
	assert_true(same(config));
	assert_true(same(" {\"a\":\"b c\"} "));
	for (size_t i = 0; i < sizeof(not_plain) / sizeof(not_plain[0]); i++)
		if (same(not_plain[i]))
			fail_msg("taken: %s", not_plain[i]);
}

/* Each character of the config replaced, taken out, and doubled. */
static void test_mutations(void **state)
{
	static const char marks[] = "{}[]\",:\\0-9.e tfn\x01\x7f\xff\n";
	char text[sizeof(config) + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(config) - 1; i++) {
		for (const char *m = marks; *m; m++) {
			memcpy(text, config, sizeof(config));
			text[i] = *m;
			same(text);
			memmove(text + i + 1, config + i, sizeof(config) - i);
			same(text);
		}
		memcpy(text, config, sizeof(config));
		memmove(text + i, text + i + 1, sizeof(config) - i - 1);
		same(text);
		memcpy(text, config, sizeof(config));
		text[i] = 0;
		assert_true(!same(text) ||
			    !config[i + 1]); /* without the last newline it is whole */
	}
}

static void test_without(void **state)
{
	const char *text = "{\"linux\": {\"seccomp\": {\"a\": 1.5}, \"b\": 2}}";
	json_t *j = ct_plain_parse(text, strstr(text, "{\"a"), 10);

	(void)state;
	assert_non_null(j);
	assert_true(json_is_null(json_object_get(json_object_get(j, "linux"), "seccomp")));
	assert_int_equal(json_integer_value(json_object_get(json_object_get(j, "linux"), "b")), 2);
	json_decref(j);
}

static void test_levels(void **state)
{
	char text[256] = "{\"a\":";

	(void)state;
	for (int deep = 31; deep <= 32; deep++) {
		memset(text + 5, '[', (size_t)deep);
		memset(text + 5 + deep, ']', (size_t)deep);
		memcpy(text + 5 + 2 * deep, "}", 2);
		assert_int_equal(same(text), deep == 31);
	}
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
		cmocka_unit_test(test_found),  cmocka_unit_test(test_not_found),
		cmocka_unit_test(test_plain),  cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_levels), cmocka_unit_test(test_without),
		cmocka_unit_test(test_fold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
