// SPDX-License-Identifier: GPL-2.0-only
/* Disk images: full inside only, grown, trimmed, and no loop device left. */
#include "tests/unit/storage/tmp_tree.h"

#include <dirent.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>

#include "storage/disk.h"

/* Whether any loop device still has a file of this directory: the kernel frees one soon after its last mount. */
static int loops_on(const char *path)
{
	auto_dir DIR *d = opendir("/sys/block");
	struct dirent *de;
	int n = 0;

	while (d && (de = readdir(d))) {
		char file[320], text[512] = "";
		auto_fd int fd = -EBADF;

		snprintf(file, sizeof(file), "/sys/block/%s/loop/backing_file", de->d_name);
		fd = open(file, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && strstr(text, path))
			n++;
	}
	return n;
}

static int loops_gone(const char *path)
{
	for (int i = 0; i < 3000; i++) {
		struct timespec t = {.tv_nsec = 10000000};

		if (!loops_on(path))
			return 1;
		nanosleep(&t, NULL);
	}
	return 0;
}

static size_t fill_up(int dir, const char *name)
{
	char block[65536];
	size_t done = 0;
	ssize_t n;
	auto_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	memset(block, 'x', sizeof(block));
	assert_true(fd >= 0);
	while ((n = write(fd, block, sizeof(block))) > 0)
		done += (size_t)n;
	assert_int_equal(errno, ENOSPC);
	return done;
}

static void is_full_inside_only(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};
	struct st_disk_usage u;
	uint64_t freed = 0;
	auto_fd int mnt = -EBADF, root = -EBADF;

	assert_good(st_disk_create(t->dir, "disk.img", 24 << 20, &e));
	assert_good(st_disk_usage(t->dir, "disk.img", -1, &u, &e));
	assert_true(u.host_bytes < 4 << 20);
	mnt = st_disk_mount(t->dir, "disk.img", false, &e);
	assert_good(mnt);
	root = openat(mnt, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fill_up(root, "big") > 8 << 20);
	tmp_write(t->dir, "beside", "the host has room");
	assert_good(st_disk_usage(t->dir, "disk.img", mnt, &u, &e));
	assert_true(u.free_bytes < 65536);
	assert_true(u.size_bytes <= 24 << 20);
	assert_int_equal(unlinkat(root, "big", 0), 0);
	assert_good(st_disk_trim(mnt, &freed, &e));
	assert_true(freed > 8 << 20);
	assert_good(st_disk_usage(t->dir, "disk.img", mnt, &u, &e));
	assert_true(u.host_bytes < 8 << 20);
	own_close_fd(&root);
	own_close_fd(&mnt);
	assert_true(loops_gone(t->path));
}

/* As udev does with each new loop device: it has it open for a moment longer than it is mounted. */
static void is_waited_for(void **state)
{
	struct tmp_tree *t = *state;
	struct timespec moment = {.tv_nsec = 300000000};
	struct err e = {0};
	auto_fd int mnt = -EBADF;
	struct stat st;
	char node[32], c = 0;
	int ready[2];
	pid_t udev;

	assert_good(st_disk_create(t->dir, "disk.img", 8 << 20, &e));
	mnt = st_disk_mount(t->dir, "disk.img", false, &e);
	assert_good(mnt);
	assert_int_equal(fstat(mnt, &st), 0);
	snprintf(node, sizeof(node), "/dev/loop%u", minor(st.st_dev));
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	udev = fork();
	if (udev == 0) {
		int loop = open(node, O_RDONLY | O_CLOEXEC);

		close(mnt);
		if (loop < 0 || write(ready[1], &c, 1) != 1)
			_exit(1);
		nanosleep(&moment, NULL);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	own_close_fd(&mnt);
	mnt = st_disk_mount(t->dir, "disk.img", false, &e);
	assert_good(mnt);
	own_close_fd(&mnt);
	assert_int_equal(waitpid(udev, NULL, 0), udev);
	close(ready[0]);
	close(ready[1]);
	assert_true(loops_gone(t->path));
}

static void is_mounted_once(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};
	auto_fd int mnt = -EBADF;

	assert_good(st_disk_create(t->dir, "disk.img", 8 << 20, &e));
	assert_int_equal(st_disk_create(t->dir, "disk.img", 8 << 20, &e), -EEXIST);
	err_clear(&e);
	mnt = st_disk_mount(t->dir, "disk.img", false, &e);
	assert_good(mnt);
	assert_int_equal(st_disk_mount(t->dir, "disk.img", false, &e), -EBUSY);
	assert_int_equal(e.class, ERR_RUNNING);
	err_clear(&e);
	assert_int_equal(st_disk_grow(t->dir, "disk.img", -1, 16 << 20, &e), -EBUSY);
	own_close_fd(&mnt);
	assert_true(loops_gone(t->path));
	err_clear(&e);
	mnt = st_disk_mount(t->dir, "disk.img", true, &e);
	assert_good(mnt);
	own_close_fd(&mnt);
	assert_true(loops_gone(t->path));
	assert_good(st_disk_remove(t->dir, "disk.img", &e));
	assert_good(st_disk_remove(t->dir, "disk.img", &e));
}

static void grows_and_keeps_its_content(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};
	struct st_disk_usage before, after;
	auto_fd int mnt = -EBADF;
	int r;

	assert_good(st_disk_create(t->dir, "disk.img", 16 << 20, &e));
	mnt = st_disk_mount(t->dir, "disk.img", false, &e);
	assert_good(mnt);
	tmp_write(mnt, "f", "kept");
	assert_good(st_disk_usage(t->dir, "disk.img", mnt, &before, &e));
	assert_int_equal(st_disk_grow(t->dir, "disk.img", mnt, 8 << 20, &e), -EINVAL);
	assert_int_equal(e.class, ERR_VALUE);
	err_clear(&e);
	r = st_disk_grow(t->dir, "disk.img", mnt, 32 << 20, &e);
	/* Where root lacks CAP_SYS_RESOURCE the refusal names it, and the offline way is left. */
	if (r < 0) {
		assert_int_equal(r, -EPERM);
		assert_non_null(strstr(e.hint, "CAP_SYS_RESOURCE"));
		err_clear(&e);
		assert_int_equal(tmp_stat(t->dir, "disk.img").st_size, 16 << 20);
		own_close_fd(&mnt);
		assert_true(loops_gone(t->path));
		assert_good(st_disk_grow(t->dir, "disk.img", -1, 32 << 20, &e));
		mnt = st_disk_mount(t->dir, "disk.img", false, &e);
		assert_good(mnt);
	}
	tmp_is(mnt, "f", "kept");
	assert_good(st_disk_usage(t->dir, "disk.img", mnt, &after, &e));
	assert_true(after.size_bytes > before.size_bytes + (12 << 20));
	own_close_fd(&mnt);
	assert_true(loops_gone(t->path));
}

static void a_size_too_small_leaves_nothing(void **state)
{
	struct tmp_tree *t = *state;
	struct err e = {0};

	assert_int_equal(st_disk_create(t->dir, "disk.img", 4096, &e), -EINVAL);
	assert_true(tmp_missing(t->dir, "disk.img"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tmp_tree_setup, tmp_tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_full_inside_only),
		TEST(is_waited_for),
		TEST(is_mounted_once),
		TEST(grows_and_keeps_its_content),
		TEST(a_size_too_small_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
