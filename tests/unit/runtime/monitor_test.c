// SPDX-License-Identifier: GPL-2.0-only
/* The monitor with a program on its console, and the operator's side of that. */
#include "place.h"

#include <limits.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

#include "ns/console.h"
#include "runtime/monitor.h"

#define DEADLINE_MS 30000

/* The helper is looked for beside the running program, which is this test. */
static char helper[PATH_MAX];

/* Another process of the console: hangs it up, as systemd does between two users of a terminal. */
static int hang_up(const char *tty)
{
	int fd = open(tty, O_RDWR | O_NOCTTY | O_CLOEXEC);

	return fd < 0 || ioctl(fd, TIOCVHANGUP) < 0 ? 1 : 0;
}

static int link_helper(void **state)
{
	char self[PATH_MAX - 32], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	(void)state;
	assert_true(n > 0);
	self[n] = 0;
	setenv("TEST_SELF", self, 1);
	slash = strrchr(self, '/');
	*slash = 0;
	snprintf(helper, sizeof(helper), "%s/skep-monitor", self);
	unlink(helper);
	return symlink("../../skep-monitor", helper);
}

static int unlink_helper(void **state)
{
	(void)state;
	return unlink(helper);
}

struct stage {
	struct place *p;
	struct ct ct;
	pid_t monitor;
	int said; /* closed when the monitor has been executed, or what went wrong */
};

/* I am the guardian: makes the "init" that runs script on the console, and becomes its monitor. */
static _Noreturn void guard(struct stage *s, const char *script, const char *marker)
{
	int master = -1, slave = -1, go[2];
	const char *const at_end[] = {
		"/bin/sh", "-c",   "cat \"$0\" >\"$1.new\"; mv \"$1.new\" \"$1\"",
		NULL,	   marker, NULL};
	const char *argv[ARRAY_SIZE(at_end)];
	char exit_path[300], log_path[300];
	struct err e = {0};
	struct ct_monitor how = {.ct = &s->ct, .log_path = log_path, .at_end = argv};
	pid_t pid;

	memcpy(argv, at_end, sizeof(argv));
	argv[3] = exit_path;
	snprintf(exit_path, sizeof(exit_path), "%s/a/exit", s->p->state);
	place_path(s->p, "console.log", log_path);
	setenv("TEST_LOG", log_path, 1);
	how.data_dir = open(s->p->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (pipe2(go, O_CLOEXEC) < 0 || ns_console_new_host(&master, &slave, &e) < 0)
		_exit(99);
	pid = fork();
	if (pid == 0) {
		char c;

		close(go[1]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (ns_console_session(&e) < 0 || ns_console_take(slave, &e) < 0 ||
		    read(go[0], &c, 1) != 0)
			_exit(98);
		close(s->said);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(97);
	}
	close(slave);
	s->ct.s.pid = pid;
	s->ct.s.status = CT_RUNNING;
	how.console = master;
	how.pidfd = proc_start_time(pid, &s->ct.s.pid_start, &e) < 0
			    ? -1
			    : proc_open(pid, s->ct.s.pid_start, &e);
	if (how.pidfd < 0 || ct_state_save(&s->ct, &e) < 0 || ct_monitor_become(&how, &e) < 0)
		dprintf(s->said, "%s", e.text);
	_exit(1);
}

/* A container "a" whose init is script. Its exit file is copied to "ended" by what the monitor executes. */
static void stage_start(struct stage *s, struct place *p, const char *script)
{
	char text[600], marker[256];
	int said[2];
	ssize_t n;

	*s = (struct stage){.p = p, .ct = CT_INIT};
	place_path(p, "ended", marker);
	ok(ct_state_new(p->state, "a", "start", &s->ct, &e));
	assert_int_equal(pipe2(said, O_CLOEXEC), 0);
	fflush(NULL);
	s->monitor = fork();
	if (s->monitor == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		s->said = said[1];
		close(said[0]);
		guard(s, script, marker);
	}
	close(said[1]);
	n = read(said[0], text, sizeof(text) - 1);
	if (n > 0)
		fail_msg("the monitor did not start: %.*s", (int)n, text);
	close(said[0]);
	ok(ct_state_reload(&s->ct, &e));
}

static void stage_end(struct stage *s)
{
	int status = place_reap(s->monitor);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	ct_close(&s->ct);
}

static void wants_file(struct place *p, const char *name, const char *text)
{
	auto_free char *found = NULL;
	auto_fd int dir = open(p->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ok(file_read_at(dir, name, 8 << 20, &found, &e));
	if (!strstr(found, text))
		fail_msg("%s has not '%s' but: %s", name, text, found);
}

static int client(struct stage *s)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = DEADLINE_MS / 1000};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/" MONITOR_SOCKET_FILE,
		 s->ct.dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	return fd;
}

static void type(int fd, const char *text)
{
	char packet[256];
	int n = snprintf(packet, sizeof(packet), "%c%s", MONITOR_INPUT, text);

	assert_int_equal(send(fd, packet, (size_t)n, MSG_NOSIGNAL), n);
}

/* Reads until text was shown. */
static void shows(int fd, const char *text)
{
	char all[65536], packet[MONITOR_PACKET];
	size_t len = 0;

	for (;;) {
		ssize_t n = recv(fd, packet, sizeof(packet), 0);

		if (n <= 0 || packet[0] != MONITOR_OUTPUT || len + (size_t)n > sizeof(all))
			fail_msg("'%s' was not shown", text);
		memcpy(all + len, packet + 1, (size_t)n - 1);
		len += (size_t)n - 1;
		all[len] = 0;
		if (strstr(all, text))
			return;
	}
}

static void wants_letter(int fd, char letter)
{
	char packet[MONITOR_PACKET];
	ssize_t n;

	do
		n = recv(fd, packet, sizeof(packet), 0);
	while (n > 0 && packet[0] == MONITOR_OUTPUT);
	assert_int_equal(n, 1);
	assert_int_equal(packet[0], letter);
}

static void log_and_exit_status(void **state)
{
	struct stage s;

	stage_start(&s, *state, "echo hello from inside; exit 7");
	stage_end(&s);
	wants_file(s.p, "console.log", "hello from inside\r\n");
	wants_file(s.p, "ended", "1792\n");
}

static void killed_by_signal(void **state)
{
	struct stage s;
	int status = 0;

	stage_start(&s, *state, "read x");
	assert_int_equal(kill(s.ct.s.pid, SIGHUP), 0);
	assert_int_equal(place_reap(s.monitor), 0);
	ok(ct_exit_read(&s.ct, &status, &e));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGHUP);
	ct_close(&s.ct);
}

