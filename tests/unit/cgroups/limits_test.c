// SPDX-License-Identifier: GPL-2.0-only
/* Limits: ranges, what is written, live changes, what a host lacks. */
#include "fixture.h"

#include "base/file.h"

#define MIB (UINT64_C(1) << 20)

static void set(struct cg_limits *l, enum cg_limit w, uint64_t v)
{
	struct err e = {0};

	OK(cg_limit_set(l, w, v, &e));
}

/* What stands in the file that holds the limit on this host. */
static void assert_file(const struct cg *cg, enum cg_controller c, const char *v1,
			const char *want1, const char *v2, const char *want2)
{
	bool old = test_is_v1(c);
	auto_free char *text = NULL;
	struct err e = {0};

	OK(file_read_at(old ? cg->v1[c] : cg->v2, old ? v1 : v2, 4096, &text, &e));
	text[strcspn(text, "\n")] = '\0';
	assert_string_equal(text, old ? want1 : want2);
}

static void ranges_are_checked(void **state)
{
	static const struct {
		enum cg_limit w;
		uint64_t v;
	} bad[] = {{CG_LIMIT_CPU_WEIGHT, 0},
		   {CG_LIMIT_CPU_WEIGHT, 10001},
		   {CG_LIMIT_CPU_WEIGHT, CG_UNLIMITED},
		   {CG_LIMIT_CPU_QUOTA, 0},
		   {CG_LIMIT_CPU_PERIOD, 999},
		   {CG_LIMIT_MEM_MAX, (uint64_t)INT64_MAX + 1},
		   {CG_LIMIT_PIDS_MAX, 0},
		   {CG_LIMIT_IO_WEIGHT, 10001}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cg_limits l = {0};
		struct err e = {0};

		assert_int_equal(cg_limit_set(&l, bad[i].w, bad[i].v, &e), -ERANGE);
		assert_int_equal(e.class, ERR_VALUE);
		assert_false(l.set[bad[i].w]);
	}
}

static void cpu_reads_back(void **state)
{
	struct cg_limits l = {0};
	struct err e = {0};
	struct cg cg;

	(void)state;
	test_make("cpu", &cg);
	set(&l, CG_LIMIT_CPU_WEIGHT, 200);
	set(&l, CG_LIMIT_CPU_QUOTA, 1500);
	OK(cg_limits_apply(&cg, &l, false, &e));
	assert_file(&cg, CG_CPU, "cpu.shares", "2048", "cpu.weight", "200");
	assert_file(&cg, CG_CPU, "cpu.cfs_quota_us", "150000", "cpu.max", "150000 100000");
	/* under the kernel's least quota: the period grows instead */
	l.value[CG_LIMIT_CPU_QUOTA] = 5;
	OK(cg_limits_apply(&cg, &l, false, &e));
	assert_file(&cg, CG_CPU, "cpu.cfs_period_us", "1000000", "cpu.max", "5000 1000000");
	l.value[CG_LIMIT_CPU_QUOTA] = CG_UNLIMITED;
	OK(cg_limits_apply(&cg, &l, false, &e));
	assert_file(&cg, CG_CPU, "cpu.cfs_quota_us", "-1", "cpu.max", "max 100000");
	memset(&l, 0, sizeof(l));
	set(&l, CG_LIMIT_CPU_PERIOD, 50000);
	assert_int_equal(cg_limits_apply(&cg, &l, false, &e), -EINVAL);
	test_end(&cg);
}

