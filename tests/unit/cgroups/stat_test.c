// SPDX-License-Identifier: GPL-2.0-only
/* Limits at work, seen in the statistics: out of memory, throttled, weighed, refused forks. */
#include "fixture.h"

#include <sys/mman.h>

#define MIB (UINT64_C(1) << 20)

static int hog(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 256; i++) {
		void *p =
			mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return 1;
		memset(p, 'x', MIB);
	}
	return 0;
}

static void hog_is_killed(void **state)
{
	struct cg_limits l = {0};
	struct err e = {0};
	struct cg_stat st;
	struct cg cg;
	int status;

	(void)state;
	test_make("hog", &cg);
	OK(cg_limit_set(&l, CG_LIMIT_MEM_MAX, 24 * MIB, &e));
	OK(cg_limit_set(&l, CG_LIMIT_SWAP_MAX, 0, &e));
	OK(cg_limits_apply(&cg, &l, false, &e));
	status = test_reap(test_spawn(&cg, hog, NULL));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	OK(cg_stat_read(&cg, &st, &e));
	assert_true(st.oom_kill.valid && st.oom_kill.v == 1);
	assert_true(st.mem_failcnt.valid);
	/* v1 on Linux 6.18 leaves memory.failcnt and memory.memsw.failcnt at 0 through an OOM kill (measured). */
	if (!test_is_v1(CG_MEMORY))
		assert_true(st.mem_failcnt.v > 0);
	assert_true(st.mem_peak.valid && st.mem_peak.v > 16 * MIB && st.mem_peak.v <= 24 * MIB);
	test_end(&cg);
}

static void quota_throttles(void **state)
{
	struct cg_limits l = {0};
	struct err e = {0};
	struct cg_stat st;
	unsigned looks = 0;
	uint64_t t0, ns;
	struct cg cg;
	pid_t pid;

	(void)state;
	test_make("quota", &cg);
	OK(cg_limit_set(&l, CG_LIMIT_CPU_QUOTA, 100, &e));
	OK(cg_limits_apply(&cg, &l, false, &e));
	t0 = log_now_ns();
	pid = test_spawn(&cg, test_spin, NULL);
	do {
		assert_true(test_again(&looks));
		OK(cg_stat_read(&cg, &st, &e));
		/* A tenth of a second: four periods, or more where somebody else has the CPU, too. */
	} while (st.cpu_throttled.v < 4 || st.cpu_throttled_time.v <= 100000);
	ns = log_now_ns() - t0;
	assert_true(st.cpu_periods.v >= st.cpu_throttled.v);
	/* A tenth of a CPU, with one period's allowance and a tick of 10 ms each to spare. */
	assert_true(st.cpu_usage.v * 1000 < ns / 10 + 30000000u);
	OK(cg_kill(&cg, &e));
	test_reap(pid);
	test_end(&cg);
}

static int spin_on_cpu_0(void *arg)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return 98;
	return test_spin(arg);
}

/* Two containers on one CPU share it 3 : 1, whatever else runs there. */
static void weights_hold(void **state)
{
	struct cg_stat light_st, heavy_st;
	uint64_t light_0 = 0, heavy_0 = 0;
	struct cg_limits l = {0};
	struct cg light, heavy;
	struct err e = {0};
	unsigned looks = 0;
	pid_t a, b;

	(void)state;
	test_make("light", &light);
	test_make("heavy", &heavy);
	OK(cg_limit_set(&l, CG_LIMIT_CPU_WEIGHT, 100, &e));
	OK(cg_limits_apply(&light, &l, false, &e));
	OK(cg_limit_set(&l, CG_LIMIT_CPU_WEIGHT, 300, &e));
	OK(cg_limits_apply(&heavy, &l, false, &e));
	a = test_spawn(&light, spin_on_cpu_0, NULL);
	b = test_spawn(&heavy, spin_on_cpu_0, NULL);
	do {
		assert_true(test_again(&looks));
		OK(cg_stat_read(&light, &light_st, &e));
		OK(cg_stat_read(&heavy, &heavy_st, &e));
		/* Counted from where both had some: until then the first had the CPU for itself. */
		if (!heavy_0 && light_st.cpu_usage.v > 20000 && heavy_st.cpu_usage.v > 20000) {
			light_0 = light_st.cpu_usage.v;
			heavy_0 = heavy_st.cpu_usage.v;
		}
		light_st.cpu_usage.v -= light_0;
		heavy_st.cpu_usage.v -= heavy_0;
	} while (!heavy_0 || light_st.cpu_usage.v + heavy_st.cpu_usage.v < 800000);
	assert_in_range(heavy_st.cpu_usage.v * 10 / light_st.cpu_usage.v, 20, 45);
	OK(cg_kill(&light, &e));
	OK(cg_kill(&heavy, &e));
	test_reap(a);
	test_reap(b);
	test_end(&light);
	test_end(&heavy);
}

static int fork_many(void *arg)
{
	int failed = 0;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (pid == 0)
			test_pause(NULL);
		failed += pid < 0 && errno == EAGAIN;
	}
	return failed;
}

static void forks_are_refused(void **state)
{
	struct cg_limits l = {0};
	struct err e = {0};
	struct cg_stat st;
	struct cg cg;
	int status;

	(void)state;
	test_make("forks", &cg);
	OK(cg_limit_set(&l, CG_LIMIT_PIDS_MAX, 8, &e));
	OK(cg_limits_apply(&cg, &l, false, &e));
	status = test_reap(test_spawn(&cg, fork_many, NULL));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 20 - 7);
	OK(cg_stat_read(&cg, &st, &e));
	assert_int_equal(st.pids_max.v, 8);
	assert_int_equal(st.pids_current.v, 7);
	assert_int_equal(st.pids_failcnt.v, 20 - 7);
	test_end(&cg);
}

static void numbers_and_pressure_are_there(void **state)
{
	struct err e = {0};
	struct cg_stat st;
	struct cg cg;
	pid_t pid;

	(void)state;
	test_make("numbers", &cg);
	pid = test_spawn(&cg, test_pause, NULL);
	OK(cg_stat_read(&cg, &st, &e));
	assert_true(st.cpu_usage.valid && st.cpu_user.valid && st.cpu_system.valid);
	assert_true(st.mem_current.valid && st.mem_anon.valid && st.mem_file.valid);
	assert_true(st.pids_current.valid && st.pids_current.v == 1);
	assert_true(st.io_rbytes.valid && st.io_wbytes.valid);
	assert_int_equal(st.mem_max.v, CG_STAT_UNLIMITED);
	if (cg.v2 >= 0 && !faccessat(cg.v2, "cpu.pressure", F_OK, 0))
		assert_true(st.cpu.valid && st.memory.valid && st.io.valid);
	OK(cg_kill(&cg, &e));
	test_reap(pid);
	test_end(&cg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hog_is_killed),
		cmocka_unit_test(quota_throttles),
		cmocka_unit_test(weights_hold),
		cmocka_unit_test(forks_are_refused),
		cmocka_unit_test(numbers_and_pressure_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, test_clean);
}
