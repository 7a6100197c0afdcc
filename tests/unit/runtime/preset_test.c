// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "runtime/preset.h"

#define UNITS	"etc/systemd/system/service.d/50-skep-checkpointable.conf"
#define MANAGER "etc/systemd/system.conf.d/50-skep-checkpointable.conf"
#define ID	200000

static char where[] = "/tmp/skep-preset-XXXXXX";
static int root = -EBADF;

static int make(void **state)
{
	(void)state;
	memcpy(where + sizeof(where) - 7, "XXXXXX", 7);
	assert_non_null(mkdtemp(where));
	root = open(where, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0;
}

static int unmake(void **state)
{
	struct err e = {0};

	(void)state;
	own_close_fd(&root);
	return file_remove_tree_at(AT_FDCWD, where, &e);
}

static void apply(const char *preset)
{
	struct ct_definition d;
	struct err e = {0};

	ct_definition_init(&d, "web");
	d.id_base = ID;
	snprintf(d.preset, sizeof(d.preset), "%s", preset);
	if (ct_preset_apply(&d, root, &e) < 0)
		fail_msg("%s", e.text);
}

static bool there(const char *path)
{
	return faccessat(root, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void with_systemd(void)
{
	struct err e = {0};

	assert_true(file_mkdirs_at(root, "etc/systemd/system", 0755, &e) >= 0);
}

static void test_nothing_without_systemd(void **state)
{
	(void)state;
	apply("checkpointable");
	assert_false(there("etc"));
}

static void test_comes_and_goes(void **state)
{
	auto_free char *text = NULL;
	struct err e = {0};
	struct stat st;

	(void)state;
	with_systemd();
	apply("");
	assert_false(there("etc/systemd/system/service.d"));
	apply("checkpointable");
	assert_true(file_read_at(root, UNITS, 4096, &text, &e) > 0);
	assert_non_null(strstr(text, "\nProtectHostname=no\n"));
	assert_null(strstr(text, "ControlGroups")); /* ProtectControlGroups=yes harms nothing */
	assert_true(there(MANAGER));
	assert_int_equal(fstatat(root, UNITS, &st, 0), 0);
	assert_int_equal(st.st_uid, ID);
	assert_int_equal(fstatat(root, "etc/systemd/system/service.d", &st, 0), 0);
	assert_int_equal(st.st_uid, ID);
	apply("");
	assert_false(there(UNITS));
	assert_false(there(MANAGER));
}

static void test_changed_stays(void **state)
{
	auto_fd int fd = -EBADF;

	(void)state;
	with_systemd();
	apply("checkpointable");
	fd = openat(root, UNITS, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "#\n", 2), 2);
	apply("");
	assert_true(there(UNITS));
	assert_false(there(MANAGER));
}

/* Links that the container's root planted end inside its own root. */
static void test_links_do_not_lead_out(void **state)
{
	char outside[] = "/tmp/skep-outside-XXXXXX";
	struct err e = {0};
	struct ct_definition d;

	(void)state;
	assert_non_null(mkdtemp(outside));
	with_systemd();
	assert_int_equal(symlinkat(outside, root, "etc/systemd/system/service.d"), 0);
	ct_definition_init(&d, "web");
	snprintf(d.preset, sizeof(d.preset), "checkpointable");
	(void)ct_preset_apply(&d, root, &e);
	assert_int_equal(rmdir(outside), 0); /* still empty */
}

static void test_names(void **state)
{
	(void)state;
	assert_true(ct_preset_ok("none"));
	assert_true(ct_preset_ok("checkpointable"));
	assert_false(ct_preset_ok("check"));
	assert_non_null(ct_preset_find("checkpointable"));
	assert_null(ct_preset_find(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_without_systemd, make, unmake),
		cmocka_unit_test_setup_teardown(test_comes_and_goes, make, unmake),
		cmocka_unit_test_setup_teardown(test_changed_stays, make, unmake),
		cmocka_unit_test_setup_teardown(test_links_do_not_lead_out, make, unmake),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
