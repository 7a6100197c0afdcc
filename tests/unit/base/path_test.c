// SPDX-License-Identifier: GPL-2.0-only
/* Names below a root whose content is hostile. None that a host has: what goes wrong here is done to the host. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/path.h"

/* A directory with `root`, the container's, and `secret`, which is none of its business. */
struct place {
	char path[32], secret[48];
	int dir, root;
};

static int place_setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	int fd;

	*state = p;
	if (!p)
		return -1;
	snprintf(p->path, sizeof(p->path), "/tmp/skep-path-XXXXXX");
	if (!mkdtemp(p->path))
		return -1;
	snprintf(p->secret, sizeof(p->secret), "%s/secret", p->path);
	p->dir = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->dir < 0 || mkdirat(p->dir, "root", 0755) < 0)
		return -1;
	p->root = openat(p->dir, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(p->dir, "secret", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "secret", 6) != 6)
		return -1;
	close(fd);
	return p->root < 0 ? -1 : 0;
}

static int place_teardown(void **state)
{
	struct place *p = *state;
	struct err e = {0};
	int r = file_remove_tree_at(AT_FDCWD, p->path, &e);

	close(p->dir);
	close(p->root);
	free(p);
	return r < 0 ? -1 : 0;
}

static void assert_text(int dir, const char *name, const char *text)
{
	char buf[64];
	auto_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	assert_true(n >= 0);
	buf[n > 0 ? n : 0] = 0;
	assert_string_equal(buf, text);
}

static void assert_inside(const struct place *p, int fd)
{
	char name[32], path[PATH_MAX], root[48];
	ssize_t n;

	assert_true(fd >= 0);
	snprintf(root, sizeof(root), "%s/root/", p->path);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, path, sizeof(path) - 1);
	assert_true(n > 0);
	path[n > 0 ? n : 0] = 0;
	if (strncmp(path, root, strlen(root)) != 0)
		fail_msg("%s is outside", path);
}

static void links_end_inside(void **state)
{
	struct place *p = *state;
	static const char *const ways[] = {"absolute", "up", "absolute/../..//secret",
					   "../../secret", "/../secret"};
	struct err e = {0};

	assert_return_code(symlinkat(p->secret, p->root, "absolute"), errno);
	assert_return_code(symlinkat("../../../secret", p->root, "up"), errno);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		auto_fd int fd = path_try_open_in(p->root, ways[i], O_RDONLY, &e);

		assert_int_equal(fd, -ENOENT);
		assert_int_equal(e.no, 0);
		assert_int_equal(path_open_in(p->root, ways[i], O_RDONLY, 0, &e), -ENOENT);
		err_clear(&e);
	}
}

static void magic_links_are_refused(void **state)
{
	struct place *p = *state;
	auto_fd int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err e = {0};

	(void)p;
	assert_int_equal(path_open_in(proc, "self/root", O_PATH, 0, &e), -ELOOP);
	err_clear(&e);
	assert_int_equal(path_open_in(proc, "self/cwd/x", O_PATH, 0, &e), -ELOOP);
}

static void directories_are_made_inside(void **state)
{
	struct place *p = *state;
	struct err e = {0};
	auto_fd int deep = path_mkdirs_in(p->root, "/a/b//c", 0755, &e);
	auto_fd int again = path_mkdirs_in(p->root, "a/b/c/", 0700, &e);
	struct stat st;

	assert_inside(p, deep);
	assert_inside(p, again);
	assert_return_code(fstat(again, &st), errno);
	assert_int_equal(st.st_mode & 07777, 0755);
	/* A link to a directory is gone through inside; one that leads nowhere makes nothing. */
	assert_return_code(symlinkat("/a/b", p->root, "to"), errno);
	auto_fd int through = path_mkdirs_in(p->root, "to/d", 0755, &e);
	assert_inside(p, through);
	assert_return_code(symlinkat(p->path, p->root, "out"), errno);
	assert_true(path_mkdirs_in(p->root, "out/made", 0755, &e) < 0);
	assert_int_equal(faccessat(p->dir, "made", F_OK, 0), -1);
}

