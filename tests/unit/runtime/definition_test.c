// SPDX-License-Identifier: GPL-2.0-only
/* Definitions: every member goes out and comes back, and nothing else comes in. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "runtime/definition.h"

static void put_text(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text);
}
#define SET(field, text) put_text(field, sizeof(field), text)

/* One with every member away from its default. */
static struct ct_definition full(void)
{
	struct ct_definition d;
	struct err e = {0};
	struct net_if *n;

	ct_definition_init(&d, "web-1");
	SET(d.template, "debian-12");
	SET(d.description, "the \"shop\", größer");
	SET(d.hostname, "web-1.example.org");
	SET(d.init[0], "/lib/systemd/systemd");
	SET(d.init[1], "--log-level=info");
	SET(d.env[0], "LANG=C.UTF-8");
	SET(d.env[1], "EMPTY=");
	d.id_base = 0x40010000;
	for (int i = 0; i < CG_LIMIT_COUNT; i++)
		assert_int_equal(cg_limit_set(&d.limits, (enum cg_limit)i, 2000 + (unsigned)i, &e),
				 0);
	assert_int_equal(cg_limit_set(&d.limits, CG_LIMIT_SWAP_MAX, CG_UNLIMITED, &e), 0);
	SET(d.limits.cpus, "0-1,3");
	SET(d.limits.mems, "0");
	d.limits.io[0] = (struct cg_io_limit){8, 16, 1000000, CG_UNLIMITED, 0, 50};
	d.limits.io[1] = (struct cg_io_limit){259, 0, 0, 0, 7, 0};
	d.limits.io_count = 2;
	d.net_count = 2;
	n = &d.nets[0];
	SET(n->name, "eth0");
	SET(n->bridge, "skep0");
	n->mtu = 1400;
	n->rate_bits = 100000000;
	n->guard = n->isolated = true;
	assert_int_equal(net_mac_parse("02:00:00:00:00:05", n->mac, &e), 0);
	assert_int_equal(net_addr_parse("10.209.0.5/16", &n->addrs[0], &e), 0);
	assert_int_equal(net_addr_parse("fd00::5/64", &n->addrs[1], &e), 0);
	n->addr_count = 2;
	assert_int_equal(net_addr_parse("10.209.0.1/16", &n->gateway4, &e), 0);
	assert_int_equal(net_addr_parse("fd00::1/64", &n->gateway6, &e), 0);
	n = &d.nets[1];
	SET(n->name, "venet0");
	n->mode = NET_MODE_ROUTED;
	SET(n->uplink, "eth7");
	assert_int_equal(net_mac_parse("02:00:00:00:00:06", n->mac, &e), 0);
	assert_int_equal(net_addr_parse("192.0.2.7/32", &n->addrs[0], &e), 0);
	n->addr_count = 1;
	d.disk_bytes = 1ULL << 40;
	d.autostart = d.nesting = true;
	d.netfilter = CT_NETFILTER_DISABLED;
	d.order = -7;
	SET(d.cap_add[0], "CAP_SYS_MODULE");
	SET(d.cap_drop[0], "CAP_NET_RAW");
	SET(d.cap_drop[1], "CAP_MKNOD");
	SET(d.stop_signal, "SIGRTMIN+3");
	d.stop_timeout_s = 7;
	return d;
}

static json_t *json_of(const struct ct_definition *d)
{
	struct err e = {0};
	json_t *j = NULL;

	if (ct_definition_to_json(d, &j, &e) < 0)
		fail_msg("to JSON: %s", e.text);
	return j;
}

static void all_members_return(void **state)
{
	struct ct_definition d = full(), back;
	struct err e = {0};
	auto_json json_t *j = json_of(&d), *again = NULL;

	(void)state;
	if (ct_definition_from_json(j, &back, &e) < 0)
		fail_msg("from JSON: %s", e.text);
	assert_memory_equal(&d, &back, sizeof(d));
	again = json_of(&back);
	assert_true(json_equal(j, again));
}

/* A skep that does not know the member refuses the container that needs it, and takes the others. */
static void full_netfilter_is_not_written(void **state)
{
	struct ct_definition d = full(), back;
	struct err e = {0};
	auto_json json_t *disabled = json_of(&d), *j = NULL;

	(void)state;
	assert_string_equal(json_string_value(json_object_get(disabled, "netfilter")), "disabled");
	d.netfilter = CT_NETFILTER_FULL;
	j = json_of(&d);
	assert_null(json_object_get(j, "netfilter"));
	json_object_set_new(j, "netfilter", json_string("full"));
	assert_int_equal(ct_definition_from_json(j, &back, &e), 0);
	assert_int_equal(back.netfilter, CT_NETFILTER_FULL);
	d.netfilter = (enum ct_netfilter)7;
	assert_true(ct_definition_check(&d, &e) < 0);
}

