// SPDX-License-Identifier: GPL-2.0-only
/* Which kernel settings a container may name; host names; resource limits. */
#include "tests/unit/ns/lab.h"

#include <errno.h>

#include "ns/rlimit.h"
#include "ns/sysctl.h"
#include "ns/uts.h"

static void test_sysctl(void **state)
{
	static const char *const good[] = {"net.ipv4.ip_forward", "net/ipv4/conf/eth0.1/forwarding",
					   "kernel.shmmax", "fs.mqueue.msg_max", "kernel.sem"};
	static const char *const bad[] = {
		"",
		"kernel.core_pattern",
		"vm.overcommit_memory",
		"kernel.shmmax.x",
		"net..ipv4",
		".net.x",
		"net/../kernel/core_pattern",
		"../net",
		"net.ipv4.x=1",
		"net ipv4",
		"/net/ipv4/x",
		"net.",
		"netx.y",
		"fs.mqueuex",
		"net/./x",
		"net.ipv4.//x",
	};
	struct ns_sysctl_scope all = {true, true, true, true}, none = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct err e = {0};

		if (ns_sysctl_check(good[i], "1", &all, &e) != 0)
			fail_msg("%s", e.text);
		assert_int_equal(ns_sysctl_check(good[i], "1", &none, &e), -EPERM);
		err_clear(&e);
		assert_int_equal(ns_sysctl_check(good[i], "1\nx", &all, &e), -EINVAL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = {0};

		if (ns_sysctl_check(bad[i], "1", &all, &e) >= 0)
			fail_msg("accepted: '%s'", bad[i]);
	}
}

static int write_sysctl(struct lab *lab, struct err *e)
{
	auto_fd int procfs = ns_sysctl_procfs(e);
	char value[16] = "";
	FILE *f;
	int r;

	if (procfs < 0)
		return procfs;
	r = ns_sysctl_write(procfs, "net.ipv4.ip_default_ttl", "77", e);
	if (r < 0)
		return r;
	f = fopen("/proc/sys/net/ipv4/ip_default_ttl", "re");
	LAB_CHECK(lab, f && fgets(value, sizeof(value), f) && !strcmp(value, "77\n"));
	fclose(f);
	LAB_CHECK(lab, ns_sysctl_write(procfs, "net.ipv4.nothing", "1", e) == -ENOENT);
	err_clear(e);
	return 0;
}

static void test_write(void **state)
{
	struct lab lab;

	(void)state;
	lab_make(&lab);
	assert_int_equal(lab_run(&lab, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET,
				 write_sysctl),
			 0);
	lab_drop(&lab);
}

static int set_names(struct lab *lab, struct err *e)
{
	char name[80];
	int r = ns_uts_set("web-1.example", "lan", e);

	LAB_CHECK(lab, r < 0 || (gethostname(name, sizeof(name)) == 0 &&
				 !strcmp(name, "web-1.example")));
	return r;
}

static void test_uts(void **state)
{
	struct lab lab;
	char longest[66];

	(void)state;
	assert_true(ns_uts_name_ok("a") && ns_uts_name_ok("web-1.example.org"));
	assert_false(ns_uts_name_ok("") || ns_uts_name_ok("-a") || ns_uts_name_ok("a."));
	assert_false(ns_uts_name_ok("a b") || ns_uts_name_ok("a\n") || ns_uts_name_ok("a/b"));
	memset(longest, 'a', 65);
	longest[65] = 0;
	assert_false(ns_uts_name_ok(longest));
	assert_true(ns_uts_name_ok(longest + 1));
	lab_make(&lab);
	assert_int_equal(lab_run(&lab, CLONE_NEWUSER | CLONE_NEWUTS, set_names), 0);
	lab_drop(&lab);
}

static int limits(struct lab *lab, struct err *e)
{
	struct ns_rlimit down = {RLIMIT_NOFILE, 64, 128}, up = {RLIMIT_NOFILE, 512, 4096};
	struct rlimit now;

	LAB_CHECK(lab, ns_rlimit_take(&down, e) == 0);
	LAB_CHECK(lab, getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 64);
	/* In a user namespace nobody has the host's CAP_SYS_RESOURCE. */
	LAB_CHECK(lab, ns_rlimit_allow(0, &up, e) == 0);
	LAB_CHECK(lab, getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 64);
	LAB_CHECK(lab, now.rlim_max == 128);
	LAB_CHECK(lab, ns_rlimit_take(&up, e) == 0);
	LAB_CHECK(lab, getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 128);
	return 0;
}

static void test_rlimit(void **state)
{
	struct ns_rlimit wrong = {RLIMIT_NOFILE, 2, 1};
	struct err e = {0};
	struct lab lab;
	int resource;

	(void)state;
	assert_int_equal(ns_rlimit_from_str("RLIMIT_NOFILE", &resource, &e), 0);
	assert_int_equal(resource, RLIMIT_NOFILE);
	assert_int_equal(ns_rlimit_from_str("memlock", &resource, &e), 0);
	assert_string_equal(ns_rlimit_to_str(resource), "RLIMIT_MEMLOCK");
	assert_int_equal(ns_rlimit_from_str("RLIMIT_X", &resource, &e), -EINVAL);
	err_clear(&e);
	assert_int_equal(ns_rlimit_take(&wrong, &e), -EINVAL);
	lab_make(&lab);
	assert_int_equal(lab_run(&lab, CLONE_NEWUSER, limits), 0);
	lab_drop(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sysctl),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_uts),
		cmocka_unit_test(test_rlimit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
