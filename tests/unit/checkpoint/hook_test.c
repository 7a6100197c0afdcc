// SPDX-License-Identifier: GPL-2.0-only
/* The real skep-criu-hook against our end of it, and alone when we are dead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "checkpoint/criu.h"
#include "checkpoint/hook.h"
#include "checkpoint/journal.h"

struct lab {
	char dir[64], file[80], freezer[80], journal[80];
	bool live;
	int fd;
	struct cr_hook hook;
	int calls;
	pid_t init;
	int answer; /* what the callback says */
};

static int callback(pid_t init, void *arg, struct err *e)
{
	struct lab *l = arg;

	l->calls++;
	l->init = init;
	return l->answer ? err_set(e, l->answer, "the callback says no") : 0;
}

/* The programs are found beside the running one, which for a test is build/unit/FOLDER. */
static void link_program(void)
{
	char self[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 40);

	assert_true(n > 0);
	self[n] = 0;
	slash = strrchr(self, '/');
	snprintf(slash, sizeof(self) - (size_t)(slash - self), "/skep-criu-hook");
	if (symlink("../../skep-criu-hook", self) < 0)
		assert_int_equal(errno, EEXIST);
}

static int set_up(void **state)
{
	struct lab *l = calloc(1, sizeof(*l));
	const char *tmp = getenv("TMPDIR");
	struct err e = {0};

	link_program();
	snprintf(l->dir, sizeof(l->dir), "%.40s/skep-hook-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(l->dir))
		return -1;
	snprintf(l->file, sizeof(l->file), "%s/file", l->dir);
	snprintf(l->freezer, sizeof(l->freezer), "%s/cgroup.freeze", l->dir);
	snprintf(l->journal, sizeof(l->journal), "%s/" CT_JOURNAL_FILE, l->dir);
	l->fd = open(l->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	l->hook = (struct cr_hook)CR_HOOK_INIT;
	if (cr_hook_open(&l->hook, l->fd, l->dir, &e) < 0)
		fail_msg("%s", e.text);
	l->hook.arg = l;
	l->hook.fn[CR_STAGE_POST_DUMP] = callback;
	l->hook.fn[CR_STAGE_PRE_RESUME] = callback;
	cr_hook_ready(&l->hook);
	*state = l;
	return 0;
}

static int tear_down(void **state)
{
	struct lab *l = *state;
	struct err e = {0};

	cr_hook_close(&l->hook);
	close(l->fd);
	file_remove_tree_at(AT_FDCWD, l->dir, &e);
	free(l);
	return 0;
}

/* As criu runs it. */
/* Whether we play criu, the leader of the hook's process group, which the hook ends. */
static bool we_are_criu;

static pid_t run_hook(const struct lab *l, const char *stage, pid_t init)
{
	char number[16];
	pid_t pid = fork();

	if (pid)
		return pid;
	if (!we_are_criu)
		setpgid(0, 0);
	snprintf(number, sizeof(number), "%d", init);
	setenv(CR_HOOK_ENV_SOCKET, l->hook.socket_path, 1);
	setenv(CR_HOOK_ENV_STAGES, l->hook.stages, 1);
	setenv(CR_HOOK_ENV_DECIDED, l->file, 1);
	setenv(CR_HOOK_ENV_UNDECIDED, l->file, 1);
	setenv(CR_HOOK_ENV_FREEZER, l->live ? l->freezer : "", 1);
	setenv(CR_HOOK_ENV_JOURNAL, l->live ? l->journal : "", 1);
	setenv("CRTOOLS_SCRIPT_ACTION", stage, 1);
	setenv("CRTOOLS_INIT_PID", number, 1);
	setenv(CR_HOOK_ENV_KEPT, "1", 1);
	close_range(3, ~0u, 0);
	execl(l->hook.program, l->hook.program, (char *)NULL);
	_exit(99);
}

static int end_of(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int serve(struct lab *l, struct err *e)
{
	struct pollfd p = {.fd = l->hook.listener, .events = POLLIN};

	assert_int_equal(poll(&p, 1, 30000), 1);
	return cr_hook_serve(&l->hook, e);
}

static pid_t victim(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close_range(3, ~0u, 0); /* our end lives as long as anybody has the listener */
		while (pause())
			;
	}
	return pid;
}

static bool lives(pid_t pid)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && !info.si_pid;
}

static void dies(pid_t pid)
{
	assert_int_equal(end_of(pid), 128 + SIGKILL);
}

static void test_yes_and_no(void **state)
{
	struct lab *l = *state;
	struct err e = {0};
	pid_t pid = run_hook(l, "post-dump", 4711);

	assert_int_equal(serve(l, &e), 0);
	assert_int_equal(end_of(pid), 0);
	assert_int_equal(l->calls, 1);
	assert_int_equal(l->init, 4711);
	l->answer = ENOSPC;
	pid = run_hook(l, "post-dump", 4711);
	assert_int_equal(serve(l, &e), 1);
	assert_int_equal(end_of(pid), 1);
	assert_int_equal(e.no, ENOSPC);
}

/* Of a stage that nobody wants to hear of we hear nothing, also not of one whose name is a part of another's. */
static void test_unwanted(void **state)
{
	struct lab *l = *state;
	struct pollfd p = {.fd = l->hook.listener, .events = POLLIN};

	assert_int_equal(end_of(run_hook(l, "pre-dump", 0)), 0);
	assert_int_equal(end_of(run_hook(l, "dump", 0)), 0);
	assert_int_equal(end_of(run_hook(l, "", 0)), 0);
	assert_int_equal(poll(&p, 1, 0), 0);
}

static void test_no_at_pre_resume_kills(void **state)
{
	struct lab *l = *state;
	struct err e = {0};
	pid_t init = victim(), pid;

	pid = run_hook(l, "pre-resume", init);
	assert_int_equal(serve(l, &e), 0);
	assert_int_equal(end_of(pid), 0);
	assert_true(lives(init));
	l->answer = EPERM;
	pid = run_hook(l, "pre-resume", init);
	assert_int_equal(serve(l, &e), 1);
	assert_int_equal(end_of(pid), 1);
	dies(init);
}

static void make_file(const struct lab *l)
{
	int fd = open(l->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

/* Dead before it asks: the socket refuses. */
static void test_dead_dump(void **state)
{
	struct lab *l = *state;

	own_close_fd(&l->hook.listener);
	assert_int_equal(end_of(run_hook(l, "post-dump", 0)), 1);
	make_file(l);
	assert_int_equal(end_of(run_hook(l, "post-dump", 0)), 0);
	assert_int_equal(unlink(l->hook.socket_path), 0);
	assert_int_equal(end_of(run_hook(l, "post-dump", 0)), 0);
}

static char content(int fd)
{
	char c = 0;

	assert_int_equal(pread(fd, &c, 1, 0), 1);
	return c;
}

/*
 * The hook's end, run by a criu that leads its process group, as ours does, and has the container's lock. It lives on, and whoever the hook has left behind waits for it; he has the lock
 * when it is dead, until he ends.
 */
static void post_dump_below_criu(const struct lab *l, int freezer)
{
	int lock = open(l->dir, O_RDONLY | O_DIRECTORY), ours = open(l->dir, O_RDONLY | O_CLOEXEC);
	int told[2];
	char status = 0;
	pid_t criu;

	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
	criu = fork();
	if (criu == 0) {
		we_are_criu = true;
		setsid();
		dup2(lock, CR_PASS_FIRST);
		status = (char)end_of(run_hook(l, "post-dump", 0));
		if (write(told[1], &status, 1) == 1)
			while (pause())
				;
		_exit(1);
	}
	close(told[1]);
	close(lock);
	assert_int_equal(read(told[0], &status, 1), 1);
	close(told[0]);
	assert_int_equal(status, 1);
	assert_int_equal(content(freezer), '1');
	assert_int_equal(flock(ours, LOCK_EX | LOCK_NB), -1);
	kill(criu, SIGKILL);
	dies(criu);
	assert_int_equal(flock(ours, LOCK_EX), 0);
	close(ours);
}

/* What the hook of a dump whose command is dead has brought about at the freezer: '1' is still there when nothing. */
static char thawed_by(struct lab *l, bool criu_lives)
{
	auto_fd int fd = open(l->freezer, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, "1", 1), 1);
	if (criu_lives)
		post_dump_below_criu(l, fd);
	else
		assert_int_equal(end_of(run_hook(l, "post-dump", 0)), 1);
	return content(fd);
}

static void save_journal(const struct lab *l, enum cr_point point)
{
	struct cr_journal j = {.point = point, .host = "\"point\": \"started\""};
	struct err e = {0};

	memset(j.token, 'a', sizeof(j.token) - 1);
	assert_int_equal(cr_journal_save(l->fd, &j, &e), 0);
}

static void test_dead_live_dump(void **state)
{
	struct lab *l = *state;

	own_close_fd(&l->hook.listener);
	assert_int_equal(thawed_by(l, true), '1'); /* no freezer */
	l->live = true;
	assert_int_equal(thawed_by(l, true), '0'); /* no journal */
	save_journal(l, CR_POINT_STARTED);
	assert_int_equal(thawed_by(l, true), '0');
	assert_int_equal(thawed_by(l, false), '1'); /* in TCP_REPAIR, maybe */
	save_journal(l, CR_POINT_COMMITTED);
	assert_int_equal(thawed_by(l, true), '1');
	save_journal(l, CR_POINT_MOVED);
	assert_int_equal(thawed_by(l, true), '1');
	assert_int_equal(truncate(l->journal, 0), 0);
	assert_int_equal(thawed_by(l, true), '1');
}

/* A living command has frozen them, and thaws them: the hook does neither. */
static void test_living_live_dump(void **state)
{
	struct lab *l = *state;
	struct err e = {0};
	pid_t pid;

	l->live = true;
	l->answer = EIO;
	pid = run_hook(l, "post-dump", 0);
	assert_int_equal(serve(l, &e), 1);
	assert_int_equal(end_of(pid), 1);
	assert_int_equal(access(l->freezer, F_OK), -1);
}

static void test_dead_restore(void **state)
{
	struct lab *l = *state;
	pid_t init = victim();

	own_close_fd(&l->hook.listener);
	assert_int_equal(end_of(run_hook(l, "pre-resume", init)), 0);
	assert_true(lives(init));
	make_file(l);
	assert_int_equal(end_of(run_hook(l, "pre-resume", init)), 1);
	dies(init);
}

/* Dead while it is asked: the end of the stream is no answer. */
static void test_dies_while_asked(void **state)
{
	struct lab *l = *state;
	pid_t init = victim(), pid;
	int client;

	make_file(l);
	pid = run_hook(l, "pre-resume", init);
	client = accept(l->hook.listener, NULL, NULL);
	assert_true(client >= 0);
	close(client);
	assert_int_equal(end_of(pid), 1);
	dies(init);
}

/* criu, who traces them, would wait for init, and init for its dead children. */
static void test_criu_is_ended_too(void **state)
{
	struct lab *l = *state;
	pid_t init = victim(), criu;

	make_file(l);
	close(l->hook.listener);
	l->hook.listener = -EBADF;
	criu = fork();
	if (criu == 0) {
		we_are_criu = true;
		setsid();
		run_hook(l, "pre-resume", init);
		while (1)
			pause();
	}
	assert_int_equal(end_of(criu), 128 + SIGKILL);
	dies(init);
}

static void test_nonsense(void **state)
{
	static const char *const words[] = {"", "post-dum 1", "post-dump -5", "\xff\xff"};
	struct lab *l = *state;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%.100s", l->hook.socket_path);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		struct err e = {0};

		assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
		assert_true(send(fd, words[i], strlen(words[i]), 0) >= 0);
		if (!words[i][0])
			shutdown(fd, SHUT_WR);
		assert_true(serve(l, &e) < 0);
		assert_int_equal(e.no, EPROTO);
		close(fd);
	}
	assert_int_equal(l->calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_yes_and_no, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unwanted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_at_pre_resume_kills, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dead_dump, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dead_live_dump, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_living_live_dump, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dead_restore, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dies_while_asked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_criu_is_ended_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nonsense, set_up, tear_down),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
