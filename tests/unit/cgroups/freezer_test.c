// SPDX-License-Identifier: GPL-2.0-only
/* Freezing and killing, by the core of cgroup2 and by the v1 freezer. */
#include "fixture.h"

#include <sys/mman.h>

/* Counts in a shared page of memory as long as it runs. */
static int test_count(void *arg)
{
	volatile unsigned long *n = arg;

	while (*n + 1)
		*n = *n + 1;
	return 0;
}

static volatile unsigned long *shared_counter(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static void wait_counting(volatile unsigned long *n)
{
	unsigned long then = *n;
	unsigned looks = 0;

	while (*n == then)
		assert_true(test_again(&looks));
}

/* Frozen is: does not count any more, for a while in which it would have counted millions. */
static void freeze_stops(const struct cg *cg)
{
	volatile unsigned long *n = shared_counter();
	struct err e = {0};
	unsigned long then;
	pid_t pid = test_spawn(cg, test_count, (void *)n);

	wait_counting(n);
	assert_int_equal(cg_frozen(cg, &e), 0);
	OK(cg_freeze(cg, 30000, &e));
	assert_int_equal(cg_frozen(cg, &e), 1);
	then = *n;
	poll(NULL, 0, 50);
	assert_int_equal(*n, then);
	OK(cg_freeze(cg, 30000, &e)); /* again is fine */
	OK(cg_thaw(cg, 30000, &e));
	assert_int_equal(cg_frozen(cg, &e), 0);
	wait_counting(n);
	OK(cg_kill(cg, &e));
	assert_int_equal(WTERMSIG(test_reap(pid)), SIGKILL);
	munmap((void *)n, 4096);
}

static void v2_freezer(void **state)
{
	struct cg cg;

	(void)state;
	test_make("freeze2", &cg);
	if (cg.v2 < 0) {
		test_end(&cg);
		skip();
	}
	freeze_stops(&cg);
	test_end(&cg);
}

/* The same handle without its unified part, as on a host that has only v1. */
static struct cg v1_only(const struct cg *cg)
{
	struct cg v1 = *cg;

	v1.v2 = v1.ct = -EBADF;
	return v1;
}

static void v1_freezer(void **state)
{
	struct cg cg, v1;

	(void)state;
	test_make("freeze1", &cg);
	v1 = v1_only(&cg);
	if (cg.v1[CG_FREEZER] < 0) {
		test_end(&cg);
		skip();
	}
	freeze_stops(&v1);
	test_end(&cg);
}

/* Three levels of children, each of which forks on and on as fast as it may. */
static int test_forks(void *arg)
{
	unsigned depth = 6;

	(void)arg;
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		pid_t pid = fork();

		if (pid == 0 && --depth == 0)
			_exit(0);
		if (pid > 0)
			poll(NULL, 0, 1);
	}
	return 0;
}

static void kill_ends_a_fork_tree(const struct cg *cg)
{
	auto_free pid_t *pids = NULL;
	struct cg_limits l = {0};
	struct err e = {0};
	unsigned looks = 0;
	pid_t pid;
	int count;

	OK(cg_limit_set(&l, CG_LIMIT_PIDS_MAX, 60, &e));
	OK(cg_limits_apply(cg, &l, false, &e));
	pid = test_spawn(cg, test_forks, NULL);
	for (;;) {
		pid_t *now = NULL;

		OK(count = cg_pids(cg, &now, &e));
		free(now);
		if (count >= 40)
			break;
		assert_true(test_again(&looks));
	}
	assert_int_equal(cg_populated(cg, &e), 1);
	OK(cg_kill(cg, &e));
	assert_int_equal(WTERMSIG(test_reap(pid)), SIGKILL);
	OK(cg_wait_empty(cg, 5000, &e));
	assert_int_equal(cg_populated(cg, &e), 0);
	assert_int_equal(cg_pids(cg, &pids, &e), 0);
}

static void v2_kill(void **state)
{
	struct cg cg;

	(void)state;
	test_make("kill2", &cg);
	kill_ends_a_fork_tree(&cg);
	test_end(&cg);
}

static void v1_kill(void **state)
{
	struct cg cg, v1;

	(void)state;
	test_make("kill1", &cg);
	v1 = v1_only(&cg);
	if (v1.v1[CG_FREEZER] >= 0)
		kill_ends_a_fork_tree(&v1);
	test_end(&cg);
}

static void frozen_ones_can_be_killed(void **state)
{
	struct err e = {0};
	struct cg cg;
	pid_t pid;

	(void)state;
	test_make("coldkill", &cg);
	pid = test_spawn(&cg, test_pause, NULL);
	OK(cg_freeze(&cg, 30000, &e));
	OK(cg_kill(&cg, &e));
	assert_int_equal(WTERMSIG(test_reap(pid)), SIGKILL);
	test_end(&cg);
}

static void waiting_has_a_deadline(void **state)
{
	struct err e = {0};
	struct cg cg;
	pid_t pid;

	(void)state;
	test_make("deadline", &cg);
	pid = test_spawn(&cg, test_pause, NULL);
	assert_int_equal(cg_wait_empty(&cg, 30, &e), -ETIMEDOUT);
	OK(cg_kill(&cg, &e));
	test_reap(pid);
	test_end(&cg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(v2_freezer),
		cmocka_unit_test(v1_freezer),
		cmocka_unit_test(v2_kill),
		cmocka_unit_test(v1_kill),
		cmocka_unit_test(frozen_ones_can_be_killed),
		cmocka_unit_test(waiting_has_a_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, test_clean);
}