/* A definition as small as a person may write it. */
static void the_rest_is_default(void **state)
{
	struct ct_definition d, want;
	struct err e = {0};
	auto_json json_t *j = json_pack("{si ss ss ss sI}", "version", 1, "name", "a", "uuid",
					"00000000-0000-4000-8000-000000000000", "template", "t",
					"id_base", (json_int_t)65536);

	(void)state;
	if (ct_definition_from_json(j, &d, &e) < 0)
		fail_msg("%s", e.text);
	ct_definition_init(&want, "a");
	SET(want.template, "t");
	SET(want.uuid, "00000000-0000-4000-8000-000000000000");
	want.id_base = 65536;
	assert_memory_equal(&d, &want, sizeof(d));
}

/* X(what is changed, JSON path by hand, words that the message must have) */
static void bad_json_is_refused_by_name(void **state)
{
	static const struct {
		const char *patch; /* merged over the members */
		const char *says;
	} cases[] = {
		{"{\"memroy\": 1}", "\"memroy\" is not known"},
		{"{\"version\": 2}", "version 2"},
		{"{\"version\": null}", "version"},
		{"{\"version\": \"1\"}", "version"},
		{"{\"name\": 7}", "\"name\""},
		{"{\"name\": \"../x\"}", "../x"},
		{"{\"name\": null}", "\"name\" is null"},
		{"{\"autostart\": 1}", "\"autostart\""},
		{"{\"netfilter\": true}", "\"netfilter\""},
		{"{\"netfilter\": \"off\"}", "\"netfilter\": 'off' is not disabled or full"},
		{"{\"netfilter\": \"stateless\"}", "'stateless' cannot be had"},
		{"{\"order\": 4294967296}", "\"order\""},
		{"{\"id_base\": -1}", "\"id_base\""},
		{"{\"id_base\": 4294967295}", "id_base"},
		{"{\"id_base\": 1}", "id_base"},
		{"{\"id_base\": 0}", "id_base"},
		{"{\"uuid\": \"x\"}", "uuid"},
		{"{\"disk_bytes\": 1}", "disk"},
		{"{\"disk_bytes\": 1.5}", "\"disk_bytes\""},
		{"{\"stop_signal\": \"SIGFOO\"}", "SIGFOO"},
		{"{\"stop_signal\": \"SIGRTMIN+99\"}", "SIGRTMIN+99"},
		{"{\"stop_signal\": \"SIGRTMIN+9223372036854775807\"}",
		 "SIGRTMIN+9223372036854775807"},
		{"{\"stop_timeout_s\": -1}", "stop timeout"},
		{"{\"cap_add\": [\"CAP_FLY\"]}", "CAP_FLY"},
		{"{\"cap_drop\": \"CAP_MKNOD\"}", "\"cap_drop\""},
		{"{\"env\": [\"A\"]}", "env 'A'"},
		{"{\"env\": [\"=A\"]}", "env"},
		{"{\"env\": [\"A=\\u001b[0m\"]}", "env has a control character"},
		{"{\"description\": \"a\\nb\"}", "description has a control character"},
		{"{\"description\": \"\\u0085\"}", "description has a control character"},
		{"{\"description\": \"\\u007f\"}", "description has a control character"},
		{"{\"hostname\": \"-a\"}", "hostname"},
		{"{\"hostname\": \"a b\"}", "hostname"},
		{"{\"init\": [\"\"]}", "\"init\""},
		{"{\"init\": [1]}", "\"init\""},
		{"{\"network\": \"none\"}", "\"network\""},
		{"{\"network\": \"host\"}", "no interfaces of its own"},
		{"{\"limits\": {\"memory\": 1}}", "\"memory\" is not known"},
		{"{\"limits\": {\"memory_max\": \"1G\"}}", "\"memory_max\""},
		{"{\"limits\": {\"memory_max\": -1}}", "\"memory_max\""},
		{"{\"limits\": {\"cpu_weight\": 0}}", "cpu weight"},
		{"{\"limits\": {\"cpu_weight\": \"unlimited\"}}", "cpu weight"},
		{"{\"limits\": {\"cpu_period_us\": 5000}}", "period"},
		{"{\"limits\": {\"cpus\": \"0-\"}}", "cpu list"},
		{"{\"limits\": {\"cpus\": \"3-1\"}}", "cpu list"},
		{"{\"limits\": {\"io\": [{\"device\": \"sda\"}]}}", "\"device\""},
		{"{\"limits\": {\"io\": [{\"device\": \"8:0x\"}]}}", "\"device\""},
		{"{\"limits\": {\"io\": [{\"device\": \"8:0\", \"bps\": 1}]}}", "\"bps\""},
		{"{\"limits\": {\"io\": [7]}}", "\"io\""},
		{"{\"nets\": [7]}", "\"nets\""},
		{"{\"nets\": [{\"name\": \"eth0\", \"ip\": 1}]}", "\"ip\" is not known"},
		{"{\"nets\": [{\"name\": \"lo\"}]}", "lo"},
		{"{\"nets\": [{\"name\": \"a/b\"}]}", "a/b"},
		{"{\"nets\": [{\"name\": \"e\", \"bridge\": \"b\"}]}", "MAC"},
		{"{\"nets\": [{\"name\": \"e\", \"mac\": \"02:00:00:00:00:01\"}]}", "bridge"},
		{"{\"nets\": [{\"name\": \"e\", \"mac\": \"ff:00:00:00:00:01\"}]}", "ff:00"},
		{"{\"nets\": [{\"name\": \"e\", \"addrs\": [\"10.0.0.300\"]}]}", "10.0.0.300"},
		{"{\"nets\": [{\"name\": \"e\", \"addrs\": [\"127.0.0.1\"]}]}", "127.0.0.1"},
		{"{\"nets\": [{\"name\": \"e\", \"addrs\": [\"ff02::1\"]}]}", "ff02::1"},
		{"{\"nets\": [{\"name\": \"e\", \"addrs\": [\"10.0.0.3\", \"10.0.0.3/8\"]}]}",
		 "10.0.0.3 is given twice"},
		{"{\"nets\": [{\"name\": \"e\"}, {\"name\": \"e\"}]}", "two interfaces"},
		{"{\"nets\": [{\"name\": \"e\", \"rate_bits\": 1}]}", "rate"},
		{"{\"nets\": [{\"name\": \"e\", \"gateway4\": \"fd00::1\"}]}", "gateway"},
		{"{\"nets\": [{\"name\": \"e\", \"mtu\": 1}]}", "MTU"},
		{"{\"nets\": [{\"name\": \"e\", \"bridge\": \"b\", \"mac\": \"02:00:00:00:00:01\","
		 " \"addrs\": [\"0.0.0.0\"]}]}",
		 "no address yet"},
	};
	struct ct_definition d = full();
	auto_json json_t *good = json_of(&d);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_json json_t *j = json_deep_copy(good);
		auto_json json_t *patch = json_loads(cases[i].patch, 0, NULL);
		struct ct_definition out;
		struct err e = {0};

		assert_non_null(patch);
		json_object_update(j, patch);
		if (ct_definition_from_json(j, &out, &e) == 0)
			fail_msg("taken: %s", cases[i].patch);
		/* What another host reads of it in the middle of a migration. */
		if (strstr(e.text, "is not known"))
			assert_non_null(strstr(e.hint, "a newer skep"));
		if (!strstr(e.text, cases[i].says) || e.class != ERR_CONFIG)
			fail_msg("%s: class %s, says \"%s\"", cases[i].patch,
				 err_class_to_str(e.class), e.text);
	}
}

