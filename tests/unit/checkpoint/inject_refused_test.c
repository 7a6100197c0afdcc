// SPDX-License-Identifier: GPL-2.0-only
/* Processes that cannot be entered, or not left as usual: an error, and no harm. */
#include "visited.h"

#include <sys/ptrace.h>
#include <time.h>

static int in_read(void)
{
	char c;

	return read(3, &c, 1) == 1 ? ANSWER : 1;
}

static int in_sleep(void)
{
	struct timespec ts = {.tv_nsec = 400000000};

	return nanosleep(&ts, NULL) ? 1 : ANSWER;
}

static int in_dispatch(void)
{
	static char selector = SYSCALL_DISPATCH_FILTER_ALLOW;
	char c;

	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &selector))
		return 1;
	return write(4, "r", 1) == 1 && read(3, &c, 1) == 1 ? ANSWER : 1;
}

/* Its calls may end in SIGSYS, which would kill it. */
static void who_catches_its_calls_is_refused(void **state)
{
	struct child c = child_of(in_dispatch);
	struct err e = {0};
	char r;

	(void)state;
	assert_int_equal(read(c.out, &r, 1), 1);
	wait_for(c.pid, 'S', SYS_read);
	assert_int_equal(visit(&c, &e), -EOPNOTSUPP);
	say(&c);
	comes_out(&c);
}

static int in_vfork(void)
{
	char c;
	pid_t pid = vfork();

	if (pid == 0)
		_exit(read(3, &c, 1) == 1 ? ANSWER : 1);
	return WEXITSTATUS(test_reap(pid));
}

/* In a child, as the header says: its end withdraws the request. Answers 0 when begin gave that error. */
static int begin_in_child(const struct child *c, int wanted)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct cr_inject in;
		struct err e = {0};
		int r = cr_inject_begin(&in, c->pid, c->ticks, 50, &e);

		if (r != -wanted)
			fprintf(stderr, "begin gave %d: %s\n", r, e.text);
		_exit(r != -wanted);
	}
	return WEXITSTATUS(test_reap(pid));
}

static void the_parent_of_a_vfork_is_left(void **state)
{
	struct child c = child_of(in_vfork);

	(void)state;
	wait_for(c.pid, 'D', -1);
	assert_int_equal(begin_in_child(&c, ETIMEDOUT), 0);
	assert_int_equal(state_of(c.pid), 'D');
	say(&c);
	comes_out(&c);
}

/* A freezer catches it between two stops: the call fails, and nothing of it remains. */
static void one_that_is_frozen(void **state)
{
	struct cr_inject in;
	struct err e = {0};
	struct child c;
	struct cg cg;
	long result;

	(void)state;
	test_make("inject", &cg);
	if (cg.v2 < 0) {
		test_end(&cg);
		skip();
	}
	c = child_of(in_sleep);
	OK(cg_add(&cg, c.pid, true, &e));
	wait_for(c.pid, 'S', SYS_clock_nanosleep);
	OK(cr_inject_begin(&in, c.pid, c.ticks, 2000, &e));
	OK(cg_freeze(&cg, 30000, &e));
	assert_int_equal(cr_inject_syscall(&in, SYS_dup2, (uint64_t[6]){3, 7}, &result, &e),
			 -ETIMEDOUT);
	err_clear(&e);
	OK(cr_inject_end(&in, NULL, &e));
	OK(cg_thaw(&cg, 30000, &e));
	comes_out(&c);
	test_end(&cg);
}

static int in_traced(void)
{
	char c;

	return read(3, &c, 1) == 1 ? ANSWER : 1;
}

static void a_traced_one_is_refused(void **state)
{
	struct child c = child_of(in_traced);

	(void)state;
	assert_int_equal(ptrace(PTRACE_SEIZE, c.pid, NULL, NULL), 0);
	assert_int_equal(begin_in_child(&c, EPERM), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, c.pid, NULL, NULL), 0);
	test_reap(c.pid);
	assert_int_equal(ptrace(PTRACE_DETACH, c.pid, NULL, NULL), 0);
	say(&c);
	comes_out(&c);
}

static void a_dead_or_other_one_is_refused(void **state)
{
	struct child c = child_of(in_read), other;

	(void)state;
	other = c;
	other.ticks++;
	assert_int_equal(begin_in_child(&other, ESRCH), 0);
	say(&c);
	waitid(P_PID, (id_t)c.pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
	assert_int_equal(begin_in_child(&c, EPERM), 0); /* a zombie */
	comes_out(&c);
	assert_int_equal(begin_in_child(&c, ESRCH), 0);
}

/* Killed in the middle: an error, and nothing hangs. */
static void one_that_is_killed(void **state)
{
	struct child c = child_of(in_read);
	struct err e = {0};
	struct cr_inject in;
	long result;

	(void)state;
	wait_for(c.pid, 'S', SYS_read);
	OK(cr_inject_begin(&in, c.pid, c.ticks, 2000, &e));
	kill(c.pid, SIGKILL);
	assert_int_equal(cr_inject_syscall(&in, SYS_getpid, (uint64_t[6]){0}, &result, &e), -ESRCH);
	assert_int_equal(cr_inject_end(&in, NULL, &e), -ESRCH);
	waitpid(c.pid, NULL, 0);
	close(c.in);
	close(c.out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_catches_its_calls_is_refused),
		cmocka_unit_test(the_parent_of_a_vfork_is_left),
		cmocka_unit_test(a_traced_one_is_refused),
		cmocka_unit_test(a_dead_or_other_one_is_refused),
		cmocka_unit_test(one_that_is_killed),
		cmocka_unit_test(one_that_is_frozen),
	};

	return cmocka_run_group_tests_name("inject_refused", tests, NULL, test_clean);
}
