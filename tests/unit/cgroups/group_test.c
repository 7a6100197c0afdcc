// SPDX-License-Identifier: GPL-2.0-only
/* Making, refusing, delegating and removing the groups of a container. */
#include <sys/xattr.h>

#include "fixture.h"
#include "cgroups/delegate.h"

static void all_hierarchies_are_found(void **state)
{
	struct err e = {0};
	const struct cg_host *host = cg_host(&e);

	(void)state;
	assert_non_null(host);
	if (!access("/sys/fs/cgroup/unified/cgroup.procs", F_OK))
		assert_string_equal(host->unified, "/sys/fs/cgroup/unified");
	for (int c = CG_CPU; c <= CG_IO; c++)
		assert_true(host->ctl[c].version == 1 || host->ctl[c].version == 2);
}

static void count_dir(const char *dir, void *arg)
{
	assert_int_equal(access(dir, F_OK), 0);
	++*(int *)arg;
}

static void create_makes_and_destroy_leaves_nothing(void **state)
{
	struct err e = {0};
	struct cg cg, again;
	int count = 0;

	(void)state;
	test_make("make", &cg);
	OK(cg_each_dir(cg.path, count_dir, &count, &e));
	assert_true(count >= 1);
	OK(cg_open(cg.path, &again, &e));
	assert_int_equal(again.v2 >= 0, cg.v2 >= 0);
	cg_close(&again);
	test_end(&cg);
	OK(cg_destroy(test_path("make"), 0, &e));
	assert_int_equal(cg_open(test_path("make"), &again, &e), -ENOENT);
}

static void destroy_removes_parents_too(void **state)
{
	struct err e = {0};
	char parent[64];
	struct cg cg;
	int left = 0;

	(void)state;
	test_make("parents", &cg);
	test_end(&cg);
	snprintf(parent, sizeof(parent), "skep-test-%d", getpid());
	OK(cg_each_dir(parent, test_note_left, &left, &e));
	assert_int_equal(left, 0);
}

#define SIBLINGS 6
#define CYCLES	 200

/* Makes and removes a group, again and again. Dies with the number of the failure. */
static void come_and_go(const char *path)
{
	for (int i = 0; i < CYCLES; i++) {
		struct err e = {0};
		struct cg cg;

		if (cg_create(path, &cg, &e) >= 0)
			cg_close(&cg);
		if (e.no == 0)
			cg_destroy(path, 5000, &e);
		if (e.no) {
			print_error("%s\n", e.text);
			_exit(1);
		}
	}
	_exit(0);
}

static void count_notice(enum log_level level, const char *line)
{
	(void)level;
	print_error("%s\n", line);
	_exit(2);
}