static void unfinished_ones_are_not_written(void **state)
{
	struct ct_definition d = full();
	struct err e = {0};
	json_t *j = NULL;

	(void)state;
	d.nets[0].addrs[0] = (struct net_addr){.family = AF_INET};
	assert_int_equal(ct_definition_check(&d, &e), 0);
	assert_true(ct_addr_unpicked(&d.nets[0].addrs[0]));
	assert_true(ct_definition_to_json(&d, &j, &e) < 0);
	assert_int_equal(e.class, ERR_VALUE);
	assert_null(j);
}

static void bytes_that_are_not_utf8(void **state)
{
	struct ct_definition d = full();
	struct err e = {0};

	(void)state;
	SET(d.description, "a\xff");
	assert_true(ct_definition_check(&d, &e) < 0);
	assert_non_null(strstr(e.text, "description is not UTF-8"));
}

static void saved_and_loaded(void **state)
{
	char dir[] = "/tmp/skep-definition-XXXXXX";
	struct ct_definition d = full(), back;
	auto_fd int fd = -EBADF;
	struct err e = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(ct_definition_load(fd, &back, &e) < 0);
	assert_int_equal(e.no, ENOENT);
	err_clear(&e);
	assert_int_equal(ct_definition_save(fd, &d, &e), 0);
	assert_int_equal(ct_definition_load(fd, &back, &e), 0);
	assert_memory_equal(&d, &back, sizeof(d));
	assert_int_equal(file_replace_at(fd, CT_DEFINITION_FILE, "{\"version\": 1, ", 15, 0600, &e),
			 0);
	assert_true(ct_definition_load(fd, &back, &e) < 0);
	assert_int_equal(e.class, ERR_CONFIG);
	err_clear(&e);
	assert_int_equal(file_remove_tree_at(AT_FDCWD, dir, &e), 0);
}

static void uuids_differ(void **state)
{
	struct ct_definition a, b;

	(void)state;
	ct_definition_init(&a, "a");
	ct_definition_init(&b, "a");
	assert_int_equal(strlen(a.uuid), 36);
	assert_int_equal(a.uuid[14], '4');
	assert_string_not_equal(a.uuid, b.uuid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_members_return),
		cmocka_unit_test(full_netfilter_is_not_written),
		cmocka_unit_test(the_rest_is_default),
		cmocka_unit_test(bad_json_is_refused_by_name),
		cmocka_unit_test(unfinished_ones_are_not_written),
		cmocka_unit_test(bytes_that_are_not_utf8),
		cmocka_unit_test(saved_and_loaded),
		cmocka_unit_test(uuids_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
