// SPDX-License-Identifier: GPL-2.0-only
/* Images as criu writes them, with deleted files whose paths others have; and damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "checkpoint/ghosts.h"
#include "tests/unit/checkpoint/image_lab.h"

#define MAGIC "\x19\x43\x56\x54\x38\x31\x30\x56"

static void write_image(const struct lab *l, const char *name, const char *data, size_t len)
{
	struct err e = {0};

	assert_int_equal(file_replace_volatile_at(l->fd, name, data, len, 0600, &e), 0);
}
#define image(l, name, text) write_image(l, name, text, sizeof(text) - 1)

static void assert_files(const struct lab *l, const char *data, size_t len)
{
	auto_free char *text = NULL;
	struct err e = {0};

	assert_int_equal(file_try_read_at(l->fd, "files.img", 4096, &text, &e), (int)len);
	assert_memory_equal(text, data, len);
}
#define files_are(l, text) assert_files(l, text, sizeof(text) - 1)

/* A remap of the file: orig_id, remap_id 1, its type. */
#define REMAP(id, type) "\x06\x00\x00\x00\x08" id "\x10\x01\x18" type
#define GHOST		"\x01"
#define PROCFS		"\x02"
/* A file entry: type (1), id (2), reg (3) of id, flags, fown, name, mnt_id. sizes: of the entry, of reg, of the name. */
#define REG(id, entry, reg, size, name)                                                       \
	entry "\x00\x00\x00"                                                                  \
	      "\x08\x01\x10" id "\x1a" reg "\x08" id "\x10\x00\x2a\x02\x08\x00\x32" size name \
	      "\x38\x02"
#define SH(id)	     REG(id, "\x19", "\x13", "\x07", "/bin/sh")
#define SH_GONE(id)  REG(id, "\x21", "\x1b", "\x0f", "/bin/sh.cr_link")
#define SH_GONE1(id) REG(id, "\x22", "\x1c", "\x10", "/bin/sh.cr_link1")
/* An eventfd: type 3, its id, a submessage that is not reg. */
#define OTHER "\x08\x00\x00\x00\x08\x03\x10\x09\x2a\x02\x08\x09"

static bool in_list(const char *path, void *arg)
{
	for (const char *const *p = arg; *p; p++)
		if (!strcmp(*p, path))
			return true;
	return false;
}

static int rename_in(const struct lab *l, const char *const *taken)
{
	struct err e = {0};

	return cr_ghosts_rename(l->fd, in_list, (void *)taken, &e);
}

static void test_gives_way(void **state)
{
	const char *const sh[] = {"/bin/sh", NULL};
	struct lab *l = *state;

	image(l, "remap-fpath.img", MAGIC REMAP("\x01", GHOST));
	image(l, "files.img", MAGIC OTHER SH("\x01") SH("\x02") OTHER);
	assert_int_equal(rename_in(l, sh), 1);
	files_are(l, MAGIC OTHER SH_GONE("\x01") SH("\x02") OTHER);
	assert_int_equal(rename_in(l, sh), 0);
}

static void test_next_name(void **state)
{
	const char *const both[] = {"/bin/sh", "/bin/sh.cr_link", NULL};
	struct lab *l = *state;

	image(l, "remap-fpath.img", MAGIC REMAP("\x01", GHOST) REMAP("\x02", GHOST));
	image(l, "files.img", MAGIC SH("\x01") SH("\x02"));
	assert_int_equal(rename_in(l, both), 2);
	files_are(l, MAGIC SH_GONE1("\x01") SH_GONE1("\x02"));
}

static void test_stays(void **state)
{
	const char *const other[] = {"/bin/zsh", NULL}, *const sh[] = {"/bin/sh", NULL};
	struct lab *l = *state;

	assert_int_equal(rename_in(l, sh), 0);
	image(l, "remap-fpath.img", MAGIC REMAP("\x01", GHOST));
	assert_int_equal(rename_in(l, sh), 0);
	image(l, "files.img", MAGIC SH("\x01"));
	assert_int_equal(rename_in(l, other), 0);
	files_are(l, MAGIC SH("\x01"));
	image(l, "remap-fpath.img", MAGIC REMAP("\x01", PROCFS));
	assert_int_equal(rename_in(l, sh), 0);
	files_are(l, MAGIC SH("\x01"));
}

/* What is cut anywhere is damaged, or ends between two entries; it is never longer than it was told. */
static void test_damaged(void **state)
{
	static const char remap[] = MAGIC REMAP("\x01", GHOST), files[] = MAGIC SH("\x01");
	const char *const sh[] = {"/bin/sh", NULL};
	struct lab *l = *state;

	for (size_t len = 0; len < sizeof(files) - 1; len++) {
		write_image(l, "remap-fpath.img", remap, sizeof(remap) - 1);
		write_image(l, "files.img", files, len);
		assert_int_equal(rename_in(l, sh), len == 8 ? 0 : -EPROTO);
	}
	write_image(l, "files.img", files, sizeof(files) - 1);
	for (size_t len = 0; len < sizeof(remap) - 1; len++) {
		write_image(l, "remap-fpath.img", remap, len);
		assert_int_equal(rename_in(l, sh), len == 8 ? 0 : -EPROTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_gives_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_next_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("ghosts", tests, NULL, NULL);
}
