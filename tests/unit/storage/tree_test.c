// SPDX-License-Identifier: GPL-2.0-only
/* Trees removed, measured, digested; SHA-256 against the standard's vectors. */
#include "tests/unit/storage/tmp_tree.h"

#include "storage/sha256.h"

static void sha_of(const char *text, size_t times, char out[65])
{
	struct st_sha256 s;
	uint8_t sum[32];

	st_sha256_init(&s);
	for (size_t i = 0; i < times; i++)
		st_sha256_add(&s, text, strlen(text));
	st_sha256_done(&s, sum);
	for (int i = 0; i < 32; i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

static void sha256_knows_the_vectors(void **state)
{
	char got[65];

	(void)state;
	sha_of("", 1, got);
	assert_string_equal(got,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha_of("abc", 1, got);
	assert_string_equal(got,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1, got);
	assert_string_equal(got,
			    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	sha_of("a", 1000000, got);
	assert_string_equal(got,
			    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void removes_what_is_deeper_than_descriptors(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};
	auto_fd int at = tmp_mkdir(t->dir, "deep");

	for (int i = 0; i < 3000; i++) {
		int next = tmp_mkdir(at, "d");

		tmp_write(at, "f", "x");
		close(at);
		at = next;
	}
	assert_good(st_tree_remove(t->dir, "deep", &e));
	assert_true(tmp_missing(t->dir, "deep"));
	assert_good(st_tree_remove(t->dir, "deep", &e));
}

static void removes_links_not_what_they_name(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};
	auto_fd int keep = tmp_mkdir(t->dir, "keep");
	auto_fd int gone = tmp_mkdir(t->dir, "gone");

	tmp_write(keep, "f", "still here");
	assert_int_equal(symlinkat("../keep", gone, "link"), 0);
	assert_good(st_tree_remove(t->dir, "gone", &e));
	tmp_is(keep, "f", "still here");
}

static void measures_hard_links_once(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};
	struct st_tree_size one, two;
	char block[65536];
	auto_fd int fd = openat(t->dir, "a", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	memset(block, 'x', sizeof(block));
	assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
	fsync(fd);
	assert_good(st_tree_measure(t->dir, &one, &e));
	assert_int_equal(linkat(t->dir, "a", t->dir, "b", 0), 0);
	assert_good(st_tree_measure(t->dir, &two, &e));
	assert_true(one.bytes >= 65536);
	assert_int_equal(one.bytes, two.bytes);
	assert_int_equal(two.inodes, 2);
}

static void digest_sees_content_mode_and_name_but_not_times(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};
	char a[ST_DIGEST_SIZE], b[ST_DIGEST_SIZE];

	tmp_write(t->dir, "f", "one");
	assert_good(st_tree_digest(t->dir, a, &e));
	assert_int_equal(utimensat(t->dir, "f", (struct timespec[2]){{1, 0}, {1, 0}}, 0), 0);
	assert_good(st_tree_digest(t->dir, b, &e));
	assert_string_equal(a, b);
	tmp_write(t->dir, "f", "two");
	assert_good(st_tree_digest(t->dir, b, &e));
	assert_string_not_equal(a, b);
	tmp_write(t->dir, "f", "one");
	fchmodat(t->dir, "f", 0600, 0);
	assert_good(st_tree_digest(t->dir, b, &e));
	assert_string_not_equal(a, b);
	fchmodat(t->dir, "f", 0644, 0);
	renameat(t->dir, "f", t->dir, "g");
	assert_good(st_tree_digest(t->dir, b, &e));
	assert_string_not_equal(a, b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tmp_tree_setup, tmp_tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_knows_the_vectors),
		TEST(removes_what_is_deeper_than_descriptors),
		TEST(removes_links_not_what_they_name),
		TEST(measures_hard_links_once),
		TEST(digest_sees_content_mode_and_name_but_not_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
