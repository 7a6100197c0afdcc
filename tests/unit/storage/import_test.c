// SPDX-License-Identifier: GPL-2.0-only
/* Archives honest, hostile and cut; directories copied. */
#include "tests/unit/storage/tmp_tree.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#include "storage/import.h"

/* "path type link-or-content": type f d l h(ard) c(har device) s(parse). */
struct member {
	const char *path;
	char type;
	const char *text;
};

static void write_member(struct archive *a, const struct member *m)
{
	struct archive_entry *ae = archive_entry_new();
	static const uint8_t cap[20] = {1, 0, 0, 2, 0, 4};

	archive_entry_set_pathname(ae, m->path);
	archive_entry_set_uid(ae, 1000);
	archive_entry_set_gid(ae, 1001);
	archive_entry_set_mtime(ae, 1000000, 123456789);
	archive_entry_set_perm(ae, m->type == 'd' ? 0750 : 04711);
	switch (m->type) {
	case 'd':
		archive_entry_set_filetype(ae, AE_IFDIR);
		break;
	case 'l':
		archive_entry_set_filetype(ae, AE_IFLNK);
		archive_entry_set_symlink(ae, m->text);
		break;
	case 'h':
		archive_entry_set_filetype(ae, AE_IFREG);
		archive_entry_set_hardlink(ae, m->text);
		break;
	case 'c':
		archive_entry_set_filetype(ae, AE_IFCHR);
		archive_entry_set_rdev(ae, 0x103);
		break;
	case 's':
		archive_entry_set_filetype(ae, AE_IFREG);
		archive_entry_set_size(ae, 1 << 20);
		archive_entry_sparse_add_entry(ae, (1 << 20) - 4096, 4096);
		break;
	default:
		archive_entry_set_filetype(ae, AE_IFREG);
		archive_entry_set_size(ae, (la_int64_t)strlen(m->text));
		archive_entry_xattr_add_entry(ae, "security.capability", cap, sizeof(cap));
		archive_entry_xattr_add_entry(ae, "trusted.overlay.opaque", "y", 1);
	}
	if (archive_write_header(a, ae) != ARCHIVE_OK)
		fail_msg("%s: %s", m->path, archive_error_string(a));
	if (m->type == 'f')
		archive_write_data(a, m->text, strlen(m->text));
	if (m->type == 's') {
		char *zeros = calloc(1, 1 << 20);

		memset(zeros + (1 << 20) - 4096, 'e', 4096);
		archive_write_data(a, zeros, 1 << 20);
		free(zeros);
	}
	archive_entry_free(ae);
}

static int write_archive(int dir, const char *name, int filter, const struct member *m, size_t n)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct archive *a = archive_write_new();

	assert_int_equal(archive_write_set_format_pax(a), ARCHIVE_OK);
	assert_true(archive_write_add_filter(a, filter) >= ARCHIVE_WARN);
	/* The archive's names are UTF-8; whoever unpacks it may live in the C locale. */
	setlocale(LC_CTYPE, "C.UTF-8");
	assert_int_equal(archive_write_open_fd(a, fd), ARCHIVE_OK);
	for (size_t i = 0; i < n; i++)
		write_member(a, &m[i]);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
	setlocale(LC_CTYPE, "C");
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static const struct member honest[] = {
	{"./", 'd', NULL},
	{"./bin/", 'd', NULL},
	{"./bin/tool", 'f', "tool"},
	{"./bin/same", 'h', "./bin/tool"},
	{"./link", 'l', "/bin/tool"},
	{"./null", 'c', NULL},
	{"./sparse", 's', NULL},
	{"./no/parent/file", 'f', "x"},
	{"./F\xc5\x91.crt", 'f', "utf-8"},
	{"./bin/tool2", 'f', "twice"},
	{"./bin/tool2", 'f', "second wins"},
};

static void is_honest_tree(int root)
{
	struct stat st = tmp_stat(root, "bin/tool");
	char value[64];
	auto_fd int fd = openat(root, "bin/tool", O_RDONLY | O_CLOEXEC);

	tmp_is(root, "bin/tool", "tool");
	assert_int_equal(st.st_uid, 1000);
	assert_int_equal(st.st_gid, 1001);
	assert_int_equal(st.st_mode, S_IFREG | 04711);
	assert_int_equal(st.st_mtim.tv_sec, 1000000);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);
	assert_int_equal(st.st_ino, tmp_stat(root, "bin/same").st_ino);
	assert_int_equal(fgetxattr(fd, "security.capability", value, sizeof(value)), 20);
	assert_int_equal(fgetxattr(fd, "trusted.overlay.opaque", value, sizeof(value)), -1);
	st = tmp_stat(root, "bin");
	assert_int_equal(st.st_mode, S_IFDIR | 0750);
	assert_int_equal(st.st_mtim.tv_sec, 1000000);
	assert_int_equal(readlinkat(root, "link", value, sizeof(value)), 9);
	st = tmp_stat(root, "sparse");
	assert_int_equal(st.st_size, 1 << 20);
	assert_true(st.st_blocks <= 32);
	tmp_is(root, "no/parent/file", "x");
	tmp_is(root, "F\xc5\x91.crt", "utf-8");
	tmp_is(root, "bin/tool2", "second wins");
}

