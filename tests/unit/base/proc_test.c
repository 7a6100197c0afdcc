// SPDX-License-Identifier: GPL-2.0-only
/* Programs run to their end, deadlines, files replaced whole, locks, and the talk of two sides. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/sync.h"

static int temp_dir(char *path)
{
	assert_non_null(mkdtemp(path));
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void programs(void **state)
{
	static const char *const seven[] = {"sh", "-c", "echo the cause >&2; exit 7", NULL};
	static const char *const none[] = {"no-such-program-of-skep", NULL};
	static const char *const slow[] = {"sleep", "30", NULL};
	struct proc_run run = {.argv = slow, .deadline_ms = 100};
	struct err e = {0};

	(void)state;
	assert_true(proc_run_ok(seven, &e) < 0);
	assert_non_null(strstr(e.text, "the cause"));
	err_clear(&e);
	assert_int_equal(proc_run_ok(none, &e), -ENOENT);
	err_clear(&e);
	assert_int_equal(proc_run(&run, &e), -ETIMEDOUT);
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(20);
		for (;;)
			pause();
	}
	return pid;
}

/* A child whose pidfd did not reach us is killed all the same: reaped where one can be opened, else left to be. */
static void ends_without_a_descriptor(void **state)
{
	struct rlimit before, none;
	pid_t pid = sleeper();
	int status = 0;

	(void)state;
	proc_end(pid, -EBADF, 10000);
	assert_int_equal(waitpid(pid, &status, 0), -1);
	pid = sleeper();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	proc_end(pid, -EBADF, 10000);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	/* Unless it was so fast that proc_end() saw its end. */
	if (waitpid(pid, &status, 0) == pid)
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void identity(void **state)
{
	struct err e = {0};
	uint64_t ticks;
	auto_fd int fd = -EBADF;

	(void)state;
	assert_int_equal(proc_start_time(getpid(), &ticks, &e), 0);
	fd = proc_open(getpid(), ticks, &e);
	assert_true(fd >= 0);
	assert_int_equal(proc_open(getpid(), ticks + 1, &e), -ESRCH);
}

/* The holder, another process, ends while we wait: the lock is then ours, within the deadline. */
static void waits_for_its_turn(int dir, int *held)
{
	struct err e = {0};
	auto_fd int ours = -EBADF;
	pid_t holder = fork();

	assert_true(holder >= 0);
	if (holder == 0)
		_exit(poll(NULL, 0, 200) != 0);
	own_close_fd(held);
	ours = lock_take_at(dir, "lock", "start", 30000, &e);
	assert_true(ours >= 0);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
	assert_int_equal(lock_take_at(dir, "lock", "stop", 0, &e), -EWOULDBLOCK);
	assert_non_null(strstr(e.text, "(start)"));
}

static void files_and_locks(void **state)
{
	char path[] = "/tmp/skep-base-XXXXXX";
	struct err e = {0};
	auto_fd int dir = temp_dir(path);
	auto_fd int held = -EBADF;
	auto_free char *text = NULL;
	char verb[32];

	(void)state;
	assert_int_equal(file_replace_at(dir, "a", "one", 3, 0600, &e), 0);
	assert_int_equal(file_replace_at(dir, "a", "two!", 4, 0600, &e), 0);
	assert_int_equal(file_read_at(dir, "a", 100, &text, &e), 4);
	assert_string_equal(text, "two!");
	own_free(&text);
	assert_int_equal(file_read_at(dir, "a", 3, &text, &e), -EFBIG);
	err_clear(&e);

	held = lock_take_at(dir, "lock", "migrate", 0, &e);
	assert_true(held >= 0);
	assert_int_equal(lock_take_at(dir, "lock", "start", 30, &e), -EWOULDBLOCK);
	assert_int_equal(e.class, ERR_LOCKED);
	assert_non_null(strstr(e.text, "(migrate)"));
	err_clear(&e);
	assert_int_equal(lock_last_verb_at(dir, "lock", verb, sizeof(verb)), 0);
	assert_string_equal(verb, "migrate");
	assert_int_equal(lock_last_verb_at(dir, "nosuch", verb, sizeof(verb)), -ENOENT);
	waits_for_its_turn(dir, &held);

	assert_int_equal(close(file_mkdirs_at(dir, "x/y/z", 0700, &e)), 0);
	assert_int_equal(symlinkat("/etc", dir, "x/y/link"), 0);
	assert_int_equal(file_remove_tree_at(dir, "x", &e), 0);
	assert_int_equal(faccessat(dir, "x", F_OK, 0), -1);
	assert_int_equal(access("/etc/passwd", F_OK), 0);
	assert_int_equal(file_remove_tree_at(dir, "x", &e), 0);
	assert_int_equal(file_remove_tree_at(AT_FDCWD, path, &e), 0);
}

static const char *step_name(unsigned step)
{
	return step == 1 ? "MOUNTS" : "NET";
}

static void two_sides(void **state)
{
	struct err e = {0}, theirs = {0};
	auto_fd int a = -EBADF;
	auto_fd int b = -EBADF;
	auto_fd int got = -EBADF;
	struct sync host = {.peer = "init", .step_to_str = step_name};
	struct sync init = {.peer = "host", .step_to_str = step_name};
	int64_t value = 0;

	(void)state;
	assert_int_equal(sync_pair(&a, &b, &e), 0);
	host.fd = a;
	init.fd = b;
	assert_int_equal(sync_send(&init, 1, SYNC_FD, 42, STDERR_FILENO, &e), 0);
	assert_int_equal(sync_expect(&host, 1, SYNC_FD, &value, &got, &e), 0);
	assert_int_equal(value, 42);
	assert_true(got > 2 && (fcntl(got, F_GETFD) & FD_CLOEXEC));

	err_set(&theirs, EPERM, "mount /proc: no");
	sync_send_error(&init, 1, &theirs);
	assert_int_equal(sync_expect(&host, 1, SYNC_OK, NULL, NULL, &e), -EPERM);
	assert_string_equal(e.text, "mount /proc: no");
	err_clear(&e);

	/* The end of the stream is never consent. */
	own_close_fd(&b);
	assert_int_equal(sync_expect(&host, 2, SYNC_OK, NULL, NULL, &e), -EPIPE);
	assert_string_equal(e.text, "init died at step NET");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs),  cmocka_unit_test(ends_without_a_descriptor),
		cmocka_unit_test(identity),  cmocka_unit_test(files_and_locks),
		cmocka_unit_test(two_sides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
