// SPDX-License-Identifier: GPL-2.0-only
/* Waiting for a program: its end as a shell sees it, its terminal to the last byte, signals on the way. What runs in a container: oci_exec.bats. */
#include "tests/unit/runtime/place.h"

#include <sys/pidfd.h>
#include <sys/stat.h>

#include "ns/console.h"
#include "runtime/exec.h"

#define DEADLINE_S 60

/* A child that stands for a program; with a terminal if master is not NULL. Returns true in the child. */
static bool child(struct ct_executed *run, bool terminal)
{
	int slave = -EBADF;

	*run = (struct ct_executed){.pidfd = -EBADF, .console = -EBADF};
	if (terminal)
		ok(ns_console_new_host(&run->console, &slave, &e));
	run->pid = fork();
	assert_true(run->pid >= 0);
	if (run->pid == 0) {
		struct err why = {0};
		sigset_t none;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(DEADLINE_S);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		if (terminal && (ns_console_session(&why) < 0 || ns_console_take(slave, &why) < 0))
			_exit(99);
		return true;
	}
	own_close_fd(&slave);
	run->pidfd = pidfd_open(run->pid, 0);
	assert_true(run->pidfd >= 0);
	return false;
}

/* Our 0 and 1 become these files while we wait; what came out is the caller's. */
static char *wait_with(struct ct_executed *run, int in, int *status)
{
	int out = memfd_create("out", MFD_CLOEXEC), old_in = dup(0), old_out = dup(1);
	char *text = calloc(1, 1 << 20);
	struct err why = {0};

	fflush(stdout);
	dup2(in, 0);
	dup2(out, 1);
	*status = ct_exec_wait(run, &why);
	dup2(old_in, 0);
	dup2(old_out, 1);
	close(old_in);
	close(old_out);
	if (*status < 0)
		fail_msg("%s", why.text);
	assert_true(pread(out, text, (1 << 20) - 1, 0) >= 0);
	close(out);
	ct_executed_done(run);
	return text;
}

static int wait_plain(struct ct_executed *run)
{
	int r = ok(ct_exec_wait(run, &e));

	ct_executed_done(run);
	return r;
}

static void ends_as_a_shell_sees_them(void **state)
{
	struct ct_executed run;

	(void)state;
	if (child(&run, false))
		_exit(0);
	assert_int_equal(wait_plain(&run), 0);
	if (child(&run, false))
		_exit(255);
	assert_int_equal(wait_plain(&run), 255);
	if (child(&run, false))
		raise(SIGKILL);
	assert_int_equal(wait_plain(&run), 128 + SIGKILL);
}

static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
	caught = sig;
}

static void signals_are_passed_on(void **state)
{
	static const int sent[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1};
	struct ct_executed run;
	sigset_t before, now;

	(void)state;
	assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &before), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sent); i++) {
		int ready[2];
		char c;

		assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
		/* From here on one that comes before the wait is kept for it. */
		ok(ct_exec_signals(&e));
		if (child(&run, false)) {
			signal(sent[i], on_signal);
			close(ready[1]);
			while (!caught)
				poll(NULL, 0, 10);
			_exit(caught == sent[i] ? 7 : 8);
		}
		close(ready[1]);
		assert_int_equal(read(ready[0], &c, 1), 0);
		close(ready[0]);
		kill(getpid(), sent[i]);
		assert_int_equal(wait_plain(&run), 7);
	}
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, &now), 0);
	assert_true(sigismember(&now, SIGTERM));
}

static void a_long_output_arrives_whole(void **state)
{
	auto_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	auto_free char *text = NULL;
	struct ct_executed run;
	int status;

	(void)state;
	if (child(&run, true)) {
		for (int i = 0; i < 20000; i++)
			dprintf(1, "%d\n", i);
		_exit(3);
	}
	text = wait_with(&run, null, &status);
	assert_int_equal(status, 3);
	assert_non_null(strstr(text, "\n19999\r\n"));
	assert_int_equal(strncmp(text, "0\r\n1\r\n", 6), 0);
}

static void the_end_of_input_is_told(void **state)
{
	auto_free char *text = NULL;
	struct ct_executed run;
	int status, in[2];

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(write(in[1], "line\n", 5), 5);
	close(in[1]);
	if (child(&run, true)) {
		char buf[64];
		ssize_t n, all = 0;

		while ((n = read(0, buf, sizeof(buf))) > 0)
			all += n;
		dprintf(1, "read %zd", all);
		_exit(0);
	}
	text = wait_with(&run, in[0], &status);
	close(in[0]);
	assert_int_equal(status, 0);
	assert_non_null(strstr(text, "read 5"));
}

