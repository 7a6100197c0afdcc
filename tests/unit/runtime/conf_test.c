// SPDX-License-Identifier: GPL-2.0-only
/* skep.conf: every member is read, and nothing else is taken. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "runtime/conf.h"

static char path[64];

static int load(const char *text, struct ct_conf *c, struct err *e)
{
	struct err w = {0};
	auto_fd int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	snprintf(path, sizeof(path), "/tmp/skep-conf-%d", getpid());
	assert_int_equal(file_replace_at(tmp, path + 5, text, strlen(text), 0600, &w), 0);
	return ct_conf_load_file(path, c, e);
}

static void all_members(void **state)
{
	struct ct_conf c;
	struct err e = {0};
	char text[NET_ADDR_STR_MAX];

	(void)state;
	if (load("{\"root\": \"/srv/skep\", \"state\": \"/run/other\", \"bridge\": \"br0\", \"pool4\": \"10.1.0.0/24\","
		 " \"pool6\": \"fd00:1::/64\", \"nat\": false, \"uplink\": \"eth9\", \"dns\": [\"192.0.2.53\", \"fd00::53\"],"
		 " \"search\": \"example.org\", \"template\": \"debian-12\"}",
		 &c, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(c.root, "/srv/skep");
	assert_string_equal(c.state, "/run/other");
	assert_string_equal(c.bridge, "br0");
	assert_string_equal(net_addr_to_str(&c.pool4, text), "10.1.0.0/24");
	assert_string_equal(net_addr_to_str(&c.pool6, text), "fd00:1::/64");
	assert_false(c.nat);
	assert_string_equal(c.uplink, "eth9");
	assert_string_equal(net_addr_to_host_str(&c.dns[0], text), "192.0.2.53");
	assert_string_equal(net_addr_to_host_str(&c.dns[1], text), "fd00::53");
	assert_int_equal(c.dns[2].family, 0);
	assert_string_equal(c.search, "example.org");
	assert_string_equal(c.template, "debian-12");
}

static void nothing_is_all_defaults(void **state)
{
	struct ct_conf c, want;
	struct err e = {0};
	char text[NET_ADDR_STR_MAX];

	(void)state;
	ct_conf_init(&want);
	assert_int_equal(load("{}", &c, &e), 0);
	assert_memory_equal(&c, &want, sizeof(c));
	assert_string_equal(c.root, "/var/lib/skep");
	assert_string_equal(c.state, "/run/skep");
	assert_string_equal(c.bridge, "skep0");
	assert_string_equal(net_addr_to_str(&c.pool4, text), "10.209.0.0/16");
	assert_true(c.nat);
	assert_int_equal(load("{\"pool4\": \"none\", \"pool6\": null}", &c, &e), 0);
	assert_int_equal(c.pool4.family, 0);
	assert_int_equal(c.pool6.family, 0);
}

static void bad_ones_are_refused_by_name(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"{\"brigde\": \"x\"}", "\"brigde\" is not known"},
		{"[]", "not a JSON object"},
		{"{", "line 1"},
		{"{\"root\": \"relative\"}", "\"root\" must be an absolute"},
		{"{\"state\": 7}", "\"state\" must be a string"},
		{"{\"bridge\": \"a/b\"}", "\"bridge\""},
		{"{\"bridge\": \"sixteen-bytes-xx\"}", "\"bridge\" is too long"},
		{"{\"uplink\": \"\"}", "\"uplink\""},
		{"{\"pool4\": \"10.0.0.0/31\"}", "\"pool4\""},
		{"{\"pool4\": \"10.0.0.1/24\"}", "\"pool4\" has bits set"},
		{"{\"pool4\": \"fd00::/64\"}", "\"pool4\" must be of IPv4"},
		{"{\"pool6\": \"10.0.0.0/24\"}", "\"pool6\" must be of IPv6"},
		{"{\"pool6\": \"fd00::/127\"}", "\"pool6\""},
		{"{\"nat\": \"yes\"}", "\"nat\" must be true"},
		{"{\"dns\": \"192.0.2.1\"}", "\"dns\""},
		{"{\"dns\": [\"a.example\"]}", "\"dns\""},
		{"{\"dns\": [\"192.0.2.1\", \"192.0.2.2\", \"192.0.2.3\", \"192.0.2.4\"]}",
		 "\"dns\""},
		{"{\"search\": \"a\\nnameserver 6.6.6.6\"}", "\"search\""},
		{"{\"template\": \"../x\"}", "\"template\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ct_conf c;
		struct err e = {0};

		if (load(cases[i].text, &c, &e) == 0)
			fail_msg("taken: %s", cases[i].text);
		if (!strstr(e.text, cases[i].says) || !strstr(e.text, path) ||
		    e.class != ERR_CONFIG)
			fail_msg("%s: class %s, says \"%s\"", cases[i].text,
				 err_class_to_str(e.class), e.text);
	}
}

static void a_file_that_is_named_must_be_there(void **state)
{
	struct ct_conf c;
	struct err e = {0};

	(void)state;
	unlink(path);
	setenv(CT_CONF_ENV, path, 1);
	assert_int_equal(ct_conf_load(&c, &e), -ENOENT);
	assert_int_equal(e.class, ERR_CONFIG);
	err_clear(&e);
	assert_int_equal(load("{\"bridge\": \"br7\"}", &c, &e), 0);
	assert_int_equal(ct_conf_load(&c, &e), 0);
	assert_string_equal(c.bridge, "br7");
	unsetenv(CT_CONF_ENV);
}

static int leave_nothing(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_members),
		cmocka_unit_test(nothing_is_all_defaults),
		cmocka_unit_test(bad_ones_are_refused_by_name),
		cmocka_unit_test(a_file_that_is_named_must_be_there),
	};

	return cmocka_run_group_tests(tests, NULL, leave_nothing);
}
