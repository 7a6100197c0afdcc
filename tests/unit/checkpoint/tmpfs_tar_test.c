// SPDX-License-Identifier: GPL-2.0-only
/* A tmpfs into an archive and back: the same, as tar understands it, and never outside of its directory. */
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
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/proc.h"
#include "checkpoint/tmpfs_tar.h"

struct lab {
	char dir[64];
	int root, from, to, archive; /* to: below a directory "outside" */
};

static int dir_at(int root, const char *name)
{
	int fd;

	assert_return_code(mkdirat(root, name, 0755), errno);
	fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_return_code(fd, errno);
	return fd;
}

static int set_up(void **state)
{
	struct lab *l = calloc(1, sizeof(*l));

	snprintf(l->dir, sizeof(l->dir), "/tmp/skep-tmpfs-XXXXXX");
	assert_non_null(mkdtemp(l->dir));
	/* Holes are told by what a file takes, which tmpfs knows to the page. */
	assert_return_code(mount("skep-test", l->dir, "tmpfs", 0, "size=64m"), errno);
	l->root = open(l->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	l->from = dir_at(l->root, "from");
	l->to = dir_at(l->root, "to");
	l->archive = openat(l->root, "archive", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_return_code(l->archive, errno);
	*state = l;
	return 0;
}

static int tear_down(void **state)
{
	struct lab *l = *state;

	close(l->root);
	close(l->from);
	close(l->to);
	close(l->archive);
	assert_return_code(umount(l->dir), errno);
	assert_return_code(rmdir(l->dir), errno);
	free(l);
	return 0;
}

static void put_file(int dir, const char *name, size_t len)
{
	auto_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	auto_free uint8_t *data = malloc(len + 1);
	struct err e = {0};

	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 2654435761u >> 13);
	assert_return_code(file_write_all(fd, data, len, &e), e.no);
}

static void plant(int from)
{
	const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	auto_fd int sub = dir_at(from, "sub"), deep = -EBADF;
	char longer[91], path[200];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[90] = 0;
	deep = dir_at(sub, longer);
	put_file(from, "empty", 0);
	put_file(from, "block", 512);
	put_file(sub, "big", 300001);
	put_file(deep, longer, 3);
	assert_return_code(symlinkat("../out/of/here", from, "link"), errno);
	assert_return_code(mkfifoat(from, "fifo", 0600), errno);
	assert_return_code(mknodat(from, "null", S_IFCHR | 0666, makedev(1, 3)), errno);
	assert_return_code(fchownat(from, "block", 12, 34, 0), errno);
	assert_return_code(fchmodat(from, "block", 04755, 0), errno);
	snprintf(path, sizeof(path), "sub/%s", longer);
	assert_return_code(fchmodat(from, path, 01777, 0), errno);
	assert_return_code(utimensat(from, path, old, 0), errno);
	assert_return_code(utimensat(from, "link", old, AT_SYMLINK_NOFOLLOW), errno);
	assert_return_code(fchmod(from, 0711), errno);
}

/* Names, kinds, modes, owners, sizes, targets, times in seconds, and contents. */
static char *describe(const struct lab *l, const char *dir)
{
	char script[400], *text = NULL;
	struct err e = {0};
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct proc_run run = {.argv = argv, .deadline_ms = 20000};

	snprintf(
		script, sizeof(script),
		"cd %s/%s && { find . -printf '%%p %%y %%m %%U %%G %%s %%l %%Ts\\n' | sort; find . -type f -exec md5sum {} + | sort; ls -l null; } >../text",
		l->dir, dir);
	run.out = -1;
	assert_int_equal(proc_run(&run, &e), 0);
	assert_return_code(file_read_at(l->root, "text", 1 << 20, &text, &e), e.no);
	return text;
}

static void test_the_same(void **state)
{
	struct lab *l = *state;
	auto_free char *was = NULL, *is = NULL;
	struct err e = {0};

	plant(l->from);
	assert_int_equal(cr_tmpfs_pack(l->from, l->archive, &e), 1);
	lseek(l->archive, 0, SEEK_SET);
	assert_int_equal(cr_tmpfs_unpack(l->archive, l->to, &e), 1);
	was = describe(l, "from");
	is = describe(l, "to");
	assert_string_equal(was, is);
}

static void test_tar_reads_it(void **state)
{
	struct lab *l = *state;
	auto_free char *was = NULL, *is = NULL;
	struct err e = {0};
	char script[200];
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct proc_run run = {.argv = argv, .deadline_ms = 20000, .out = -1};

	plant(l->from);
	assert_int_equal(cr_tmpfs_pack(l->from, l->archive, &e), 1);
	snprintf(script, sizeof(script), "cd %s && tar -xzf archive -C to", l->dir);
	assert_int_equal(proc_run(&run, &e), 0);
	was = describe(l, "from");
	is = describe(l, "to");
	assert_string_equal(was, is);
}

static void is_for_tar(struct lab *l)
{
	struct err e = {0};

	assert_int_equal(cr_tmpfs_pack(l->from, l->archive, &e), 0);
	assert_int_equal(lseek(l->archive, 0, SEEK_END), 0);
}

static void test_what_is_for_tar(void **state)
{
	struct lab *l = *state;
	char name[160];
	struct err e = {0};
	auto_fd int fd = -EBADF;

	put_file(l->from, "a", 10);
	assert_return_code(linkat(l->from, "a", l->from, "b", 0), errno);
	is_for_tar(l);
	unlinkat(l->from, "b", 0);
	fd = openat(l->from, "hole", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_return_code(ftruncate(fd, 1 << 20), errno);
	is_for_tar(l);
	unlinkat(l->from, "hole", 0);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	put_file(l->from, name, 1);
	is_for_tar(l);
	unlinkat(l->from, name, 0);
	memset(name, 't', 101);
	name[101] = 0;
	assert_return_code(symlinkat(name, l->from, "far"), errno);
	is_for_tar(l);
	unlinkat(l->from, "far", 0);
	/* Nothing of that is left, and so it is done here. Tar's own archives are not. */
	assert_int_equal(cr_tmpfs_pack(l->from, l->archive, &e), 1);
	assert_return_code(pwrite(l->archive, "\x1f\x8b\x08\0", 4, 0), errno);
	lseek(l->archive, 0, SEEK_SET);
	assert_int_equal(cr_tmpfs_unpack(l->archive, l->to, &e), 0);
	assert_int_equal(lseek(l->archive, 0, SEEK_CUR), 0);
}

/* An archive of one entry whose header is as the peer likes. */
static int unpack_forged(struct lab *l, const char *name, char type, const char *link,
			 struct err *e)
{
	uint8_t block[5 + 3 * CR_TAR_BLOCK] = {1, 3 * CR_TAR_BLOCK & 255, 3 * CR_TAR_BLOCK >> 8,
					       ~(3 * CR_TAR_BLOCK) & 255,
					       ~(3 * CR_TAR_BLOCK) >> 8 & 255};
	struct cr_tar_header h = {.mode = "0000644",
				  .uid = "0000000",
				  .gid = "0000000",
				  .size = "00000000000",
				  .mtime = "00000000000",
				  .type = type,
				  .magic = "ustar",
				  .major = "0000000",
				  .minor = "0000000"};
	uint32_t tail[2] = {0, 3 * CR_TAR_BLOCK};

	memcpy(h.name, name, strlen(name));
	memcpy(h.link, link, strlen(link));
	snprintf(h.sum, sizeof(h.sum), "%06o", cr_tar_sum(&h));
	memcpy(block + 5, &h, sizeof(h));
	tail[0] = cr_gzip_crc(0, block + 5, 3 * CR_TAR_BLOCK);
	assert_return_code(ftruncate(l->archive, 0), errno);
	lseek(l->archive, 0, SEEK_SET);
	assert_return_code(file_write_all(l->archive, CR_GZIP_HEAD, CR_GZIP_HEAD_LEN, e), e->no);
	assert_return_code(file_write_all(l->archive, block, sizeof(block), e), e->no);
	assert_return_code(file_write_all(l->archive, tail, sizeof(tail), e), e->no);
	lseek(l->archive, 0, SEEK_SET);
	return cr_tmpfs_unpack(l->archive, l->to, e);
}

static void test_no_way_out(void **state)
{
	static const char *const names[] = {
		"../new", "./../new",	      "/new", "./out/new", "./sub/../../new",
		"./..",	  "./nowhere/../new", "new",  ""};
	struct lab *l = *state;
	struct err e = {0};

	/* It could be done with a good name. */
	assert_int_equal(unpack_forged(l, "./good", '0', "", &e), 1);
	assert_int_equal(faccessat(l->to, "good", F_OK, 0), 0);
	assert_int_equal(unpack_forged(l, "./out", '2', "..", &e), 1);
	close(dir_at(l->to, "sub"));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_true(unpack_forged(l, names[i], '0', "", &e) < 0);
		assert_int_equal(faccessat(l->root, "new", F_OK, AT_SYMLINK_NOFOLLOW), -1);
		err_clear(&e);
	}
	/* What is there already is not written into, and no link is followed by the owner or the mode. */
	assert_true(unpack_forged(l, "./good", '0', "", &e) < 0);
	err_clear(&e);
	assert_true(unpack_forged(l, "./odd", '1', "./good", &e) < 0);
}

static void test_damage_is_seen(void **state)
{
	struct lab *l = *state;
	struct stat st;
	struct err e = {0};

	plant(l->from);
	assert_int_equal(cr_tmpfs_pack(l->from, l->archive, &e), 1);
	assert_return_code(fstat(l->archive, &st), errno);
	for (off_t at = CR_GZIP_HEAD_LEN; at < st.st_size; at += 1 + at / 3) {
		char name[32];
		uint8_t byte, wrong;
		auto_fd int to = -EBADF;

		snprintf(name, sizeof(name), "to%lld", (long long)at);
		to = dir_at(l->root, name);
		assert_int_equal(pread(l->archive, &byte, 1, at), 1);
		wrong = byte ^ 0x10;
		assert_int_equal(pwrite(l->archive, &wrong, 1, at), 1);
		lseek(l->archive, 0, SEEK_SET);
		if (cr_tmpfs_unpack(l->archive, to, &e) >= 0)
			fail_msg("a changed byte at %lld is not seen", (long long)at);
		err_clear(&e);
		assert_int_equal(pwrite(l->archive, &byte, 1, at), 1);
	}
	assert_return_code(ftruncate(l->archive, st.st_size - 1), errno);
	lseek(l->archive, 0, SEEK_SET);
	assert_true(cr_tmpfs_unpack(l->archive, l->to, &e) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_same, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tar_reads_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_for_tar, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_way_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damage_is_seen, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