/* As a daemon does that was started by hand. */
static void who_keeps_the_terminal_keeps_nobody(void **state)
{
	auto_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	auto_free char *text = NULL;
	struct ct_executed run;
	int status, gone[2];
	char c;

	(void)state;
	assert_int_equal(pipe2(gone, O_CLOEXEC), 0);
	if (child(&run, true)) {
		signal(SIGHUP, SIG_IGN); /* what the end of the first one sends */
		if (fork() == 0) {
			struct pollfd reader = {.fd = gone[1]};

			prctl(PR_SET_PDEATHSIG, 0);
			alarm(DEADLINE_S);
			close(gone[0]);
			/* Until the test, the last reader, has closed its end. */
			poll(&reader, 1, -1);
			_exit(0);
		}
		dprintf(1, "out");
		_exit(6);
	}
	close(gone[1]);
	text = wait_with(&run, null, &status);
	assert_int_equal(status, 6);
	assert_string_equal(text, "out");
	/* The other one is alive still: it has the pipe's other end. */
	assert_int_equal(fcntl(gone[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(gone[0], &c, 1), -1);
	assert_int_equal(errno, EAGAIN);
	close(gone[0]);
}

static void a_terminal_that_is_closed_for_a_while(void **state)
{
	auto_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	auto_free char *text = NULL;
	struct ct_executed run;
	int status;

	(void)state;
	if (child(&run, true)) {
		char name[64];
		int fd;

		ttyname_r(0, name, sizeof(name));
		dprintf(1, "one ");
		for (int i = 0; i < 3; i++)
			close(i);
		poll(NULL, 0, 50);
		fd = open(name, O_RDWR);
		dprintf(fd, "two");
		_exit(0);
	}
	text = wait_with(&run, null, &status);
	assert_int_equal(status, 0);
	assert_string_equal(text, "one two");
}

static void nobody_reads(void **state)
{
	auto_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct ct_executed run;
	int out[2], old_in = dup(0), old_out = dup(1), status;

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	close(out[0]);
	if (child(&run, true)) {
		for (int i = 0; i < 2000; i++)
			dprintf(1, "%d\n", i);
		_exit(4);
	}
	fflush(stdout);
	dup2(null, 0);
	dup2(out[1], 1);
	status = wait_plain(&run);
	dup2(old_out, 1);
	close(old_out);
	dup2(old_in, 0);
	close(old_in);
	close(out[1]);
	/* No SIGPIPE, no hang: the program's own end counts. */
	assert_int_equal(status, 4);
}

static void a_size(void **state)
{
	struct ct_process p = {.terminal = true, .rows = 5, .cols = 6};

	(void)state;
	ct_exec_size(&p);
	assert_int_equal(p.rows, 5);
	assert_int_equal(p.cols, 6);
}

static void a_container_that_is_not_running(void **state)
{
	const struct place *p = *state;
	char *args[] = {(char[]){"true"}, NULL};
	const struct ct_process process = {.args = args};
	const struct ct_exec how = {.process = &process, .stdio = {0, 1, 2}, .cache_dir = -EBADF};
	struct ct_executed run;
	auto_ct struct ct ct = CT_INIT;
	pid_t init;

	ok(ct_state_new(p->state, "one", "create", &ct, &e));
	refused(ct_exec(&ct, &how, &run, &e), ERR_LOCKED);
	assert_int_equal(run.pidfd, -EBADF);
	init = place_init(&ct, CT_RUNNING, false);
	kill(init, SIGKILL);
	place_reap(init);
	refused(ct_exec(&ct, &how, &run, &e), ERR_NOT_RUNNING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_as_a_shell_sees_them),
		cmocka_unit_test(signals_are_passed_on),
		cmocka_unit_test(a_long_output_arrives_whole),
		cmocka_unit_test(the_end_of_input_is_told),
		cmocka_unit_test(who_keeps_the_terminal_keeps_nobody),
		cmocka_unit_test(a_terminal_that_is_closed_for_a_while),
		cmocka_unit_test(nobody_reads),
		cmocka_unit_test(a_size),
		cmocka_unit_test_setup_teardown(a_container_that_is_not_running, place_setup,
						place_teardown),
	};

	alarm(3 * DEADLINE_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
