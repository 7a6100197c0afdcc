// SPDX-License-Identifier: GPL-2.0-only
/* From a definition to what the engine executes: compiled, then read as any bundle is, nothing is lost on the way. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/own.h"
#include "runtime/compile.h"
#include "runtime/spec.h"

static const char *const lower[] = {"/r/templates/snapshot/rootfs", "/r/templates/t/rootfs", NULL};
static const char *const init_env[] = {"TERM=dumb", "FROM=template", NULL};

static const struct ct_compile how = {.root = "/r",
				      .state = "/run/skep",
				      .lower = lower,
				      .init_path = "/sbin/other",
				      .stop_signal = "SIGPWR",
				      .init_env = init_env};

static struct ct_definition plain(void)
{
	struct ct_definition d;

	ct_definition_init(&d, "web");
	snprintf(d.template, sizeof(d.template), "t");
	d.id_base = 0x40000000;
	return d;
}

static json_t *compiled(const struct ct_definition *d)
{
	struct err e = {0};
	json_t *j = NULL;

	if (ct_compile(d, &how, &j, &e) < 0)
		fail_msg("compile: %s", e.text);
	return j;
}

/* Freed by ct_spec_done. */
static struct ct_spec spec_of(const struct ct_definition *d)
{
	auto_json json_t *j = compiled(d);
	struct ct_spec spec = {0};
	struct err e = {0};

	if (ct_spec_from_json(j, "/r/ct/web", &spec, &e) < 0)
		fail_msg("spec: %s", e.text);
	return spec;
}

static bool has_env(char *const *env, const char *word)
{
	for (; *env; env++)
		if (!strcmp(*env, word))
			return true;
	return false;
}

static const struct ns_mount *mount_at(const struct ct_spec *spec, const char *where)
{
	for (size_t i = 0; i < spec->n_mounts; i++)
		if (!strcmp(spec->mounts[i].target, where))
			return &spec->mounts[i];
	return NULL;
}

static void a_plain_one(void **state)
{
	struct ct_definition d = plain();
	auto_spec struct ct_spec spec = spec_of(&d);

	(void)state;
	for (int i = 0; i < CT_NS_COUNT; i++)
		assert_true(spec.own[i]);
	assert_int_equal(spec.n_uids, 1);
	assert_int_equal(spec.uids[0].outside, 0x40000000);
	assert_int_equal(spec.gids[0].count, 65536);
	assert_string_equal(spec.hostname, "web");
	assert_string_equal(spec.cgroup, "skep.slice/web");
	assert_string_equal(spec.process.args[0], "/sbin/other");
	assert_null(spec.process.args[1]);
	assert_true(spec.process.terminal);
	assert_true(has_env(spec.process.env, "FROM=template"));
	/* The template's replaces ours. */
	assert_true(has_env(spec.process.env, "TERM=dumb"));
	assert_false(has_env(spec.process.env, "TERM=linux"));
	assert_int_equal(spec.n_lower, 2);
	assert_string_equal(spec.lower[0], lower[0]);
	assert_string_equal(spec.lower[1], lower[1]);
	assert_string_equal(spec.upper, "/r/ct/web/upper");
	assert_string_equal(spec.work, "/r/ct/web/work");
	assert_null(spec.disk);
	assert_true(spec.seccomp_profile);
	assert_false(spec.nesting || spec.no_netfilter);
	assert_true(spec.n_masked > 10);
	assert_int_equal(spec.stop_timeout_s, 120);
	assert_string_equal(mount_at(&spec, "/sys")->fstype, "sysfs");
}

