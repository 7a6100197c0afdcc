// SPDX-License-Identifier: GPL-2.0-only
/* linux.resources of config.json, and of `update`. */
#include "tests/unit/runtime/spec_config.h"

static void resources(void **state)
{
	auto_spec struct ct_spec s = {0};
	const struct cg_limits *l = &s.limits;

	(void)state;
	wanted("{'linux': {'cgroupsPath': '/a/b/', 'resources': {'memory': {'limit': 1048576, 'reservation': 4096, 'swap': 3145728},"
	       "'cpu': {'shares': 1024, 'quota': 150000, 'period': 100000, 'cpus': '0-1', 'mems': '0', 'burst': 77, 'idle': 1},"
	       "'pids': {'limit': 9}, 'blockIO': {'weight': 50, 'throttleReadBpsDevice': [{'major': 8, 'minor': 0, 'rate': 600}]},"
	       "'hugepageLimits': [{'pageSize': '2MB', 'limit': 4194304}],"
	       "'devices': [{'allow': true, 'type': 'c', 'major': 1, 'minor': 2}, {'allow': false},"
	       "{'allow': true, 'type': 'c', 'major': 10, 'minor': 229, 'access': 'rw'}],"
	       "'unified': {'memory.high': '524288', 'memory.oom.group': '1'}}}}",
	       &s);
	assert_string_equal(s.cgroup, "a/b");
	assert_int_equal(l->value[CG_LIMIT_MEM_MAX], 1048576);
	assert_int_equal(l->value[CG_LIMIT_MEM_LOW], 4096);
	assert_int_equal(l->value[CG_LIMIT_SWAP_MAX], 2097152);
	assert_int_equal(l->value[CG_LIMIT_MEM_HIGH], 524288);
	assert_int_equal(l->value[CG_LIMIT_CPU_QUOTA], 1500);
	assert_int_equal(l->value[CG_LIMIT_CPU_WEIGHT], 100);
	assert_int_equal(l->value[CG_LIMIT_PIDS_MAX], 9);
	assert_int_equal(l->value[CG_LIMIT_IO_WEIGHT], 50);
	assert_string_equal(l->cpus, "0-1");
	assert_int_equal(l->io_count, 1);
	assert_int_equal(l->io[0].rbps, 600);
	assert_int_equal(s.n_raw_limits, 5);
	assert_string_equal(s.raw_limits[0].file, "cpu.max.burst");
	assert_string_equal(s.raw_limits[0].value, "77");
	assert_string_equal(s.raw_limits[1].file, "cpu.idle");
	assert_string_equal(s.raw_limits[2].file, "hugetlb.2MB.max");
	assert_false(s.raw_limits[2].optional);
	assert_string_equal(s.raw_limits[3].file, "hugetlb.2MB.rsvd.max");
	assert_true(s.raw_limits[3].optional);
	assert_string_equal(s.raw_limits[4].file, "memory.oom.group");
	/* What stood before "deny everything" is taken back by it. */
	assert_int_equal(s.n_device_rules, 1);
	assert_int_equal(s.device_rules[0].major, 10);
	assert_true(s.device_rules[0].r && s.device_rules[0].w && !s.device_rules[0].m);
}

/* The three points that the curve is made of, what is outside them, and some between as crun and runc have them. */
static void weights_of_shares(void **state)
{
	static const unsigned pairs[][2] = {{1, 1},	     {2, 1},	      {3, 2},
					    {100, 17},	     {512, 59},	      {1023, 100},
					    {1024, 100},     {1025, 101},     {260000, 9929},
					    {262144, 10000}, {1000000, 10000}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		auto_spec struct ct_spec s = {0};
		char text[80];

		snprintf(text, sizeof(text), "{'linux': {'resources': {'cpu': {'shares': %u}}}}",
			 pairs[i][0]);
		wanted(text, &s);
		assert_int_equal(s.limits.value[CG_LIMIT_CPU_WEIGHT], pairs[i][1]);
	}
}

/* What both say counts as unified says it: with cgroup v1, too, where shares are written. */
static void unified_comes_last(void **state)
{
	auto_spec struct ct_spec s = {0};

	(void)state;
	wanted("{'linux': {'resources': {'unified': {'cpu.weight': '200'}, 'cpu': {'shares': 512}}}}",
	       &s);
	assert_int_equal(s.limits.value[CG_LIMIT_CPU_WEIGHT], 200);
	assert_int_equal(s.limits.shares, 0);
}

/* As Kubernetes, Podman and Docker write what they do not want. */
static void resources_not_given(void **state)
{
	auto_spec struct ct_spec s = {0};

	(void)state;
	wanted("{'linux': {'cgroupsPath': '', 'resources': {'memory': {'limit': 0, 'swap': 0, 'kernel': 0, 'disableOOMKiller': false},"
	       "'cpu': {'shares': 0, 'quota': 0, 'period': 100000, 'realtimeRuntime': 0, 'cpus': '', 'mems': ''},"
	       "'pids': {'limit': 0}, 'blockIO': {'weight': 0, 'leafWeight': 0}, 'network': {}, 'rdma': {}, 'hugepageLimits': []}},"
	       "'hooks': {'prestart': []}, 'process': {'apparmorProfile': '', 'selinuxLabel': ''}}",
	       &s);
	for (int i = 0; i < CG_LIMIT_COUNT; i++)
		assert_false(s.limits.set[i]);
	assert_null(s.cgroup);
}

/* Nobody's way to say nothing: no swap at all. */
static void swap_of_nothing(void **state)
{
	auto_spec struct ct_spec s = {0}, limited = {0};

	(void)state;
	wanted("{'linux': {'resources': {'memory': {'swap': 0, 'reservation': 4096}}}}", &s);
	assert_true(s.limits.set[CG_LIMIT_SWAP_MAX]);
	assert_int_equal(s.limits.value[CG_LIMIT_SWAP_MAX], 0);
	assert_int_equal(s.limits.value[CG_LIMIT_MEM_LOW], 4096);
	wanted("{'linux': {'resources': {'memory': {'swap': 0, 'limit': 1048576}}}}", &limited);
	assert_false(limited.limits.set[CG_LIMIT_SWAP_MAX]);
}

static void resources_alone(void **state)
{
	auto_json json_t *good = json_loads(
		"{\"pids\": {\"limit\": 5}, \"unified\": {\"memory.oom.group\": \"1\"}}", 0, NULL);
	auto_json json_t *bad = json_loads("{\"devices\": [{\"allow\": true}]}", 0, NULL);
	struct ct_raw_limit *raw;
	struct cg_limits limits;
	size_t n;

	(void)state;
	ok(ct_resources_from_json(good, &limits, &raw, &n, &e));
	assert_int_equal(limits.value[CG_LIMIT_PIDS_MAX], 5);
	assert_int_equal(n, 1);
	ct_raw_limits_done(raw, n);
	refused(ct_resources_from_json(bad, &limits, &raw, &n, &e), ERR_CONFIG);
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resources),	     cmocka_unit_test(resources_not_given),
		cmocka_unit_test(weights_of_shares), cmocka_unit_test(unified_comes_last),
		cmocka_unit_test(resources_alone),   cmocka_unit_test(swap_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
