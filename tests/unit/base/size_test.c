// SPDX-License-Identifier: GPL-2.0-only
/* Numbers as people write them, and what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/size.h"

static void sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {{"0", 0},
		    {"512", 512},
		    {"1k", 1024},
		    {"512M", 512ull << 20},
		    {"512MiB", 512ull << 20},
		    {"1.5G", 3ull << 29},
		    {"2P", 8192},
		    {"unlimited", SIZE_UNLIMITED}};
	static const char *const bad[] = {"",	"M",  "-1",  "1e3", "0x10",	  "12Q",
					  "1.", " 1", "1 M", "nan", "9999999999T"};
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err e = {0};

		assert_int_equal(size_parse("--memory", good[i].text, &bytes, &e), 0);
		assert_true(bytes == good[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = {0};

		assert_true(size_parse("--memory", bad[i], &bytes, &e) < 0);
		assert_int_equal(e.class, ERR_VALUE);
	}
}

static void cpus_rates_numbers(void **state)
{
	struct err e = {0};
	uint64_t bits;
	uint32_t milli;
	int64_t n;
	char buf[32];

	(void)state;
	assert_int_equal(size_parse_cpus("--cpus", "1.5", &milli, &e), 0);
	assert_int_equal(milli, 1500);
	assert_int_equal(size_parse_cpus("--cpus", "50%", &milli, &e), 0);
	assert_int_equal(milli, 500);
	assert_int_equal(size_parse_rate("--rate", "100mbit", &bits, &e), 0);
	assert_true(bits == 100000000);
	assert_int_equal(size_parse_number("--pids", "64", 1, 100, &n, &e), 0);
	assert_int_equal(n, 64);
	assert_true(size_parse_number("--pids", "101", 1, 100, &n, &e) < 0);
	assert_non_null(e.text);
	err_clear(&e);
	assert_true(size_parse_cpus("--cpus", "0", &milli, &e) < 0);
	assert_string_equal(size_to_str(3ull << 29, buf, sizeof(buf)), "1.5G");
	assert_string_equal(size_to_str(512ull << 20, buf, sizeof(buf)), "512M");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(cpus_rates_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
