// SPDX-License-Identifier: GPL-2.0-only
/* Users out of a container's files, hostile ones included. */
#include "tests/unit/ns/lab.h"

#include <errno.h>
#include <sys/prctl.h>

#include "ns/caps.h"

static struct lab lab;
static int root;

static int set_up(void **state)
{
	(void)state;
	lab_make(&lab);
	root = open(lab.root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(root);
	lab_drop(&lab);
	return 0;
}

static void write_files(void)
{
	lab_file(&lab, "etc/passwd",
		 "root:x:0:0:root:/root:/bin/bash\nbroken\n:x:7:7::/:\n1:x:0:0:trap:/:/bin/sh\n"
		 "neg:x:-1:0::/:/bin/sh\nbig:x:4294967295:0::/:/bin/sh\nspace:x: 5:0::/:/bin/sh\n"
		 "ann:x:1000:1001:Ann:/home/ann:/bin/zsh\nnoshell:x:1002:1002::relative:");
	lab_file(&lab, "etc/group",
		 "root:x:0:\nann:x:1001:\naudio:x:29:bob,ann\nvideo:x:44:ann\nx:x:9:an");
}

static void test_lookup(void **state)
{
	struct err e = {0};
	struct ns_user u;

	(void)state;
	write_files();
	assert_int_equal(ns_user_lookup(root, "ann", &u, &e), 0);
	assert_int_equal(u.uid, 1000);
	assert_int_equal(u.gid, 1001);
	assert_int_equal(u.n_groups, 2);
	assert_int_equal(u.groups[0], 29);
	assert_string_equal(u.home, "/home/ann");
	assert_string_equal(u.shell, "/bin/zsh");
	/* A user *named* "1" with uid 0 must not turn uid 1 into root (CVE-2026-30892). */
	assert_int_equal(ns_user_lookup(root, "1", &u, &e), 0);
	assert_int_equal(u.uid, 1);
	assert_int_equal(u.gid, 0);
	assert_string_equal(u.name, "");
	assert_int_equal(ns_user_lookup(root, "1000", &u, &e), 0);
	assert_string_equal(u.name, "ann");
	assert_int_equal(ns_user_lookup(root, "ann:audio", &u, &e), 0);
	assert_int_equal(u.gid, 29);
	assert_int_equal(u.n_groups, 0);
	assert_int_equal(ns_user_lookup(root, "12:34", &u, &e), 0);
	assert_int_equal(u.uid, 12);
	assert_int_equal(u.gid, 34);
	assert_int_equal(ns_user_lookup(root, "noshell", &u, &e), 0);
	assert_string_equal(u.home, "/");
	assert_string_equal(u.shell, "/bin/sh");
}

static void test_bad(void **state)
{
	static const char *const bad[] = {"",
					  ":",
					  "ann:",
					  ":ann",
					  "nobody",
					  "ann:nogroup",
					  "neg",
					  "big",
					  "space",
					  "broken",
					  "-1",
					  "+1",
					  " 1",
					  "1 ",
					  "0x0",
					  "4294967295",
					  "99999999999999999999",
					  "ann:4294967295"};

	(void)state;
	write_files();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = {0};
		struct ns_user u;

		if (ns_user_lookup(root, bad[i], &u, &e) != -ENOENT)
			fail_msg("'%s' gave uid %u", bad[i], u.uid);
	}
}

static void test_hostile_files(void **state)
{
	struct err e = {0};
	struct ns_user u;
	char path[128], line[4096];

	(void)state;
	/* A link out of the root ends inside it, where nothing is: then only numbers are users. */
	lab_link(&lab, "etc/passwd", "/../../../../../../etc/passwd");
	assert_true(ns_user_lookup(root, "root", &u, &e) < 0);
	err_clear(&e);
	lab_link(&lab, "etc/passwd", "/nowhere");
	assert_int_equal(ns_user_lookup(root, "0", &u, &e), 0);
	/* A FIFO without a writer does not hang us. */
	snprintf(path, sizeof(path), "%s/etc/passwd", lab.root);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(ns_user_lookup(root, "0", &u, &e), -EINVAL);
	err_clear(&e);
	assert_int_equal(unlink(path), 0);
	/* 8 MiB of one line, and a field longer than ours. */
	memset(line, 'a', sizeof(line) - 1);
	line[sizeof(line) - 1] = 0;
	lab_file(&lab, "etc/passwd", line);
	assert_int_equal(truncate(path, 8 << 20), 0);
	assert_int_equal(ns_user_lookup(root, "ann", &u, &e), -ENOENT);
	err_clear(&e);
	lab_file(&lab, "etc/passwd", "");
	assert_int_equal(ns_user_lookup(root, "3", &u, &e), 0);
}

static int stays_undumpable(struct lab *l, struct err *e)
{
	struct ns_caps none = {0};

	LAB_CHECK(l, prctl(PR_GET_DUMPABLE) == 0);
	LAB_CHECK(l, ns_caps_apply(&none, 1000, 1000, NULL, 0, e) == 0);
	LAB_CHECK(l, prctl(PR_GET_DUMPABLE) == 0);
	return 0;
}

/* On a host where every program that changes its ids leaves core files; it is put back at once. */
static void test_undumpable(void **state)
{
	static const char name[] = "/proc/sys/fs/suid_dumpable";
	char before[4] = "";
	int fd = open(name, O_RDWR | O_CLOEXEC), r;

	(void)state;
	assert_true(fd >= 0);
	assert_true(read(fd, before, sizeof(before) - 1) > 0);
	assert_int_equal(pwrite(fd, "1", 1, 0), 1);
	r = lab_run(&lab, CLONE_NEWUSER, stays_undumpable);
	assert_int_equal(pwrite(fd, before, strlen(before), 0), strlen(before));
	close(fd);
	assert_int_equal(r, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lookup, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_undumpable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hostile_files, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