static void unpacks_every_compression(void **state)
{
	struct tmp_tree *t = *state;
	static const int filters[] = {ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ,
				      ARCHIVE_FILTER_ZSTD};

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		struct err e = {0};
		struct st_import_stats stats;
		char name[16];
		auto_fd int root = -EBADF, fd = -EBADF;

		snprintf(name, sizeof(name), "root%zu", i);
		root = tmp_mkdir(t->dir, name);
		fd = write_archive(t->dir, "a.tar", filters[i], honest, ARRAY_SIZE(honest));
		assert_good(st_import_archive(root, fd, NULL, &stats, &e));
		is_honest_tree(root);
		assert_int_equal(stats.devices_skipped, 1);
		assert_true(tmp_missing(root, "null"));
		if (i == 0) {
			own_close_fd(&fd);
			fd = openat(t->dir, "a.tar", O_RDONLY | O_CLOEXEC);
			assert_good(st_import_archive(
				root, fd, &(struct st_import){.keep_devices = true}, NULL, &e));
			assert_true(S_ISCHR(tmp_stat(root, "null").st_mode));
		}
	}
}

static void copies_a_directory(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};
	char a[ST_DIGEST_SIZE], b[ST_DIGEST_SIZE];
	auto_fd int from = tmp_mkdir(t->dir, "from"), to = tmp_mkdir(t->dir, "to");
	auto_fd int fd =
		write_archive(t->dir, "a.tar", ARCHIVE_FILTER_NONE, honest, ARRAY_SIZE(honest));

	assert_good(st_import_archive(from, fd, NULL, NULL, &e));
	assert_good(st_import_directory(to, from, NULL, NULL, &e));
	is_honest_tree(to);
	assert_good(st_tree_digest(from, a, &e));
	assert_good(st_tree_digest(to, b, &e));
	assert_string_equal(a, b);
}

static int unpack_hostile(struct tmp_tree *t, const struct member *m, size_t n, struct err *e)
{
	auto_fd int root = -EBADF;
	auto_fd int fd = write_archive(t->dir, "evil.tar", ARCHIVE_FILTER_NONE, m, n);

	*e = (struct err){0};
	assert_int_equal(st_tree_remove(t->dir, "root", e), 0);
	root = tmp_mkdir(t->dir, "root");
	return st_import_archive(root, fd, NULL, NULL, e);
}

static void refuses_hostile_archives(void **state)
{
	struct tmp_tree *t = *state;
	struct err e;
	const struct member up[] = {{"../escaped", 'f', "x"}};
	const struct member inner[] = {{"a/../../escaped", 'f', "x"}};
	const struct member absolute[] = {{"/tmp/skep-escaped", 'f', "x"}};
	const struct member through[] = {{"out", 'l', ".."}, {"out/escaped", 'f', "x"}};
	const struct member deeper[] = {{"out", 'l', "../.."}, {"out/a/b/escaped", 'f', "x"}};
	const struct member hard[] = {{"mine", 'h', "../secret"}};
	const struct member hard_through[] = {{"out", 'l', ".."}, {"mine", 'h', "out/secret"}};
	const struct member over[] = {{"out", 'l', "../secret"}, {"out", 'f', "mine"}};

	tmp_write(t->dir, "secret", "untouched");
	assert_int_equal(unpack_hostile(t, up, 1, &e), -EINVAL);
	assert_int_equal(unpack_hostile(t, inner, 1, &e), -EINVAL);
	assert_int_equal(unpack_hostile(t, absolute, 1, &e), -EINVAL);
	assert_int_equal(unpack_hostile(t, through, 2, &e), -ELOOP);
	assert_int_equal(unpack_hostile(t, deeper, 2, &e), -ELOOP);
	assert_int_equal(unpack_hostile(t, hard, 1, &e), -EINVAL);
	assert_int_equal(unpack_hostile(t, hard_through, 2, &e), -ELOOP);
	assert_int_equal(unpack_hostile(t, over, 2, &e), 0);
	tmp_is(t->dir, "secret", "untouched");
	tmp_is(t->dir, "root/out", "mine");
	assert_true(tmp_missing(t->dir, "escaped"));
	assert_int_equal(access("/tmp/skep-escaped", F_OK), -1);
}

static void keeps_to_its_limits(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};
	auto_fd int root = tmp_mkdir(t->dir, "root");
	auto_fd int fd =
		write_archive(t->dir, "a.tar", ARCHIVE_FILTER_NONE, honest, ARRAY_SIZE(honest));

	assert_int_equal(
		st_import_archive(root, fd, &(struct st_import){.max_entries = 3}, NULL, &e),
		-EFBIG);
	assert_int_equal(e.class, ERR_LIMIT);
	err_clear(&e);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(
		st_import_archive(root, fd, &(struct st_import){.max_bytes = 100}, NULL, &e),
		-EFBIG);
}

static void says_that_an_archive_is_cut_or_none(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};
	auto_fd int root = tmp_mkdir(t->dir, "root"), none = -EBADF;
	auto_fd int fd =
		write_archive(t->dir, "a.tar", ARCHIVE_FILTER_GZIP, honest, ARRAY_SIZE(honest));

	assert_int_equal(ftruncate(fd, lseek(fd, 0, SEEK_END) / 2), 0);
	lseek(fd, 0, SEEK_SET);
	assert_true(st_import_archive(root, fd, NULL, NULL, &e) < 0);
	assert_non_null(strstr(e.text, "runcated"));
	err_clear(&e);
	tmp_write(
		t->dir, "text",
		"this is no archive at all, but a line of text that is long enough to be looked at\n");
	none = openat(t->dir, "text", O_RDONLY | O_CLOEXEC);
	assert_true(st_import_archive(root, none, NULL, NULL, &e) < 0);
	assert_non_null(strstr(e.hint, "no known format"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tmp_tree_setup, tmp_tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unpacks_every_compression),
		TEST(copies_a_directory),
		TEST(refuses_hostile_archives),
		TEST(keeps_to_its_limits),
		TEST(says_that_an_archive_is_cut_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
