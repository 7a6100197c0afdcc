// SPDX-License-Identifier: GPL-2.0-only
/* What an image says of locks is checked before it is counted with: it may come from another host. */
#include "tests/unit/cgroups/fixture.h"

#include <inttypes.h>

#include "checkpoint/file_locks.h"

#define IMAGE "filelocks.img"

struct lab {
	struct cg cg; /* nobody is in it: no lock is anybody's */
	char dir[64];
	int images;
};

static int set_up(void **state)
{
	static struct lab l;
	const char *tmp = getenv("TMPDIR");

	snprintf(l.dir, sizeof(l.dir), "%.40s/skep-locks-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(l.dir));
	l.images = open(l.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	test_make("locks", &l.cg);
	*state = &l;
	return 0;
}

static int tear_down(void **state)
{
	struct lab *l = *state;

	test_end(&l->cg);
	unlinkat(l->images, IMAGE, 0);
	close(l->images);
	return rmdir(l->dir);
}

static uint8_t *put(uint8_t *at, unsigned number, uint64_t value)
{
	*at++ = (uint8_t)(number << 3);
	for (; value >= 0x80; value >>= 7)
		*at++ = (uint8_t)(value | 0x80);
	*at++ = (uint8_t)value;
	return at;
}

/* One POSIX lock for writing, of descriptor 3 of process 7. */
static int take(const struct lab *l, int64_t start, int64_t len)
{
	uint8_t text[128] = "\x19\x43\x56\x54\x24\x80\x63\x54", *at = text + 12;
	uint32_t size;
	struct err e = {0};
	int fd, r;

	at = put(at, 1, 1);
	at = put(at, 2, F_WRLCK);
	at = put(at, 3, 7);
	at = put(at, 4, 3);
	at = put(at, 5, (uint64_t)start);
	at = put(at, 6, (uint64_t)len);
	size = (uint32_t)(at - text - 12);
	memcpy(text + 8, &size, sizeof(size));
	fd = openat(l->images, IMAGE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, text, (size_t)(at - text)), at - text);
	close(fd);
	r = cr_file_locks_take(l->images, &l->cg, 1, &e);
	assert_true((r < 0) == (e.no != 0));
	return r;
}

static void ranges_that_no_file_has(void **state)
{
	const struct lab *l = *state;

	assert_int_equal(take(l, 120, 8), 0);
	assert_int_equal(take(l, 120, 0), 0);
	assert_int_equal(take(l, 120, INT64_MAX - 120), 0);
	assert_int_equal(take(l, 120, INT64_MAX - 119), -EPROTO);
	assert_int_equal(take(l, INT64_MAX, INT64_MAX), -EPROTO);
	assert_int_equal(take(l, INT64_MIN, 1), -EPROTO);
	assert_int_equal(take(l, 0, -1), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ranges_that_no_file_has, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, test_clean);
}
