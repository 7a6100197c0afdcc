// SPDX-License-Identifier: GPL-2.0-only
/* Overlays over id-mapped templates, seen through a mount of a private mount namespace. */
#include "tests/unit/storage/tmp_tree.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "storage/disk.h"
#include "storage/overlay.h"

#define BASE 231072U

/* A descriptor of a user namespace that maps 0..65535 to BASE; its process ends here. */
static int make_userns(void)
{
	int p[2], fd;
	char path[64], map[64], c;
	pid_t pid;
	auto_fd int out = -EBADF;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER) < 0 || write(p[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(p[1]);
	assert_int_equal(read(p[0], &c, 1), 1);
	close(p[0]);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s_map", pid, i ? "gid" : "uid");
		out = open(path, O_WRONLY | O_CLOEXEC);
		snprintf(map, sizeof(map), "0 %u 65536", BASE);
		assert_int_equal(write(out, map, strlen(map)), strlen(map));
		own_close_fd(&out);
	}
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return fd;
}

typedef int mount_function(const int[], int, int, int, int, bool, struct err *);

static void sees_shifted_owners(struct tmp_tree *t, mount_function *mount_it, bool on_disk)
{
	struct err e = {0};
	auto_fd int lower = tmp_mkdir(t->dir, "lower"), ct = tmp_mkdir(t->dir, "ct"), disk = -EBADF;
	auto_fd int upper = -EBADF, work = -EBADF, root = -EBADF, userns = make_userns();
	struct stat st;

	tmp_write(lower, "root-file", "r");
	tmp_write(lower, "user-file", "u");
	assert_int_equal(fchownat(lower, "user-file", 1000, 1000, 0), 0);
	tmp_write(lower, "gone", "g");
	if (on_disk) {
		assert_good(st_disk_create(ct, "disk.img", 32 << 20, &e));
		disk = st_disk_mount(ct, "disk.img", false, &e);
		assert_good(disk);
	}
	assert_good(st_layer_create(on_disk ? disk : ct, BASE, lower, &upper, &work, &e));
	root = mount_it((int[]){lower}, 1, upper, work, userns, false, &e);
	assert_good(root);
	assert_int_equal(tmp_stat(root, ".").st_uid, BASE);
	assert_int_equal(tmp_stat(root, "root-file").st_uid, BASE);
	assert_int_equal(tmp_stat(root, "user-file").st_uid, BASE + 1000);
	/* A write copies up with the shifted owner; a removal leaves a whiteout. */
	tmp_write(root, "user-file", "changed");
	st = tmp_stat(upper, "user-file");
	assert_int_equal(st.st_uid, BASE + 1000);
	assert_int_equal(tmp_stat(lower, "user-file").st_uid, 1000);
	tmp_is(lower, "user-file", "u");
	assert_int_equal(unlinkat(root, "gone", 0), 0);
	st = tmp_stat(upper, "gone");
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0);
}

static void by_descriptors(void **state)
{
	sees_shifted_owners(*state, st_overlay_mount, false);
}

static void by_names_in_a_child(void **state)
{
	sees_shifted_owners(*state, st_overlay_mount_staged, false);
}

static void on_a_disk_image(void **state)
{
	sees_shifted_owners(*state, st_overlay_mount, true);
}

static void on_a_disk_image_by_names(void **state)
{
	sees_shifted_owners(*state, st_overlay_mount_staged, true);
}

static void layers_stack_and_readonly_holds(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};
	auto_fd int top = tmp_mkdir(t->dir, "top"), bottom = tmp_mkdir(t->dir, "bottom");
	auto_fd int root = -EBADF;

	tmp_write(top, "both", "top");
	tmp_write(bottom, "both", "bottom");
	tmp_write(bottom, "below", "bottom");
	root = st_overlay_mount((int[]){top, bottom}, 2, -1, -1, -1, true, &e);
	assert_good(root);
	tmp_is(root, "both", "top");
	tmp_is(root, "below", "bottom");
	assert_int_equal(openat(root, "x", O_WRONLY | O_CREAT, 0600), -1);
	assert_int_equal(errno, EROFS);
}

static void says_why_not(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};
	auto_fd int lower = tmp_mkdir(t->dir, "lower"), upper = tmp_mkdir(t->dir, "up");
	auto_fd int elsewhere = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (elsewhere < 0)
		skip();
	assert_int_equal(st_overlay_mount((int[]){lower}, 1, upper, elsewhere, -1, false, &e),
			 -EINVAL);
	assert_non_null(strstr(e.text, "overlay"));
	assert_non_null(strstr(e.hint, "on one mount"));
}

static void a_layer_is_made_once_and_removed(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};
	auto_fd int lower = tmp_mkdir(t->dir, "lower"), ct = tmp_mkdir(t->dir, "ct"),
		    upper = -EBADF;

	fchmod(lower, 0711);
	assert_good(st_layer_create(ct, BASE, lower, &upper, NULL, &e));
	assert_int_equal(tmp_stat(ct, "upper").st_mode, S_IFDIR | 0711);
	assert_int_equal(tmp_stat(ct, "upper").st_uid, BASE);
	tmp_write(upper, "f", "kept");
	own_close_fd(&upper);
	assert_good(st_layer_create(ct, BASE, lower, &upper, NULL, &e));
	tmp_is(upper, "f", "kept");
	assert_good(st_layer_remove(ct, &e));
	assert_good(st_layer_remove(ct, &e));
	assert_int_equal(st_layer_open(ct, NULL, NULL, &e), -ENOENT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tmp_tree_setup, tmp_tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(by_descriptors),
		TEST(by_names_in_a_child),
		TEST(on_a_disk_image),
		TEST(on_a_disk_image_by_names),
		TEST(layers_stack_and_readonly_holds),
		TEST(says_why_not),
		TEST(a_layer_is_made_once_and_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