/* Of several in one parent each first one makes it, and each last one removes it: at every instruction of the others. */
static void siblings_do_not_disturb_each_other(void **state)
{
	pid_t pids[SIBLINGS];
	struct err e = {0};
	char path[96];
	int left = 0, failed = 0;

	(void)state;
	for (int i = 0; i < SIBLINGS; i++) {
		snprintf(path, sizeof(path), "skep-test-%d/crowd/%d", getpid(), i);
		pids[i] = fork();
		if (pids[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			log_to(count_notice, LOG_LEVEL_WARN);
			come_and_go(path);
		}
	}
	for (int i = 0; i < SIBLINGS; i++)
		failed += test_reap(pids[i]) != 0;
	assert_int_equal(failed, 0);
	snprintf(path, sizeof(path), "skep-test-%d", getpid());
	OK(cg_each_dir(path, test_note_left, &left, &e));
	assert_int_equal(left, 0);
}

static void make_dir(const char *dir, void *arg)
{
	(void)arg;
	if (mkdir(dir, 0755) && errno != EEXIST)
		fail_msg("make %s: %s", dir, strerror(errno));
}

static void remove_dir(const char *dir, void *arg)
{
	if (!rmdir(dir))
		++*(int *)arg;
}

/* Its limits would go with it. */
static void a_parent_that_others_made_stays(void **state)
{
	struct err e = {0};
	char parent[64], path[80];
	struct cg cg;
	int hierarchies = 0, removed = 0;

	(void)state;
	snprintf(parent, sizeof(parent), "skep-foreign-%d", getpid());
	snprintf(path, sizeof(path), "%s/ct", parent);
	OK(cg_each_dir(parent, make_dir, NULL, &e));
	OK(cg_create(path, &cg, &e));
	OK(cg_each_dir(path, count_dir, &hierarchies, &e));
	cg_close(&cg);
	OK(cg_destroy(path, 1000, &e));
	OK(cg_each_dir(parent, remove_dir, &removed, &e));
	assert_int_equal(removed, hierarchies);
}

/* By what systemd gives the group of each unit. */
static void note_unit(const char *dir, void *arg)
{
	(void)arg;
	assert_int_equal(setxattr(dir, "trusted.invocation_id", "1", 1, 0), 0);
}

static void a_parent_that_systemd_has_stays(void **state)
{
	struct err e = {0};
	char parent[64];
	struct cg cg;
	int hierarchies = 0, removed = 0;

	(void)state;
	test_make("unit", &cg);
	snprintf(parent, sizeof(parent), "skep-test-%d", getpid());
	OK(cg_each_dir(parent, note_unit, NULL, &e));
	OK(cg_each_dir(parent, count_dir, &hierarchies, &e));
	test_end(&cg);
	OK(cg_each_dir(parent, remove_dir, &removed, &e));
	assert_int_equal(removed, hierarchies);
}

static void bad_paths_are_refused(void **state)
{
	static const char *const bad[] = {"",	   "/",		 "/skep/1", "skep//1",
					  "skep/", "skep/../..", "..",	    "./a"};
	struct cg cg;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = {0};

		assert_true(cg_create(bad[i], &cg, &e) < 0);
		assert_int_equal(e.class, ERR_VALUE);
		err_clear(&e);
		assert_true(cg_destroy(bad[i], 0, &e) < 0);
	}
}

static void frozen_group_is_refused(void **state)
{
	struct err e = {0};
	struct cg cg, other;

	(void)state;
	test_make("frozen", &cg);
	OK(cg_freeze(&cg, 30000, &e));
	assert_int_equal(cg_create(cg.path, &other, &e), -EEXIST);
	assert_int_equal(e.class, ERR_EXISTS);
	assert_non_null(strstr(e.text, "frozen"));
	test_end(&cg);
}

static void populated_group_is_refused(void **state)
{
	struct err e = {0};
	struct cg cg, other;
	pid_t pid;

	(void)state;
	test_make("busy", &cg);
	pid = test_spawn(&cg, test_pause, NULL);
	assert_int_equal(cg_create(cg.path, &other, &e), -EEXIST);
	assert_non_null(strstr(e.text, "processes"));
	err_clear(&e);
	assert_int_equal(cg_destroy(cg.path, 20, &e), -EBUSY);
	OK(cg_kill(&cg, &e));
	test_reap(pid);
	test_end(&cg);
}

static void empty_left_over_is_replaced(void **state)
{
	struct cg_limits l = {0};
	struct err e = {0};
	struct cg cg, fresh;
	struct cg_stat st;

	(void)state;
	test_make("left", &cg);
	OK(cg_limit_set(&l, CG_LIMIT_PIDS_MAX, 7, &e));
	OK(cg_limits_apply(&cg, &l, false, &e));
	cg_close(&cg);
	test_make("left", &fresh);
	OK(cg_stat_read(&fresh, &st, &e));
	assert_int_equal(st.pids_max.v, CG_STAT_UNLIMITED);
	test_end(&fresh);
}