static void what_the_operator_says_wins(void **state)
{
	struct ct_definition d = plain();
	struct ct_spec spec;

	(void)state;
	snprintf(d.hostname, sizeof(d.hostname), "www.example.org");
	snprintf(d.init[0], sizeof(d.init[0]), "/bin/sh");
	snprintf(d.init[1], sizeof(d.init[1]), "-c");
	snprintf(d.env[0], sizeof(d.env[0]), "FROM=operator");
	snprintf(d.stop_signal, sizeof(d.stop_signal), "SIGUSR2");
	d.stop_timeout_s = 3;
	d.disk_bytes = 64 << 20;
	d.nesting = true;
	d.netfilter = CT_NETFILTER_DISABLED;
	spec = spec_of(&d);
	assert_string_equal(spec.hostname, "www.example.org");
	assert_string_equal(spec.process.args[0], "/bin/sh");
	assert_string_equal(spec.process.args[1], "-c");
	assert_true(has_env(spec.process.env, "FROM=operator"));
	assert_false(has_env(spec.process.env, "FROM=template"));
	assert_int_equal(spec.stop_signal, 12);
	assert_int_equal(spec.stop_timeout_s, 3);
	assert_string_equal(spec.disk, "/r/ct/web/disk.img");
	assert_string_equal(spec.upper, "upper");
	assert_string_equal(spec.work, "work");
	assert_true(spec.nesting && spec.no_netfilter);
	assert_int_equal(spec.n_masked, 0);
	assert_int_equal(spec.n_readonly, 0);
	ct_spec_done(&spec);
}

/* Each limit that can be set arrives; memory.high and its like as they are or as files of v2. */
static void every_limit_arrives(void **state)
{
	struct ct_definition d = plain();
	struct err e = {0};

	(void)state;
	for (int i = 0; i < CG_LIMIT_COUNT; i++)
		assert_int_equal(
			cg_limit_set(&d.limits, (enum cg_limit)i, 1000 + 1000 * (unsigned)i, &e),
			0);
	assert_int_equal(cg_limit_set(&d.limits, CG_LIMIT_CPU_WEIGHT, 300, &e), 0);
	assert_int_equal(cg_limit_set(&d.limits, CG_LIMIT_IO_WEIGHT, 7, &e), 0);
	assert_int_equal(cg_limit_set(&d.limits, CG_LIMIT_CPU_QUOTA, 1500, &e), 0);
	assert_int_equal(cg_limit_set(&d.limits, CG_LIMIT_CPU_PERIOD, 50000, &e), 0);
	snprintf(d.limits.cpus, sizeof(d.limits.cpus), "0-1");
	snprintf(d.limits.mems, sizeof(d.limits.mems), "0");
	d.limits.io[0] = (struct cg_io_limit){8, 0, 1000, 2000, 30, 40};
	d.limits.io[1] = (struct cg_io_limit){8, 16, 0, CG_UNLIMITED, 0, 50};
	d.limits.io_count = 2;
	{
		auto_spec struct ct_spec spec = spec_of(&d);
		const struct cg_limits *l = &spec.limits;

		for (int i = 0; i < CG_LIMIT_COUNT; i++)
			if (!l->set[i] || l->value[i] != d.limits.value[i])
				fail_msg("%s: %llu became %llu (set %d)",
					 cg_limit_to_str((enum cg_limit)i),
					 (unsigned long long)d.limits.value[i],
					 (unsigned long long)l->value[i], l->set[i]);
		assert_string_equal(l->cpus, "0-1");
		assert_string_equal(l->mems, "0");
		assert_int_equal(l->io_count, 2);
		assert_int_equal(l->io[0].rbps, 1000);
		assert_int_equal(l->io[0].wbps, 2000);
		assert_int_equal(l->io[0].riops, 30);
		assert_int_equal(l->io[0].wiops, 40);
		assert_int_equal(l->io[1].minor, 16);
		assert_int_equal(l->io[1].wiops, 50);
		assert_int_equal(spec.n_raw_limits, 0);
	}
}