static void what_is_in_the_way_is_named(void **state)
{
	struct place *p = *state;
	char deep[600];
	struct err e = {0};
	struct stat st;

	auto_fd int made = path_mkdirs_in(p->root, "a/../b/./c", 0755, &e);
	assert_inside(p, made);
	assert_return_code(fstatat(p->root, "a", &st, 0), errno);
	assert_return_code(fstatat(p->root, "b/c", &st, 0), errno);
	assert_int_equal(path_write_in(p->root, "b/file", "x", 0644, &e), 0);
	assert_int_equal(path_mkdirs_in(p->root, "b/file/d/e", 0755, &e), -ENOTDIR);
	assert_string_equal(e.text,
			    "open directory b/file/ in the root file system: Not a directory");
	err_clear(&e);
	assert_return_code(symlinkat("nowhere", p->root, "dangling"), errno);
	assert_int_equal(path_mkdirs_in(p->root, "dangling/d", 0755, &e), -ENOENT);
	assert_int_equal(fstatat(p->root, "nowhere", &st, 0), -1);
	err_clear(&e);
	memset(deep, 'x', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = 0;
	memcpy(deep, "c/", 2);
	assert_int_equal(path_mkdirs_in(p->root, deep, 0755, &e), -ENAMETOOLONG);
}

static void mount_points_are_made_inside(void **state)
{
	struct place *p = *state;
	char text[64];
	struct err e = {0};

	/* As an image's /etc/resolv.conf. */
	snprintf(text, sizeof(text), "%s/run/resolv.conf", p->path);
	auto_fd int lab = path_mkdirs_in(p->root, "lab", 0755, &e);
	assert_return_code(symlinkat(text, lab, "resolv.conf"), errno);
	auto_fd int fd = path_mount_point_in(p->root, "/lab/resolv.conf", false, &e);
	assert_inside(p, fd);
	assert_int_equal(faccessat(p->dir, "run", F_OK, 0), -1);
	/* A ring of them ends. */
	assert_return_code(symlinkat("ring", p->root, "ring"), errno);
	assert_true(path_mount_point_in(p->root, "ring", false, &e) < 0);
	err_clear(&e);
	assert_int_equal(path_mount_point_in(p->root, "lab/..", false, &e) < 0, 0);
	assert_int_equal(path_mount_point_in(p->root, "none/", false, &e), -EINVAL);
}

static void a_write_replaces(void **state)
{
	struct place *p = *state;
	struct err e = {0};
	struct stat st;

	assert_int_equal(path_write_in(p->root, "lab/hostname", "one", 0640, &e), 0);
	assert_int_equal(path_write_in(p->root, "/lab/hostname", "2", 0644, &e), 0);
	auto_fd int lab = path_open_in(p->root, "lab", O_PATH, 0, &e);
	assert_text(lab, "hostname", "2");
	/* A link, and one more name of a file that is outside. */
	assert_return_code(symlinkat(p->secret, lab, "hosts"), errno);
	assert_int_equal(path_write_in(p->root, "lab/hosts", "new", 0644, &e), 0);
	assert_text(lab, "hosts", "new");
	assert_return_code(linkat(p->dir, "secret", lab, "machine-id", 0), errno);
	assert_int_equal(path_write_in(p->root, "lab/machine-id", "new", 0644, &e), 0);
	assert_text(lab, "machine-id", "new");
	assert_text(p->dir, "secret", "secret");
	assert_return_code(fstatat(p->dir, "secret", &st, 0), errno);
	assert_int_equal(st.st_nlink, 1);
	assert_true(path_write_in(p->root, "lab/..", "x", 0644, &e) < 0);
	err_clear(&e);
	assert_true(path_write_in(p->root, "lab/", "x", 0644, &e) < 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(links_end_inside),
		TEST(magic_links_are_refused),
		TEST(directories_are_made_inside),
		TEST(what_is_in_the_way_is_named),
		TEST(mount_points_are_made_inside),
		TEST(a_write_replaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
