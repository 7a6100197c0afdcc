// SPDX-License-Identifier: GPL-2.0-only
/* Entering a running container; time namespaces; what is inherited. */
#include "tests/unit/ns/lab.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>

#include "ns/console.h"
#include "ns/fds.h"
#include "ns/join.h"
#include "ns/mount.h"
#include "ns/rootfs.h"
#include "ns/timens.h"

#define SPACES \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

static int ready[2], tree_fd;
static pid_t target;

/* A "container" that waits until it is killed. */
static int wait_for_ever(struct lab *lab, struct err *e)
{
	int r = ns_rootfs_isolate(0, e);

	(void)lab;
	if (r >= 0)
		r = ns_rootfs_attach(tree_fd, NULL, e);
	if (r >= 0)
		r = ns_rootfs_pivot(tree_fd, 0, e);
	if (r < 0)
		return r;
	if (sethostname("inside", 6) < 0 || write(ready[1], "r", 1) != 1)
		return -errno;
	while (1)
		pause();
}

static int visit(struct lab *lab, struct err *e)
{
	auto_fd int pidfd = (int)syscall(SYS_pidfd_open, target, 0);
	char name[16];
	int flags, status, r;
	pid_t pid;

	LAB_CHECK(lab, pidfd >= 0);
	r = ns_join_flags(pidfd, target, &flags, e);
	if (r < 0)
		return r;
	LAB_CHECK(lab, flags == (int)SPACES);
	r = ns_join_enter(pidfd, flags, e);
	if (r < 0)
		return r;
	LAB_CHECK(lab, prctl(PR_GET_DUMPABLE) == 0);
	pid = fork();
	if (pid == 0) {
		if (ns_user_become_root(false, e) < 0 || ns_join_verify(e) < 0)
			_exit(1);
		/* The lab's root has no such host directories. */
		_exit(getpid() == 2 && !getuid() && access("/data", F_OK) == 0 &&
				      access("/home", F_OK) < 0 &&
				      gethostname(name, sizeof(name)) == 0 &&
				      !strcmp(name, "inside")
			      ? 0
			      : 2);
	}
	LAB_CHECK(lab, pid > 0 && waitpid(pid, &status, 0) == pid);
	LAB_CHECK(lab, WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return 0;
}

static void test_join(void **state)
{
	struct lab host, visitor;
	struct err e = {0};
	int status;
	pid_t runner;
	char word[16];

	(void)state;
	lab_make(&host);
	lab_make(&visitor);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	tree_fd = ns_rootfs_open(host.root, -1, 0, &e);
	assert_true(tree_fd >= 0);
	fflush(NULL);
	runner = fork();
	if (runner == 0) { /* holds the container, so that this test goes on */
		struct clone_args args = {.flags = SPACES | CLONE_PARENT, .exit_signal = 0};
		const struct ns_idmap map = {0, LAB_BASE, 65536};
		int go[2];
		pid_t pid;

		if (pipe2(go, O_CLOEXEC) < 0)
			_exit(1);
		pid = sys_clone3(&args);
		if (pid == 0) {
			char c;

			alarm(30);
			if (read(go[0], &c, 1) == 1 && ns_user_become_root(false, &e) >= 0)
				wait_for_ever(&host, &e);
			_exit(1);
		}
		if (pid < 0 || ns_idmap_write(pid, &map, 1, &map, 1, &e) < 0)
			_exit(1);
		if (write(go[1], "g", 1) != 1 || dprintf(ready[1], "%d ", pid) < 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(runner, &status, 0), runner);
	assert_int_equal(status, 0);
	memset(word, 0, sizeof(word));
	for (size_t n = 0; n < sizeof(word) - 1 && !strchr(word, 'r');) {
		ssize_t got = read(ready[0], word + n, 1);

		assert_int_equal(got, 1);
		n += (size_t)got;
	}
	/* Either order of "PID " and "r". */
	target = atoi(word[0] == 'r' ? word + 1 : word);
	if (!target) {
		assert_true(read(ready[0], word, sizeof(word) - 1) > 0);
		target = atoi(word);
	}
	assert_true(target > 1);
	assert_int_equal(lab_run(&visitor, 0, visit), 0);
	kill(target, SIGKILL);
	assert_int_equal(waitpid(target, NULL, __WALL), target);
	close(ready[0]);
	close(ready[1]);
	own_close_fd(&tree_fd);
	lab_drop(&visitor);
	lab_drop(&host);
}

/* unshare now, in effect at execve: the program is "cat /proc/uptime". */
static int time_travel(struct lab *lab, struct err *e)
{
	const struct ns_time_offset year = {.secs = 31536000};
	int r = ns_time_unshare(NULL, &year, e), out;
	char path[96];

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/uptime", lab->dir);
	out = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	LAB_CHECK(lab, out >= 0 && dup2(out, 1) == 1);
	lab->shared->result = 0;
	execlp("cat", "cat", "/proc/uptime", NULL);
	return -errno;
}

static void test_time(void **state)
{
	struct lab lab;
	double uptime = 0;
	char path[96];
	FILE *f;

	(void)state;
	lab_make(&lab);
	assert_int_equal(lab_run(&lab, 0, time_travel), 0);
	snprintf(path, sizeof(path), "%s/uptime", lab.dir);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lf", &uptime), 1);
	fclose(f);
	assert_true(uptime > 31536000);
	lab_drop(&lab);
}

static int close_all(struct lab *lab, struct err *e)
{
	int a = dup(0), b = dup(0), c = dup(0), far = fcntl(0, F_DUPFD, 500);
	const int keep[] = {far, b, b, -1, 1};

	LAB_CHECK(lab, a > 2 && b > a && c > b && far >= 500);
	LAB_CHECK(lab, ns_fds_keep_only(keep, ARRAY_SIZE(keep), e) == 0);
	LAB_CHECK(lab, fcntl(a, F_GETFD) == FD_CLOEXEC && fcntl(c, F_GETFD) == FD_CLOEXEC);
	LAB_CHECK(lab,
		  fcntl(b, F_GETFD) == 0 && fcntl(far, F_GETFD) == 0 && fcntl(0, F_GETFD) == 0);
	LAB_CHECK(lab, ns_fds_close_others(keep, ARRAY_SIZE(keep), e) == 0);
	LAB_CHECK(lab, fcntl(a, F_GETFD) < 0 && fcntl(c, F_GETFD) < 0);
	LAB_CHECK(lab, fcntl(b, F_GETFD) == 0 && fcntl(far, F_GETFD) == 0);
	return 0;
}

static int standard_io(struct lab *lab, struct err *e)
{
	int p[2], fds[3];
	struct stat read_end, write_end, now;

	LAB_CHECK(lab, pipe(p) == 0 && fstat(p[0], &read_end) == 0);
	/* The ends sit on each other's places: a plain row of dup2 would lose one. */
	LAB_CHECK(lab, dup2(p[1], 0) == 0 && dup2(p[0], 1) == 1);
	fds[0] = 1, fds[1] = 0, fds[2] = 0;
	LAB_CHECK(lab, ns_console_stdio(fds, e) == 0);
	LAB_CHECK(lab, (fcntl(0, F_GETFL) & O_ACCMODE) == O_RDONLY);
	LAB_CHECK(lab, (fcntl(1, F_GETFL) & O_ACCMODE) == O_WRONLY);
	LAB_CHECK(lab, (fcntl(2, F_GETFL) & O_ACCMODE) == O_WRONLY);
	LAB_CHECK(lab, fstat(2, &write_end) == 0 && fstat(0, &now) == 0);
	LAB_CHECK(lab, now.st_ino == read_end.st_ino && write_end.st_ino == now.st_ino);
	return 0;
}

static int terminal(struct lab *lab, struct err *e)
{
	int master = -1, slave = -1, r = ns_console_new_host(&master, &slave, e);
	struct winsize size = {0};

	if (r >= 0)
		r = ns_console_session(e);
	if (r >= 0)
		r = ns_console_take(slave, e);
	if (r >= 0)
		r = ns_console_resize(master, 40, 120, e);
	if (r < 0)
		return r;
	LAB_CHECK(lab, isatty(0) && isatty(1) && isatty(2) && tcgetsid(0) == getpid());
	LAB_CHECK(lab, ioctl(0, TIOCGWINSZ, &size) == 0 && size.ws_col == 120);
	LAB_CHECK(lab, ns_console_resize(master, 1 << 20, 1, e) == -EINVAL);
	err_clear(e);
	return 0;
}

static void test_descriptors(void **state)
{
	struct lab lab;

	(void)state;
	lab_make(&lab);
	assert_int_equal(lab_run(&lab, 0, close_all), 0);
	assert_int_equal(lab_run(&lab, 0, standard_io), 0);
	assert_int_equal(lab_run(&lab, 0, terminal), 0);
	lab_drop(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