static void console_both_ways(void **state)
{
	struct stage s;
	auto_fd int fd = -EBADF;
	auto_fd int second = -EBADF;
	uint16_t size[2] = {40, 100};
	char packet[5] = {MONITOR_SIZE};

	stage_start(
		&s, *state,
		"stty -echo; while read x; do [ $x = end ] && break; stty size; echo got-$x; done");
	fd = client(&s);
	type(fd, "one\n");
	shows(fd, "got-one");
	second = client(&s);
	wants_letter(second, MONITOR_BUSY);
	memcpy(packet + 1, size, sizeof(size));
	assert_int_equal(send(fd, packet, sizeof(packet), 0), sizeof(packet));
	type(fd, "two\n");
	shows(fd, "40 100");
	own_close_fd(&fd);
	own_close_fd(&second);
	fd = client(&s);
	type(fd, "end\n");
	wants_letter(fd, MONITOR_END);
	stage_end(&s);
}

/* Nobody has the terminal open for moments, then it is hung up: what comes later is kept all the same. */
static void survives_hangups(void **state)
{
	struct stage s;

	/*
	 * Each opens it after a moment in which nobody had it open. To hang up throws away what the monitor has not read yet (pty_flush_buffer):
	 * it is waited for.
	 */
	stage_start(
		&s, *state,
		"trap '' HUP; t=$(tty); exec </dev/null >/dev/null 2>&1;"
		"w() { echo $1 >$t; until grep -q $1 $TEST_LOG; do :; done; };"
		"w one; w two; $TEST_SELF --hangup $t && w three; $TEST_SELF --hangup $t; w four");
	stage_end(&s);
	wants_file(s.p, "console.log", "two\r\n");
	wants_file(s.p, "console.log", "three\r\nfour\r\n");
}

static void slow_client_and_rotation(void **state)
{
	struct stage s;
	auto_fd int fd = -EBADF;
	struct stat now, old;
	char path[256];

	stage_start(
		&s, *state,
		"read x; head -c 1500000 /dev/zero | tr '\\0' x; echo; echo done; read x; echo after");
	fd = client(&s);
	type(fd, "go\n");
	/* We read nothing: the container must come to its end, and the monitor hear us still. */
	for (int i = 0; i < DEADLINE_MS / 20; i++) {
		place_path(s.p, "console.log.1", path);
		if (stat(path, &old) == 0)
			break;
		poll(NULL, 0, 20);
	}
	assert_int_equal(stat(path, &old), 0);
	assert_true(old.st_size >= MONITOR_LOG_MOST &&
		    old.st_size < MONITOR_LOG_MOST + MONITOR_PACKET);
	type(fd, "on\n");
	shows(fd, "xxxx");
	stage_end(&s);
	place_path(s.p, "console.log", path);
	assert_int_equal(stat(path, &now), 0);
	assert_true(now.st_size + old.st_size >= 1500000);
	wants_file(s.p, "console.log", "after");
}

/* Neither the log nor the note of the end has room: the container comes to its end, and what is to be executed then is. */
static void full_disk(void **state)
{
	struct place *p = *state;
	struct stage s;
	struct stat st;
	char path[256];

	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("skep-test", p->state, "tmpfs", 0, "size=64k"), 0);
	stage_start(&s, p, "head -c 300000 /dev/zero; exit 0");
	stage_end(&s);
	place_path(p, "ended", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(umount2(p->state, MNT_DETACH), 0);
}

