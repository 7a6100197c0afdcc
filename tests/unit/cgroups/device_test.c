// SPDX-License-Identifier: GPL-2.0-only
/* Device rules: the open of a denied node fails with EPERM, by BPF and by the v1 controller. */
#include "fixture.h"

#include <sys/sysmacros.h>

#include "cgroups/device.h"

struct wish {
	unsigned major, minor;
	int flags;
};

/* The errno of opening a fresh node of that device, from inside. */
static int open_node(void *arg)
{
	const struct wish *w = arg;
	char dir[] = "/tmp/skep-test-XXXXXX", node[64];
	int no = 0, fd;

	if (!mkdtemp(dir))
		return 98;
	snprintf(node, sizeof(node), "%s/node", dir);
	if (mknod(node, S_IFCHR | 0600, makedev(w->major, w->minor))) {
		no = errno;
	} else {
		fd = open(node, w->flags | O_CLOEXEC);
		no = fd < 0 ? errno : 0;
		unlink(node);
	}
	rmdir(dir);
	return no;
}

static int try_open(const struct cg *cg, unsigned major, unsigned minor, int flags)
{
	struct wish w = {major, minor, flags};
	int status = test_reap(test_spawn(cg, open_node, &w));

	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

typedef int apply_fn(int dir, const struct cg_device_rule *rules, size_t count, struct err *e);

static void check_default(const struct cg *cg, int dir, apply_fn *apply)
{
	static const struct cg_device_rule null_only[] = {
		{'c', -1, -1, .m = true, .allow = true},
		{'c', 1, 3, .r = true, .allow = true},
	};
	static const struct cg_device_rule all[] = {{'a', -1, -1, true, true, true, true}};
	struct err e = {0};

	assert_int_equal(try_open(cg, 1, 11, O_RDONLY), 0); /* kmsg, before */
	OK(apply(dir, cg_device_default, cg_device_default_count, &e));
	assert_int_equal(try_open(cg, 1, 3, O_RDWR), 0);
	assert_int_equal(try_open(cg, 1, 9, O_RDONLY), 0);
	assert_int_equal(try_open(cg, 1, 11, O_RDONLY), EPERM);
	assert_int_equal(try_open(cg, 10, 229, O_RDWR), EPERM); /* fuse */
	/* A list replaces the one before. */
	OK(apply(dir, null_only, ARRAY_SIZE(null_only), &e));
	assert_int_equal(try_open(cg, 1, 3, O_RDONLY), 0);
	assert_int_equal(try_open(cg, 1, 3, O_RDWR), EPERM);
	assert_int_equal(try_open(cg, 1, 9, O_RDONLY), EPERM);
	OK(apply(dir, NULL, 0, &e));
	assert_int_equal(try_open(cg, 1, 3, O_RDONLY), EPERM); /* the mknod already */
	OK(apply(dir, all, 1, &e));
	assert_int_equal(try_open(cg, 1, 11, O_RDONLY), 0);
}

/* Rules that allow everything stand in runs, of one type and major or not, with others between them. */
static void bpf_runs(void **state)
{
	static const struct cg_device_rule rules[] = {
		{'b', -1, -1, true, true, true, true},
		{'c', 1, 3, true, true, true, true},
		{'c', 1, 9, true, true, true, true},
		{'c', 1, 5, true, true, true, true},
		{'c', 1, 9, .w = true},
		{'c', 5, -1, true, true, true, true},
		{'c', 1, 8, true, true, true, true},
		{'c', -1, -1, .m = true, .allow = true},
	};
	struct err e = {0};
	struct cg cg;

	(void)state;
	test_make("runs", &cg);
	if (cg.v2 >= 0) {
		OK(cg_devices_bpf_apply(cg.v2, rules, ARRAY_SIZE(rules), &e));
		assert_int_equal(try_open(&cg, 1, 3, O_RDWR), 0);
		assert_int_equal(try_open(&cg, 1, 5, O_RDWR), 0);
		assert_int_equal(try_open(&cg, 1, 8, O_RDONLY), 0);
		assert_int_equal(try_open(&cg, 1, 9, O_RDONLY), 0);
		assert_int_equal(try_open(&cg, 1, 9, O_RDWR), EPERM);
		assert_int_equal(try_open(&cg, 1, 7, O_RDONLY), EPERM);
		assert_int_not_equal(try_open(&cg, 5, 2, O_RDWR),
				     EPERM); /* ENOENT: no pts beside it */
		assert_int_equal(try_open(&cg, 10, 229, O_RDWR), EPERM);
	}
	test_end(&cg);
}

/* Before one for any minor, or any number, of a run stand others that it covers: the verifier refuses what nothing leads to. */
static void bpf_covered(void **state)
{
	static const struct cg_device_rule minors[] = {
		{'c', 1, 3, true, true, true, true},  {'c', 1, -1, true, true, true, true},
		{'c', 1, -1, true, true, true, true}, {'c', 1, 5, true, true, true, true},
		{'c', 5, -1, true, true, true, true}, {'c', 1, 8, true, true, true, true},
	};
	static const struct cg_device_rule all[] = {
		{'b', 7, 1, true, true, true, true},   {'c', 1, 3, true, true, true, true},
		{'c', 10, -1, true, true, true, true}, {'c', -1, 7, true, true, true, true},
		{'c', -1, -1, true, true, true, true}, {'c', 1, 9, true, true, true, true},
	};
	struct err e = {0};
	struct cg cg;

	(void)state;
	test_make("covered", &cg);
	if (cg.v2 >= 0) {
		OK(cg_devices_bpf_apply(cg.v2, minors, ARRAY_SIZE(minors), &e));
		assert_int_equal(try_open(&cg, 1, 3, O_RDWR), 0);
		assert_int_equal(try_open(&cg, 1, 11, O_RDONLY), 0);
		assert_int_equal(try_open(&cg, 10, 229, O_RDWR), EPERM);
		OK(cg_devices_bpf_apply(cg.v2, all, ARRAY_SIZE(all), &e));
		assert_int_equal(try_open(&cg, 1, 11, O_RDONLY), 0);
		OK(cg_devices_bpf_apply(cg.v2, all, 5, &e));
		assert_int_equal(try_open(&cg, 1, 11, O_RDONLY), 0);
		/* Of another type. */
		OK(cg_devices_bpf_apply(cg.v2, all, 1, &e));
		assert_int_equal(try_open(&cg, 1, 3, O_RDONLY), EPERM);
	}
	test_end(&cg);
}

static void bpf_filters(void **state)
{
	struct cg cg;

	(void)state;
	test_make("bpf", &cg);
	if (cg.v2 >= 0)
		check_default(&cg, cg.v2, cg_devices_bpf_apply);
	test_end(&cg);
}

static void v1_filters(void **state)
{
	struct cg cg;

	(void)state;
	test_make("v1", &cg);
	if (cg.v1[CG_DEVICES] >= 0)
		check_default(&cg, cg.v1[CG_DEVICES], cg_devices_v1_apply);
	test_end(&cg);
}

/* The last word counts, access by access. */
static const struct cg_device_rule takes_back[] = {
	{'a', -1, -1, .m = true, .allow = true},
	{'c', 1, -1, true, true, true, true},
	{'c', 1, 5, .w = true},
};

static void later_rule_wins(void **state)
{
	struct err e = {0};
	struct cg cg;

	(void)state;
	test_make("later", &cg);
	if (cg.v2 >= 0) {
		OK(cg_devices_bpf_apply(cg.v2, takes_back, ARRAY_SIZE(takes_back), &e));
		assert_int_equal(try_open(&cg, 1, 3, O_RDWR), 0);
		assert_int_equal(try_open(&cg, 1, 5, O_RDONLY), 0);
		assert_int_equal(try_open(&cg, 1, 5, O_RDWR), EPERM);
	}
	if (cg.v1[CG_DEVICES] >= 0) {
		assert_int_equal(cg_devices_v1_apply(cg.v1[CG_DEVICES], takes_back,
						     ARRAY_SIZE(takes_back), &e),
				 -EOPNOTSUPP);
		assert_int_equal(e.class, ERR_LIMIT);
	}
	test_end(&cg);
}

static void host_chooses(void **state)
{
	static const struct cg_device_rule bad = {'x', 1, 3, true, true, true, true};
	struct err e = {0};
	struct cg cg;

	(void)state;
	test_make("choose", &cg);
	OK(cg_devices_apply(&cg, cg_device_default, cg_device_default_count, &e));
	assert_int_equal(try_open(&cg, 1, 11, O_RDONLY), EPERM);
	assert_int_equal(cg_devices_apply(&cg, &bad, 1, &e), -EINVAL);
	assert_int_equal(e.class, ERR_VALUE);
	test_end(&cg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bpf_runs),	   cmocka_unit_test(bpf_covered),
		cmocka_unit_test(bpf_filters),	   cmocka_unit_test(v1_filters),
		cmocka_unit_test(later_rule_wins), cmocka_unit_test(host_chooses),
	};

	return cmocka_run_group_tests(tests, NULL, test_clean);
}
