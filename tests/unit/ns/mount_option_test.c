// SPDX-License-Identifier: GPL-2.0-only
/* OCI mount option words. */
#include "tests/unit/ns/lab.h"

#include <errno.h>
#include <linux/mount.h>
#include <sys/mount.h>

#include "ns/mount.h"

static void parse(struct ns_mount *m, const char *options)
{
	struct err e = {0};

	ns_mount_init(m);
	assert_int_equal(ns_mount_set(m, "s", "/t", "tmpfs", options, &e), 0);
}

static void test_attributes(void **state)
{
	struct ns_mount m;

	(void)state;
	parse(&m, "ro,nosuid,nodev,noexec,noatime");
	assert_int_equal(m.attr_set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					     MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOATIME);
	assert_int_equal(m.attr_clr, MOUNT_ATTR__ATIME);
	assert_null(m.data);
	ns_mount_done(&m);
	/* The last word wins. */
	parse(&m, "ro,rw,noatime,strictatime,suid");
	assert_int_equal(m.attr_set, MOUNT_ATTR_STRICTATIME);
	assert_int_equal(m.attr_clr, MOUNT_ATTR__ATIME | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
	ns_mount_done(&m);
	/* "relatime" is not a recursive "elatime"; "rro" and "rrelatime" are recursive. */
	parse(&m, "relatime,rro,rnosuid");
	assert_int_equal(m.attr_set, 0);
	assert_int_equal(m.attr_clr, MOUNT_ATTR__ATIME);
	assert_int_equal(m.rec_attr_set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
	ns_mount_done(&m);
}

static void test_kinds(void **state)
{
	struct ns_mount m;

	(void)state;
	parse(&m, "rbind,rslave,defaults,idmap,tmpcopyup");
	assert_true(m.bind && m.recursive && m.idmap && m.tmpcopyup && !m.remount);
	assert_int_equal(m.propagation, MS_SLAVE | MS_REC);
	assert_null(m.data);
	ns_mount_done(&m);
	parse(&m, "mode=755,size=64k,remount,,gid=5,private");
	assert_true(m.remount && !m.bind);
	assert_string_equal(m.data, "mode=755,size=64k,gid=5");
	assert_int_equal(m.propagation, MS_PRIVATE);
	ns_mount_done(&m);
}

static void test_bad(void **state)
{
	struct ns_mount m;
	struct err e = {0};

	(void)state;
	ns_mount_init(&m);
	assert_int_equal(ns_mount_parse_option(&m, "size=1\nro", &e), -EINVAL);
	err_clear(&e);
	assert_int_equal(ns_mount_one(-1, &m, &e), -EINVAL);
	ns_mount_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