static void signals_do_not_end_it(void **state)
{
	struct stage s;

	stage_start(&s, *state, "read x; exit 3");
	assert_int_equal(kill(s.monitor, SIGTERM), 0);
	assert_int_equal(kill(s.monitor, SIGHUP), 0);
	{
		auto_fd int fd = client(&s);

		type(fd, "x\n");
		wants_letter(fd, MONITOR_END);
	}
	stage_end(&s);
	wants_file(s.p, "ended", "768\n");
}

static long private_kib(pid_t pid)
{
	char path[64], line[256];
	long sum = 0, value;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Private_Clean: %ld", &value) == 1 ||
		    sscanf(line, "Private_Dirty: %ld", &value) == 1)
			sum += value;
	fclose(f);
	return sum;
}

static void stays_small(void **state)
{
	struct stage s;
	auto_fd int fd = -EBADF;

	stage_start(&s, *state, "read x; head -c 100000 /dev/zero; read x");
	fd = client(&s);
	type(fd, "x\n");
	recv(fd, &(char){0}, 1, 0);
	print_message("monitor: %ld KiB private\n", private_kib(s.monitor));
	assert_true(private_kib(s.monitor) < 200);
	type(fd, "x\n");
	wants_letter(fd, MONITOR_END);
	stage_end(&s);
}

/* The operator's side, with pipes for a terminal. */
static void attach(void **state)
{
	struct stage s;
	int in[2], out[2];
	char text[512];
	ssize_t n;

	stage_start(&s, *state,
		    "stty -echo; while read x; do [ $x = end ] && break; echo got-$x; done");
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(write(in[1], "\x1d", 1), 1);
	assert_int_equal(ok(ct_console_attach(&s.ct, in[0], out[1], &e)), 1);
	{
		auto_fd int other = client(&s);

		type(other, "a\n");
		shows(other, "got-a");
		refused(ct_console_attach(&s.ct, in[0], out[1], &e), ERR_LOCKED);
	}
	assert_int_equal(write(in[1], "b\nend\n", 6), 6);
	close(in[1]);
	assert_int_equal(ok(ct_console_attach(&s.ct, in[0], out[1], &e)), 0);
	n = read(out[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = 0;
	assert_non_null(strstr(text, "got-b"));
	close(in[0]);
	close(out[0]);
	close(out[1]);
	stage_end(&s);
}

static void attach_without_monitor(void **state)
{
	struct stage s;
	struct err why = {0};

	stage_start(&s, *state, "read x");
	assert_int_equal(kill(s.monitor, SIGKILL), 0);
	place_reap(s.monitor);
	assert_int_equal(ct_console_attach(&s.ct, 0, 1, &why), -ENOTCONN);
	ct_close(&s.ct);
}

/* Its own descriptors may have the very numbers that the monitor gets. Without a helper they are as before. */
static void failure_gives_all_back(void **state)
{
	struct place *p = *state;
	auto_ct struct ct ct = CT_INIT;
	char log_path[256];
	auto_fd int dir = open(p->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct ct_monitor how = {.ct = &ct,
				       .pidfd = dir,
				       .console = -EBADF,
				       .data_dir = dir,
				       .log_path = log_path,
				       .at_end = (const char *const[]){"/bin/true", NULL}};
	struct stat before[MONITOR_FDS_END + 8], after;
	bool was[MONITOR_FDS_END + 8];
	struct err why = {0};

	place_path(p, "console.log", log_path);
	ok(ct_state_new(p->state, "a", "start", &ct, &e));
	for (int i = 0; i < MONITOR_FDS_END + 8; i++)
		was[i] = fstat(i, &before[i]) == 0;
	/* A directory can be found, but not executed. */
	assert_int_equal(unlink(helper), 0);
	assert_int_equal(mkdir(helper, 0700), 0);
	assert_int_equal(ct_monitor_become(&how, &why), -EACCES);
	assert_int_equal(rmdir(helper), 0);
	link_helper(state);
	for (int i = 0; i < MONITOR_FDS_END + 8; i++) {
		assert_int_equal(fstat(i, &after) == 0, was[i]);
		if (was[i])
			assert_true(after.st_ino == before[i].st_ino &&
				    after.st_dev == before[i].st_dev);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(log_and_exit_status, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(killed_by_signal, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(console_both_ways, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(survives_hangups, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(slow_client_and_rotation, place_setup,
						place_teardown),
		cmocka_unit_test_setup_teardown(full_disk, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(signals_do_not_end_it, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(stays_small, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(attach, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(attach_without_monitor, place_setup,
						place_teardown),
		cmocka_unit_test_setup_teardown(failure_gives_all_back, place_setup,
						place_teardown),
	};

	if (argc == 3 && !strcmp(argv[1], "--hangup"))
		return hang_up(argv[2]);
	return cmocka_run_group_tests(tests, link_helper, unlink_helper);
}