/* v1 refuses memory over memory + swap at every moment, so each step here fails if the order is wrong. */
static void memory_goes_up_and_down(void **state)
{
	static const struct {
		uint64_t memory, swap;
	} steps[] = {{64 * MIB, 32 * MIB},
		     {512 * MIB, 0},
		     {16 * MIB, 16 * MIB},
		     {16 * MIB, 0},
		     {256 * MIB, MIB},
		     {MIB, 900 * MIB},
		     {CG_UNLIMITED, CG_UNLIMITED},
		     {32 * MIB, 0}};
	struct cg_limits l = {0};
	struct err e = {0};
	struct cg_stat st;
	struct cg cg;

	(void)state;
	test_make("memory", &cg);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		set(&l, CG_LIMIT_MEM_MAX, steps[i].memory);
		set(&l, CG_LIMIT_SWAP_MAX, steps[i].swap);
		OK(cg_limits_apply(&cg, &l, false, &e));
		OK(cg_stat_read(&cg, &st, &e));
		assert_int_equal(st.mem_max.v, steps[i].memory);
		assert_int_equal(st.swap_max.v, steps[i].swap);
	}
	/* Memory alone, live: the swap stays what it was. */
	memset(&l, 0, sizeof(l));
	set(&l, CG_LIMIT_SWAP_MAX, 8 * MIB);
	OK(cg_limits_apply(&cg, &l, false, &e));
	l.set[CG_LIMIT_SWAP_MAX] = false;
	set(&l, CG_LIMIT_MEM_MAX, 128 * MIB);
	OK(cg_limits_apply(&cg, &l, false, &e));
	OK(cg_stat_read(&cg, &st, &e));
	assert_int_equal(st.mem_max.v, 128 * MIB);
	assert_int_equal(st.swap_max.v, 8 * MIB);
	test_end(&cg);
}

static void swap_needs_memory_on_v1(void **state)
{
	struct cg_limits l = {0};
	struct err e = {0};
	struct cg cg;

	(void)state;
	test_make("swap", &cg);
	set(&l, CG_LIMIT_SWAP_MAX, MIB);
	if (test_is_v1(CG_MEMORY)) {
		assert_int_equal(cg_limits_apply(&cg, &l, false, &e), -EOPNOTSUPP);
		assert_int_equal(e.class, ERR_LIMIT);
		err_clear(&e);
	}
	OK(cg_limits_apply(&cg, &l, true, &e));
	test_end(&cg);
}

static void pids_read_back(void **state)
{
	struct cg_limits l = {0};
	struct err e = {0};
	struct cg cg;

	(void)state;
	test_make("pids", &cg);
	set(&l, CG_LIMIT_PIDS_MAX, 33);
	OK(cg_limits_apply(&cg, &l, false, &e));
	assert_file(&cg, CG_PIDS, "pids.max", "33", "pids.max", "33");
	set(&l, CG_LIMIT_PIDS_MAX, CG_UNLIMITED);
	OK(cg_limits_apply(&cg, &l, false, &e));
	assert_file(&cg, CG_PIDS, "pids.max", "max", "pids.max", "max");
	test_end(&cg);
}

static void io_bandwidth_reads_back(void **state)
{
	struct cg_limits l = {0};
	struct err e = {0};
	struct cg cg;
	unsigned major = 0, minor = 0;
	FILE *f = fopen("/sys/class/block/vda/dev", "re");

	(void)state;
	if (!f)
		f = fopen("/sys/class/block/sda/dev", "re");
	if (!f)
		skip();
	assert_int_equal(fscanf(f, "%u:%u", &major, &minor), 2);
	fclose(f);
	test_make("io", &cg);
	l.io_count = 1;
	l.io[0] =
		(struct cg_io_limit){.major = major, .minor = minor, .rbps = 5 * MIB, .wiops = 77};
	OK(cg_limits_apply(&cg, &l, false, &e));
	if (test_is_v1(CG_IO)) {
		char want[64];

		snprintf(want, sizeof(want), "%u:%u 5242880", major, minor);
		assert_file(&cg, CG_IO, "blkio.throttle.read_bps_device", want, "", "");
		l.io[0] =
			(struct cg_io_limit){.major = major, .minor = minor, .rbps = CG_UNLIMITED};
		OK(cg_limits_apply(&cg, &l, false, &e));
		assert_file(&cg, CG_IO, "blkio.throttle.read_bps_device", "", "", "");
	}
	l.io[0] = (struct cg_io_limit){.major = 4095, .minor = 1, .rbps = MIB};
	err_clear(&e);
	assert_int_equal(cg_limits_apply(&cg, &l, false, &e), -ENODEV);
	assert_int_equal(e.class, ERR_LIMIT);
	test_end(&cg);
}

