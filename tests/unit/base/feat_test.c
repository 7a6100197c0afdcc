// SPDX-License-Identifier: GPL-2.0-only
/* Probes: what a root of a fresh kernel has, what a sysctl or a missing user takes away, and that nothing stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/feat.h"

static void every_feature_has_its_words(void **state)
{
	(void)state;
	for (int f = 0; f < FEAT_COUNT; f++) {
		assert_true(strlen(feat_to_str(f)) > 0);
		assert_true(strlen(feat_purpose(f)) > 0);
		assert_true(strlen(feat_remedy(f)) > 0);
		for (int other = 0; other < f; other++)
			assert_string_not_equal(feat_to_str(f), feat_to_str(other));
	}
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* What every test of this project needs is there, with no reason against it; and probing leaves neither descriptor nor child nor namespace. */
static void probes_answer_and_leave_nothing(void **state)
{
	int before = open_descriptors();
	struct stat net[2];

	(void)state;
	assert_int_equal(stat("/proc/self/ns/net", &net[0]), 0);
	for (int f = 0; f < FEAT_COUNT; f++) {
		bool has = feat_has(f);

		assert_int_equal(has, feat_why_not(f)[0] == '\0');
		if (feat_level(f) == FEAT_NEEDED && !has)
			fail_msg("%s: %s", feat_to_str(f), feat_why_not(f));
		assert_int_equal(feat_has(f), has);
	}
	assert_int_equal(stat("/proc/self/ns/net", &net[1]), 0);
	assert_int_equal(net[0].st_ino, net[1].st_ino);
	assert_int_equal(open_descriptors(), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* Runs fn in a child, since answers are kept for a process's life. */
static void in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int as_nobody(void)
{
	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 10;
	if (feat_has(FEAT_ROOT) || feat_has(FEAT_MNTNS) || feat_has(FEAT_MOUNT_API))
		return 11;
	if (!strstr(feat_why_not(FEAT_MNTNS), "Operation not permitted"))
		return 12;
	return feat_has(FEAT_PIDFD) && feat_has(FEAT_CLONE3) ? 0 : 13;
}

static void nobody_may_not(void **state)
{
	(void)state;
	in_child(as_nobody);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}

/* user.max_* belongs to the user namespace we make here: the host's stays as it is. */
static int under_a_sysctl(void)
{
	if (unshare(CLONE_NEWUSER) < 0 || write_file("/proc/self/setgroups", "deny") < 0 ||
	    write_file("/proc/self/uid_map", "0 0 1") < 0 ||
	    write_file("/proc/self/gid_map", "0 0 1") < 0)
		return 10;
	if (write_file("/proc/sys/user/max_user_namespaces", "0") < 0)
		return 11;
	if (feat_has(FEAT_USERNS))
		return 12;
	return strstr(feat_why_not(FEAT_USERNS), "No space left") ? 0 : 13;
}

static void a_sysctl_forbids(void **state)
{
	(void)state;
	in_child(under_a_sysctl);
}

static void kernel_version(void **state)
{
	(void)state;
	assert_true(feat_kernel_at_least(2, 6));
	assert_true(feat_kernel_at_least(5, 12));
	assert_false(feat_kernel_at_least(99, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_feature_has_its_words),
		cmocka_unit_test(nobody_may_not),
		cmocka_unit_test(a_sysctl_forbids),
		cmocka_unit_test(probes_answer_and_leave_nothing),
		cmocka_unit_test(kernel_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