/* Deeper than there may be descriptors: name=systemd has no bound of its own. */
static void deep_tree_is_removed(void **state)
{
	struct cg cg;
	int dir;

	(void)state;
	test_make("deep", &cg);
	dir = dup(cg.v1[CG_SYSTEMD] >= 0 ? cg.v1[CG_SYSTEMD] : cg.ct);
	for (int i = 0; i < 1500; i++) {
		int next;

		if (mkdirat(dir, "d", 0755) || mkdirat(dir, "e", 0755))
			break; /* cgroup.max.depth */
		next = openat(dir, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(dir);
		dir = next;
	}
	close(dir);
	test_end(&cg);
}

static void container_cannot_build_without_bound(void **state)
{
	struct cg cg;
	int made = 0;

	(void)state;
	test_make("bound", &cg);
	if (cg.ct < 0) {
		test_end(&cg);
		skip();
	}
	for (char name[16]; made < 5000; made++) {
		snprintf(name, sizeof(name), "d%d", made);
		if (mkdirat(cg.ct, name, 0755))
			break;
	}
	assert_int_equal(errno, EAGAIN);
	assert_in_range(made, 4000, 4096);
	test_end(&cg);
}

static void delegation_gives_the_subtree_and_not_the_limits(void **state)
{
	struct err e = {0};
	struct stat st;
	struct cg cg;

	(void)state;
	test_make("give", &cg);
	OK(cg_delegate(&cg, 100000, 100000, true, &e));
	if (cg.ct >= 0) {
		assert_int_equal(fstat(cg.ct, &st), 0);
		assert_int_equal(st.st_uid, 100000);
		assert_int_equal(fstatat(cg.ct, "cgroup.procs", &st, 0), 0);
		assert_int_equal(st.st_uid, 100000);
		assert_int_equal(fstatat(cg.ct, "cgroup.freeze", &st, 0), 0);
		assert_int_equal(st.st_uid, 0);
		assert_int_equal(fstat(cg.v2, &st), 0);
		assert_int_equal(st.st_uid, 0);
	}
	for (int c = 0; c < CG_CONTROLLER_COUNT; c++) {
		if (cg.v1[c] < 0)
			continue;
		assert_int_equal(fstat(cg.v1[c], &st), 0);
		assert_int_equal(st.st_uid, c == CG_SYSTEMD ? 100000 : 0);
	}
	test_end(&cg);
}

static void exec_finds_a_leaf(void **state)
{
	struct clone_args args = {.exit_signal = SIGCHLD, .flags = CLONE_INTO_CGROUP};
	struct err e = {0};
	struct stat a, b;
	struct cg cg;
	int fd;

	(void)state;
	test_make("exec", &cg);
	if (cg.ct < 0) {
		test_end(&cg);
		skip();
	}
	fd = cg_exec_fd(&cg, &e);
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstat(cg.ct, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	close(fd);
	/* Not fit for a process, as ct is under an init that enables controllers (a hybrid host has none to enable). */
	fd = openat(cg.ct, "cgroup.freeze", O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "1", 1), 1);
	close(fd);
	fd = cg_exec_fd(&cg, &e);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_not_equal(a.st_ino, b.st_ino);
	args.cgroup = (uint64_t)fd;
	pid_t pid = sys_clone3(&args);
	if (pid == 0)
		_exit(0);
	assert_true(pid > 0);
	close(fd);
	fd = openat(cg.ct, "cgroup.freeze", O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "0", 1), 1);
	close(fd);
	assert_int_equal(test_reap(pid), 0);
	test_end(&cg);
}

/* A child that exits later than destroy begins: destroy waits for it and no longer. */
static void destroy_waits_for_the_dying(void **state)
{
	struct err e = {0};
	uint64_t t0;
	struct cg cg;
	pid_t pid;

	(void)state;
	test_make("dying", &cg);
	pid = test_spawn(&cg, test_pause, NULL);
	OK(cg_kill(&cg, &e));
	t0 = log_now_ns();
	OK(cg_destroy(cg.path, 5000, &e)); /* its zombie is not reaped yet */
	assert_true(log_now_ns() - t0 < 2000000000u);
	test_reap(pid);
	cg_close(&cg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_hierarchies_are_found),
		cmocka_unit_test(create_makes_and_destroy_leaves_nothing),
		cmocka_unit_test(destroy_removes_parents_too),
		cmocka_unit_test(siblings_do_not_disturb_each_other),
		cmocka_unit_test(a_parent_that_others_made_stays),
		cmocka_unit_test(a_parent_that_systemd_has_stays),
		cmocka_unit_test(bad_paths_are_refused),
		cmocka_unit_test(frozen_group_is_refused),
		cmocka_unit_test(populated_group_is_refused),
		cmocka_unit_test(empty_left_over_is_replaced),
		cmocka_unit_test(deep_tree_is_removed),
		cmocka_unit_test(container_cannot_build_without_bound),
		cmocka_unit_test(delegation_gives_the_subtree_and_not_the_limits),
		cmocka_unit_test(exec_finds_a_leaf),
		cmocka_unit_test(destroy_waits_for_the_dying),
	};

	return cmocka_run_group_tests(tests, NULL, test_clean);
}