static void cpuset_reads_back(void **state)
{
	struct cg_limits l = {.cpus = "0", .mems = "0"};
	struct err e = {0};
	struct cg cg;

	(void)state;
	test_make("cpuset", &cg);
	OK(cg_limits_apply(&cg, &l, false, &e));
	assert_file(&cg, CG_CPUSET, "cpuset.cpus", "0", "cpuset.cpus", "0");
	snprintf(l.cpus, sizeof(l.cpus), "0; rm");
	assert_int_equal(cg_limits_apply(&cg, &l, true, &e), -EINVAL);
	assert_int_equal(e.class, ERR_VALUE);
	test_end(&cg);
}

static unsigned warnings;

static void count_warning(enum log_level level, const char *line)
{
	(void)line;
	warnings += level == LOG_LEVEL_WARN;
}

static void what_v1_lacks_is_said(void **state)
{
	static const enum cg_limit only_v2[] = {CG_LIMIT_MEM_HIGH, CG_LIMIT_MEM_MIN};
	struct cg cg;

	(void)state;
	test_make("lack", &cg);
	for (size_t i = 0; i < ARRAY_SIZE(only_v2); i++) {
		struct cg_limits l = {0};
		struct err e = {0};

		set(&l, only_v2[i], MIB);
		if (!test_is_v1(CG_MEMORY)) {
			OK(cg_limits_apply(&cg, &l, false, &e));
			continue;
		}
		assert_int_equal(cg_limits_check(&l, &e), -EOPNOTSUPP);
		err_clear(&e);
		assert_int_equal(cg_limits_apply(&cg, &l, false, &e), -EOPNOTSUPP);
		assert_int_equal(e.class, ERR_LIMIT);
		assert_non_null(strstr(e.text, "memory"));
		assert_true(e.hint[0]);
		warnings = 0;
		log_to(count_warning, LOG_LEVEL_WARN);
		OK(cg_limits_apply(&cg, &l, true, &e));
		log_to(NULL, LOG_LEVEL_WARN);
		assert_int_equal(warnings, 1);
	}
	test_end(&cg);
}

static void raw_names_are_guarded(void **state)
{
	static const char *const bad[] = {"cgroup.procs", "cgroup.freeze", "../x.y",
					  "memory",	  "ct/a.b",	   ""};
	struct err e = {0};
	struct cg cg;

	(void)state;
	test_make("raw", &cg);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		err_clear(&e);
		assert_int_equal(cg_set_raw(&cg, bad[i], "1", &e), -EINVAL);
		assert_int_equal(e.class, ERR_VALUE);
	}
	err_clear(&e);
	if (test_is_v1(CG_MEMORY)) {
		assert_int_equal(cg_set_raw(&cg, "memory.high", "1M", &e), -EOPNOTSUPP);
		assert_int_equal(e.class, ERR_LIMIT);
	} else {
		OK(cg_set_raw(&cg, "memory.high", "1048576", &e));
	}
	test_end(&cg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_checked),
		cmocka_unit_test(cpu_reads_back),
		cmocka_unit_test(memory_goes_up_and_down),
		cmocka_unit_test(swap_needs_memory_on_v1),
		cmocka_unit_test(pids_read_back),
		cmocka_unit_test(io_bandwidth_reads_back),
		cmocka_unit_test(cpuset_reads_back),
		cmocka_unit_test(what_v1_lacks_is_said),
		cmocka_unit_test(raw_names_are_guarded),
	};

	return cmocka_run_group_tests(tests, NULL, test_clean);
}
