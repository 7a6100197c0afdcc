// SPDX-License-Identifier: GPL-2.0-only
/* Capability names and what a process has after they are put on. */
#include "tests/unit/ns/lab.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>

#include "ns/caps.h"

#define BIT(n) (UINT64_C(1) << (n))

static void test_names(void **state)
{
	static const char *const bad[] = {"",	"CAP_",		"CAP_NOPE",
					  "12", "cap_chown=ep", "CAP_CHOWN,"};
	struct err e = {0};
	char buf[32];
	int cap;

	(void)state;
	assert_int_equal(ns_caps_from_str("CAP_NET_ADMIN", &cap, &e), 0);
	assert_int_equal(cap, CAP_NET_ADMIN);
	assert_int_equal(ns_caps_from_str("sys_boot", &cap, &e), 0);
	assert_int_equal(cap, CAP_SYS_BOOT);
	assert_string_equal(ns_caps_to_str(CAP_CHOWN, buf, sizeof(buf)), "CAP_CHOWN");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		err_clear(&e);
		assert_int_equal(ns_caps_from_str(bad[i], &cap, &e), -EINVAL);
	}
}

static void test_check(void **state)
{
	struct ns_caps c = {.effective = 1};
	struct err e = {0};

	(void)state;
	assert_int_equal(ns_caps_check(&c, &e), -EINVAL);
	err_clear(&e);
	c = (struct ns_caps){.permitted = 1, .ambient = 1};
	assert_int_equal(ns_caps_check(&c, &e), -EINVAL);
	err_clear(&e);
	ns_caps_system(&c);
	assert_int_equal(ns_caps_check(&c, &e), 0);
	assert_false(c.bounding & BIT(CAP_SYS_MODULE));
	assert_true(c.bounding & BIT(CAP_SYS_ADMIN));
	assert_int_equal(c.inheritable | c.ambient, 0);
}

static uint64_t status_field(const char *name)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[128];
	uint64_t v = UINT64_MAX;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			sscanf(line + strlen(name), ":\t%" SCNx64, &v);
	if (f)
		fclose(f);
	return v;
}

static int as_root(struct lab *lab, struct err *e)
{
	struct ns_caps c;
	int r;

	ns_caps_oci(&c);
	r = ns_caps_apply(&c, 0, 0, NULL, 0, e);
	if (r < 0)
		return r;
	LAB_CHECK(lab, status_field("CapBnd") == c.bounding);
	LAB_CHECK(lab, status_field("CapEff") == c.effective);
	LAB_CHECK(lab, status_field("CapPrm") == c.permitted);
	LAB_CHECK(lab, status_field("CapInh") == 0 && status_field("CapAmb") == 0);
	return 0;
}

static int as_user(struct lab *lab, struct err *e)
{
	const gid_t groups[] = {5, 20};
	struct ns_caps c = {.bounding = BIT(CAP_CHOWN) | BIT(CAP_NET_BIND_SERVICE),
			    .permitted = BIT(CAP_NET_BIND_SERVICE),
			    .effective = BIT(CAP_NET_BIND_SERVICE),
			    .inheritable = BIT(CAP_NET_BIND_SERVICE),
			    .ambient = BIT(CAP_NET_BIND_SERVICE)};
	int r = ns_caps_apply(&c, 1000, 1001, groups, 2, e);
	uid_t u[3];

	if (r < 0)
		return r;
	LAB_CHECK(lab, getresuid(&u[0], &u[1], &u[2]) == 0);
	LAB_CHECK(lab, u[0] == 1000 && u[1] == 1000 && u[2] == 1000 && getegid() == 1001);
	LAB_CHECK(lab, getgroups(0, NULL) == 2);
	LAB_CHECK(lab, status_field("CapBnd") == c.bounding);
	LAB_CHECK(lab, status_field("CapEff") == c.effective);
	LAB_CHECK(lab, status_field("CapAmb") == c.ambient);
	LAB_CHECK(lab, setresuid(0, 0, 0) < 0 && errno == EPERM);
	return 0;
}

static int unmapped_user(struct lab *lab, struct err *e)
{
	struct ns_caps c;

	(void)lab;
	ns_caps_oci(&c);
	return ns_caps_apply(&c, 70000, 0, NULL, -1, e);
}

static void test_apply(void **state)
{
	struct lab lab;

	(void)state;
	lab_make(&lab);
	assert_int_equal(lab_run(&lab, 0, as_root), 0);
	assert_int_equal(lab_run(&lab, 0, as_user), 0);
	assert_int_equal(lab_run(&lab, CLONE_NEWUSER, as_root), 0);
	assert_int_equal(lab_run(&lab, CLONE_NEWUSER, as_user), 0);
	assert_true(lab_run(&lab, CLONE_NEWUSER, unmapped_user) < 0);
	lab_drop(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_apply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