static void unlimited_is_said(void **state)
{
	static const enum cg_limit which[] = {CG_LIMIT_CPU_QUOTA, CG_LIMIT_MEM_MAX,
					      CG_LIMIT_MEM_HIGH, CG_LIMIT_SWAP_MAX,
					      CG_LIMIT_PIDS_MAX};
	struct ct_definition d = plain();
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(which); i++)
		assert_int_equal(cg_limit_set(&d.limits, which[i], CG_UNLIMITED, &e), 0);
	{
		auto_spec struct ct_spec spec = spec_of(&d);

		for (size_t i = 0; i < ARRAY_SIZE(which); i++)
			if (!spec.limits.set[which[i]] ||
			    spec.limits.value[which[i]] != CG_UNLIMITED)
				fail_msg("%s is %llu", cg_limit_to_str(which[i]),
					 (unsigned long long)spec.limits.value[which[i]]);
	}
}

static void capabilities_once(void **state)
{
	struct ct_definition d = plain();
	auto_json json_t *j = NULL;
	json_t *list, *a, *b;
	size_t i, k;
	bool module = false;

	(void)state;
	snprintf(d.cap_add[0], sizeof(d.cap_add[0]), "CAP_SYS_MODULE");
	snprintf(d.cap_add[1], sizeof(d.cap_add[1]), "CAP_SYS_MODULE");
	snprintf(d.cap_add[2], sizeof(d.cap_add[2]), "CAP_CHOWN");
	snprintf(d.cap_add[3], sizeof(d.cap_add[3]), "CAP_NET_RAW");
	snprintf(d.cap_drop[0], sizeof(d.cap_drop[0]), "CAP_NET_RAW");
	j = compiled(&d);
	list = json_object_get(json_object_get(json_object_get(j, "process"), "capabilities"),
			       "bounding");
	assert_true(json_array_size(list) > 5);
	json_array_foreach (list, i, a) {
		module |= !strcmp(json_string_value(a), "CAP_SYS_MODULE");
		assert_string_not_equal(json_string_value(a), "CAP_NET_RAW");
		json_array_foreach (list, k, b)
			assert_true(i == k || !json_equal(a, b));
	}
	assert_true(module);
}

static void the_hosts_network(void **state)
{
	struct ct_definition d = plain();
	const struct ns_mount *sys;

	(void)state;
	d.network = CT_NETWORK_HOST;
	{
		auto_spec struct ct_spec spec = spec_of(&d);

		assert_false(spec.own[CT_NS_NETWORK]);
		sys = mount_at(&spec, "/sys");
		assert_non_null(sys);
		assert_true(sys->bind);
		assert_string_equal(sys->source, "/sys");
	}
}

static void other_state_directories_have_other_groups(void **state)
{
	char a[128], b[128], c[128];

	(void)state;
	ct_compile_cgroup("web", "/run/skep", a, sizeof(a));
	ct_compile_cgroup("web", "/tmp/one", b, sizeof(b));
	ct_compile_cgroup("web", "/tmp/two", c, sizeof(c));
	assert_string_equal(a, "skep.slice/web");
	assert_string_not_equal(a, b);
	assert_string_not_equal(b, c);
}

static void refusals(void **state)
{
	static const char *const none[] = {NULL};
	static const char *const colon[] = {"/a:b", NULL};
	struct ct_compile bad = how;
	struct ct_definition d = plain();
	struct err e = {0};
	json_t *j = NULL;

	(void)state;
	bad.lower = none;
	assert_true(ct_compile(&d, &bad, &j, &e) < 0);
	assert_int_equal(e.class, ERR_CONFIG);
	err_clear(&e);
	bad.lower = colon;
	assert_true(ct_compile(&d, &bad, &j, &e) < 0);
	err_clear(&e);
	/* jansson's refusal of what is no UTF-8 must not give a bundle that lacks it. */
	memcpy(d.hostname, "a\xff", 3);
	assert_true(ct_compile(&d, &how, &j, &e) < 0);
	assert_null(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_one),
		cmocka_unit_test(what_the_operator_says_wins),
		cmocka_unit_test(every_limit_arrives),
		cmocka_unit_test(unlimited_is_said),
		cmocka_unit_test(capabilities_once),
		cmocka_unit_test(the_hosts_network),
		cmocka_unit_test(other_state_directories_have_other_groups),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
