// SPDX-License-Identifier: GPL-2.0-only
/* criu's configuration file: its form, and the words that a container may have of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/own.h"
#include "checkpoint/bundle.h"
#include "checkpoint/bundle_conf.h"
#include "runtime/spec.h"

static void test_words(void **state)
{
	auto_bundle_conf struct cr_bundle_conf conf = {0};
	struct cr_bundle how = {.status_fd = -1};
	struct err e = {0};

	(void)state;
	assert_int_equal(cr_bundle_conf_parse("# of the host\n\n\t ghost-limit 4M # more\n"
					      "external \"mnt[/a b]:/x \\\"y\\\"\" #\n"
					      "cpu-cap\nverbosity=4\ntcp-close\r\n"
					      "log-file=/var/log/x.log\nlog-file = last.log\n"
					      "tcp-established\nskip-in-flight # c\n"
					      "manage-cgroups ignore",
					      "f", &how, &conf, &e),
			 0);
	assert_int_equal(conf.n, 5);
	assert_string_equal(conf.words[0], "--ghost-limit=4M");
	assert_string_equal(conf.words[1], "--external=mnt[/a b]:/x \"y\"");
	assert_string_equal(conf.words[2], "--cpu-cap");
	assert_string_equal(conf.words[3], "--verbosity=4");
	assert_string_equal(conf.words[4], "--tcp-close");
	assert_string_equal(conf.log, "last.log");
	/* As if skep's options had been given. */
	assert_true(how.tcp_established && how.tcp_skip_in_flight);
	assert_false(how.shell_job || how.leave_running);
	assert_string_equal(how.groups, "ignore");
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
		"leave-running",
		"leave-run",
		"images-dir /x",
		"tree 1",
		"action-script=/bin/sh",
		"exec-cmd",
		"no-tcp-established",
		"config /etc/x",
		"root /",
		"-R",
		"--tree 1",
		"inherit-fd fd[1]:x",
		"ghost-limit",
		"ghost-limit \"\"",
		"tcp-close yes",
		"tcp-established=no",
		"external a b",
		"external \"a",
		"external \"a\" b",
		"log-file",
		"manage-cgroups all",
		"=x",
		"external\\",
		"tcp-close\ndaemon",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		auto_bundle_conf struct cr_bundle_conf conf = {0};
		struct cr_bundle how = {.status_fd = -1};
		struct err e = {0};

		if (cr_bundle_conf_parse(texts[i], "f", &how, &conf, &e) >= 0)
			fail_msg("'%s' is taken", texts[i]);
		assert_non_null(strstr(e.text, "f, line "));
	}
}

static void test_many(void **state)
{
	auto_bundle_conf struct cr_bundle_conf conf = {0};
	struct cr_bundle how = {.status_fd = -1};
	static const char word[] = "force-irmap\n";
	char text[(sizeof(word) - 1) * (CR_BUNDLE_CONF_WORDS + 1) + 1] = "";
	struct err e = {0};

	(void)state;
	for (int i = 0; i <= CR_BUNDLE_CONF_WORDS; i++)
		memcpy(text + (size_t)i * (sizeof(word) - 1), word, sizeof(word) - 1);
	assert_int_equal(cr_bundle_conf_parse(text, "f", &how, &conf, &e), -E2BIG);
}

/* A string ends at its first NUL byte: what follows must not go unseen. */
static void test_nul_byte(void **state)
{
	static const char text[] = "tcp-close\n\0leave-running\n";
	auto_bundle_conf struct cr_bundle_conf conf = {0};
	char path[] = "/tmp/skep-conf-XXXXXX";
	auto_fd int fd = mkstemp(path);
	auto_json json_t *annotations = json_pack("{s:s}", "org.criu.config", path);
	struct ct_spec spec = {.annotations = annotations};
	struct cr_bundle how = {.status_fd = -1};
	struct err e = {0};
	int r;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	r = cr_bundle_conf_load(&spec, &how, &conf, &e);
	unlink(path);
	assert_int_equal(r, -EINVAL);
	assert_int_equal(e.class, ERR_CONFIG);
	assert_non_null(strstr(e.text, "NUL byte"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_nul_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
