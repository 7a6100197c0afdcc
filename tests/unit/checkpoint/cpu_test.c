// SPDX-License-Identifier: GPL-2.0-only
/* Which processors a program can go on on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/err.h"
#include "checkpoint/cpu.h"

#define CPUINFO                                                                               \
	"processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vme sse sse2 ht avx avx2 " \
	"avx512f ibrs vmx sha_ni\nbugs\t\t: spectre_v1\n\nprocessor\t: 1\nflags\t\t: fpu\n"

static void what_programs_use_is_picked(void **state)
{
	char flags[CR_CPU_FLAGS_SIZE];

	(void)state;
	cr_cpu_flags_in(CPUINFO, flags);
	assert_string_equal(flags, "fpu sse sse2 avx avx2 avx512f sha_ni");
	cr_cpu_flags_in("processor\t: 0\nBogoMIPS\t: 50\nFeatures\t: fp asimd\n", flags);
	assert_string_equal(flags, "");
	cr_cpu_flags_in("processor\t: 0\nflags", flags);
	assert_string_equal(flags, "");
}

static void what_is_missing_is_named(void **state)
{
	char missing[64], tiny[10];

	(void)state;
	assert_int_equal(cr_cpu_missing("fpu avx2", "avx2 fpu avx512f", missing, sizeof(missing)),
			 0);
	assert_string_equal(missing, "");
	assert_int_equal(
		cr_cpu_missing("fpu avx avx2 avx512f", "fpu avx", missing, sizeof(missing)), 2);
	assert_string_equal(missing, "avx2 avx512f");
	/* A flag that is the beginning of another is not that one. */
	assert_int_equal(cr_cpu_missing("avx", "avx2", missing, sizeof(missing)), 1);
	/* What only the kernel uses does not matter, whoever says it. */
	assert_int_equal(cr_cpu_missing("vmx ibrs", "", missing, sizeof(missing)), 0);
	assert_int_equal(cr_cpu_missing("avx avx2 avx512f", "", tiny, sizeof(tiny)), 3);
	assert_string_equal(tiny, "avx avx2");
	assert_int_equal(cr_cpu_missing("", "", missing, sizeof(missing)), 0);
}

static void this_host_has_all_of_its_own(void **state)
{
	char flags[CR_CPU_FLAGS_SIZE], missing[64];
	struct err e = {0};

	(void)state;
	assert_int_equal(cr_cpu_flags(flags, &e), 0);
	assert_true(strlen(flags) + 64 < sizeof(flags));
	assert_int_equal(cr_cpu_missing(flags, flags, missing, sizeof(missing)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_programs_use_is_picked),
		cmocka_unit_test(what_is_missing_is_named),
		cmocka_unit_test(this_host_has_all_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
