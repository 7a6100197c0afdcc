// SPDX-License-Identifier: GPL-2.0-only
/* Images as criu writes them, with an executable that is held open by O_PATH; and damaged ones. */
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
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "checkpoint/exe_flags.h"
#include "tests/unit/checkpoint/image_lab.h"

#define MAGIC "\x19\x43\x56\x54\x38\x31\x30\x56"

static void write_image(const struct lab *l, const char *name, const char *data, size_t len)
{
	struct err e = {0};

	assert_int_equal(file_replace_volatile_at(l->fd, name, data, len, 0600, &e), 0);
}
#define image(l, name, text) write_image(l, name, text, sizeof(text) - 1)

/* An mm entry with start_code 1 (field 1), its executable (12) and a submessage (14) that has a field 12, too. */
#define MM(id)                   \
	MAGIC "\x08\x00\x00\x00" \
	      "\x08\x01"         \
	      "\x60" id "\x72\x02\x60\x07"
/* A file entry: type (1), id (2), reg (3) of id, flags, pos 0. 80 80 81 01 is O_PATH | O_LARGEFILE... of no meaning here; 0x204000. */
#define REG(id, flags)               \
	"\x11\x00\x00\x00"           \
	"\x08\x01\x10" id "\x1a\x0b" \
	"\x08" id "\x10" flags "\x18\x00\x42\x00"

static int mend(const struct lab *l)
{
	struct err e = {0};

	return cr_exe_flags_mend(l->fd, &e);
}

static void test_mends_only_executables(void **state)
{
	static const char before[] = MAGIC REG("\x05", "\x80\x80\x81\x01") "\x00\x00\x00\x00" REG(
		"\x06", "\x80\x80\x81\x01") REG("\x07", "\x80\x80\x80\x00");
	static const char after[] = MAGIC REG("\x05", "\x80\x80\x81\x00") "\x00\x00\x00\x00" REG(
		"\x06", "\x80\x80\x81\x01") REG("\x07", "\x80\x80\x80\x00");
	const struct lab *l = *state;
	char *text = NULL;
	struct err e = {0};

	assert_int_equal(mend(l), 0);
	image(l, "mm-1.img", MM("\x05"));
	image(l, "mm-30.img", MM("\x09"));
	image(l, "core-1.img", "no such thing");
	image(l, "files.img", before);
	assert_int_equal(mend(l), 1);
	assert_int_equal(file_read_at(l->fd, "files.img", 4096, &text, &e), sizeof(after) - 1);
	assert_memory_equal(text, after, sizeof(after) - 1);
	free(text);
	assert_int_equal(mend(l), 0);
}

static void test_damaged(void **state)
{
	const struct lab *l = *state;
	static const char good[] = MAGIC REG("\x05", "\x80\x80\x81\x01");

	image(l, "mm-1.img", MM("\x05"));
	for (size_t cut = 0; cut < sizeof(good) - 1; cut++) {
		write_image(l, "files.img", good, cut);
		/* An image may end after any whole entry, so after its magic. */
		assert_int_equal(mend(l), cut == 8 ? 0 : -EPROTO);
	}
	image(l, "files.img",
	      MAGIC "\xff\xff\xff\xff"
		    "x");
	assert_int_equal(mend(l), -EPROTO);
	image(l, "files.img",
	      MAGIC "\x03\x00\x00\x00"
		    "\x1a\xff\x01");
	assert_true(mend(l) <= 0);
	image(l, "files.img", good);
	image(l, "mm-1.img",
	      MAGIC "\x02\x00\x00\x00"
		    "\x60\xff");
	assert_int_equal(mend(l), -EPROTO);
	image(l, "mm-1.img", "x");
	assert_int_equal(mend(l), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_mends_only_executables, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
