// SPDX-License-Identifier: GPL-2.0-only
/* The links to the hierarchies of control groups that criu is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "cgroups/hierarchy.h"
#include "checkpoint/yard.h"

static int set_up(void **state)
{
	char *dir = strdup("/tmp/skep-yard-XXXXXX");

	assert_non_null(mkdtemp(dir));
	*state = dir;
	return 0;
}

static int tear_down(void **state)
{
	struct err e = {0};

	file_remove_tree_at(AT_FDCWD, *state, &e);
	free(*state);
	return 0;
}

static bool same(int dir, const char *name, const char *mount)
{
	char path[80];
	struct stat a, b;

	snprintf(path, sizeof(path), CR_YARD_DIR "/%s", name);
	return fstatat(dir, path, &a, 0) == 0 && stat(mount, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* By the names that criu gives them. */
static void test_links(void **state)
{
	static const char *const names[] = {
#define X(name, v1, v2) v1,
		CG_CONTROLLERS(X)
#undef X
	};
	struct err e = {0};
	const struct cg_host *host = cg_host(&e);
	auto_fd int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int seen = 0;

	assert_non_null(host);
	assert_int_equal(cr_yard_make(dir, &e), 1);
	assert_int_equal(cr_yard_make(dir, &e), 1); /* over what a killed one left */
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (host->ctl[i].version == 1 && !strchr(strrchr(host->ctl[i].mount, '/'), ',')) {
			assert_true(same(dir,
					 !strncmp(names[i], "name=", 5) ? names[i] + 5 : names[i],
					 host->ctl[i].mount));
			seen++;
		}
	if (host->unified[0])
		assert_true(same(dir, "unified", host->unified));
	assert_true(seen || host->unified[0]);
	cr_yard_remove(dir);
	assert_int_equal(faccessat(dir, CR_YARD_DIR, F_OK, 0), -1);
}

/* One that is nowhere mounted criu has to mount itself: then it gets none at all. */
static void test_missing(void **state)
{
	struct err e = {0};
	const struct cg_host *host = cg_host(&e);
	int status;
	pid_t pid;

	assert_non_null(host);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    umount2(host->unified[0] ? host->unified : host->ctl[0].mount, MNT_DETACH) < 0)
			_exit(1);
		_exit(cr_yard_make(dir, &e) == 0 && !e.no &&
				      faccessat(dir, CR_YARD_DIR, F_OK, 0) < 0
			      ? 0
			      : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* What is mounted over is as if it were not: here what lies below /sys/fs/cgroup, under a cgroup2 of its own. */
static void test_hidden(void **state)
{
	struct err e = {0};
	const struct cg_host *host = cg_host(&e);
	int status, made = strcmp(host->unified, "/sys/fs/cgroup") == 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("hides", "/sys/fs/cgroup", "cgroup2", 0, NULL) < 0)
			_exit(1);
		if (cr_yard_make(dir, &e) != made || e.no)
			_exit(2);
		_exit(!made || same(dir, "unified", "/sys/fs/cgroup") ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_links, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_missing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hidden, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
