// SPDX-License-Identifier: GPL-2.0-only
/* The way into a root file system, for real: both with and without a user namespace, and with
 * hostile images. */
#include "tests/unit/ns/lab.h"

#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "ns/console.h"
#include "ns/dev.h"
#include "ns/mask.h"
#include "ns/mount.h"
#include "ns/rootfs.h"
#include "ns/sysctl.h"
#include "ns/uts.h"

#define SPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

static bool userns;
static int tree_fd = -EBADF;

static int mount_words(int root, const char *type, const char *target, const char *options,
		       const char *source, struct err *e)
{
	struct ns_mount m;
	int r;

	ns_mount_init(&m);
	r = ns_mount_set(&m, source, target, type, options, e);
	if (r >= 0)
		r = ns_mount_one(root, &m, e);
	ns_mount_done(&m);
	return r;
}

static int enter(struct lab *lab, struct err *e)
{
	(void)lab;
	if (ns_rootfs_isolate(0, e) < 0)
		return -e->no;
	return ns_rootfs_attach(tree_fd, NULL, e);
}

static int standard_mounts(struct err *e)
{
	static const struct {
		const char *type, *target, *options;
	} list[] = {
		{"proc", "/proc", "nosuid,noexec,nodev"},
		{"tmpfs", "/dev", "nosuid,strictatime,mode=755,size=65536k"},
		{"devpts", "/dev/pts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"},
		{"tmpfs", "/dev/shm", "nosuid,noexec,nodev,mode=1777,size=65536k"},
		{"mqueue", "/dev/mqueue", "nosuid,noexec,nodev"},
		{"sysfs", "/sys", "nosuid,noexec,nodev,ro"},
		{"cgroup", "/sys/fs/cgroup", "nosuid,noexec,nodev,relatime,ro"},
	};

	if (unshare(CLONE_NEWCGROUP) < 0)
		return err_sys(e, "unshare cgroup");
	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		int r = mount_words(tree_fd, list[i].type, list[i].target, list[i].options,
				    list[i].type, e);

		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_device(const char *path, unsigned maj, unsigned min)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(maj, min);
}

static int count_mounts(void)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	int n = 0, c;

	while (f && (c = getc(f)) != EOF)
		n += c == '\n';
	if (f)
		fclose(f);
	return n;
}

static bool empty_dir(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return d && n == 2;
}

static bool can_write(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* The whole way, as runtime/start_init.c goes it. */
static int whole_way(struct lab *lab, struct err *e)
{
	static const char *const masked[] = {"/proc/meminfo", "/proc/keys", "/sys/firmware",
					     "/proc/acpi",    "/nowhere",   "/sys/module"};
	static const char *const readonly[] = {"/proc/sys", "/proc/bus", "/nowhere"};
	auto_fd int master = -EBADF;
	auto_fd int slave = -EBADF;
	auto_fd int procfs = -EBADF;
	struct ns_mask_tops tops = {.proc = -EBADF, .sys = -EBADF};
	struct statfs fs;
	char buf[64];
	int r = enter(lab, e);

	if (r >= 0)
		r = standard_mounts(e);
	if (r >= 0)
		r = mount_words(tree_fd, NULL, "/etc/bound", "bind,ro", "/etc/hostname", e);
	if (r >= 0)
		r = ns_dev_default(tree_fd, userns, e);
	if (r >= 0)
		r = ns_console_new(tree_fd, &master, &slave, e);
	if (r >= 0)
		r = ns_console_bind(tree_fd, slave, e);
	if (r >= 0)
		r = ns_mask_open(tree_fd, true, true, &tops, e);
	if (r >= 0)
		r = ns_mask_paths(&tops, masked, ARRAY_SIZE(masked), e);
	if (r >= 0)
		r = ns_mask_readonly(&tops, readonly, ARRAY_SIZE(readonly), e);
	ns_mask_close(&tops);
	if (r >= 0)
		r = ns_uts_set("inside", NULL, e);
	if (r >= 0)
		r = procfs = ns_sysctl_procfs(e);
	if (r >= 0)
		r = ns_sysctl_write(procfs, "net.ipv4.ip_forward", "1", e);
	if (r >= 0)
		r = ns_rootfs_pivot(tree_fd, 0, e);
	if (r >= 0)
		r = ns_rootfs_readonly(tree_fd, e);
	if (r < 0)
		return r;
	LAB_CHECK(lab, is_device("/dev/null", 1, 3) && is_device("/dev/tty", 5, 0));
	LAB_CHECK(lab, is_device("/dev/urandom", 1, 9) && is_device("/dev/full", 1, 7));
	LAB_CHECK(lab, can_write("/dev/null"));
	LAB_CHECK(lab, readlink("/dev/stdin", buf, sizeof(buf)) > 0);
	LAB_CHECK(lab, access("/dev/ptmx", R_OK | W_OK) == 0);
	LAB_CHECK(lab, isatty(slave) && access("/dev/console", F_OK) == 0);
	LAB_CHECK(lab, is_device("/dev/console", 136, 0));
	LAB_CHECK(lab, access(lab->dir, F_OK) < 0 && errno == ENOENT);
	LAB_CHECK(lab, access("/etc/bound", R_OK) == 0 && !can_write("/etc/bound"));
	LAB_CHECK(lab, is_device("/proc/meminfo", 1, 3));
	LAB_CHECK(lab, access("/sys/firmware", F_OK) < 0 || empty_dir("/sys/firmware"));
	LAB_CHECK(lab, empty_dir("/sys/module"));
	LAB_CHECK(lab, mkdir("/sys/module/x", 0755) < 0);
	LAB_CHECK(lab, !can_write("/proc/sys/net/ipv4/ip_forward"));
	LAB_CHECK(lab, mkdir("/x", 0755) < 0 && errno == EROFS);
	LAB_CHECK(lab, statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC);
	LAB_CHECK(lab, count_mounts() < 40);
	LAB_CHECK(lab, getpid() == 1);
	LAB_CHECK(lab, ns_rootfs_chdir("/data", false, e) >= 0);
	return 0;
}

static void test_whole_way(void **state)
{
	struct lab lab;
	struct err e = {0};

	(void)state;
	for (int pass = 0; pass < 2; pass++) {
		userns = pass == 1;
		lab_make(&lab);
		if (userns)
			assert_int_equal(chown(lab.root, LAB_BASE, LAB_BASE), 0);
		if (userns) {
			static const char *const dirs[] = {"etc", "proc", "sys", "dev"};
			char path[128];

			for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
				snprintf(path, sizeof(path), "%s/%s", lab.root, dirs[i]);
				assert_int_equal(chown(path, LAB_BASE, LAB_BASE), 0);
			}
		}
		tree_fd = ns_rootfs_open(lab.root, -1, 0, &e);
		assert_true(tree_fd >= 0);
		assert_int_equal(lab_run(&lab, SPACES | (userns ? CLONE_NEWUSER : 0), whole_way),
				 0);
		own_close_fd(&tree_fd);
		lab_drop(&lab);
	}
}

/* An id-mapped root: on disk 0, inside 0, on the host a shifted id. */
static int idmapped_root(struct lab *lab, struct err *e)
{
	struct stat st;
	int r = enter(lab, e);

	if (r >= 0)
		r = mount_words(tree_fd, "proc", "/proc", "", "proc", e);
	if (r >= 0)
		r = ns_rootfs_pivot(tree_fd, 0, e);
	if (r < 0)
		return r;
	LAB_CHECK(lab, stat("/etc", &st) == 0 && st.st_uid == 0);
	LAB_CHECK(lab, mkdir("/etc/made", 0700) == 0);
	return 0;
}

static void test_idmapped_root(void **state)
{
	const struct ns_idmap map = {0, LAB_BASE, 65536};
	struct lab lab;
	struct err e = {0};
	struct stat st;
	char path[128];
	int userns_fd = ns_idmap_userns(&map, 1, &map, 1, &e);

	(void)state;
	assert_true(userns_fd >= 0);
	lab_make(&lab);
	tree_fd = ns_rootfs_open(lab.root, userns_fd, 0, &e);
	if (tree_fd < 0)
		fail_msg("%s", e.text);
	assert_int_equal(lab_run(&lab, SPACES | CLONE_NEWUSER, idmapped_root), 0);
	snprintf(path, sizeof(path), "%s/etc/made", lab.root);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0);
	own_close_fd(&tree_fd);
	own_close_fd(&userns_fd);
	lab_drop(&lab);
}

/* One attempt of a hostile image: what is asked, and the function that does it. */
static int dev_mount_only(struct lab *lab, struct err *e)
{
	int r = enter(lab, e);

	if (r >= 0)
		r = ns_dev_mount(tree_fd, NULL, e);
	return r < 0 ? r : ns_dev_default(tree_fd, false, e);
}

static int dev_without_tmpfs(struct lab *lab, struct err *e)
{
	int r = enter(lab, e);

	return r < 0 ? r : ns_dev_default(tree_fd, false, e);
}

/* dev is a link to the host's directory "outside", where a tmpfs is, as on /dev/shm: it is as fresh as ours. */
static int dev_link_to_tmpfs(struct lab *lab, struct err *e)
{
	char path[160];
	int r = enter(lab, e);

	snprintf(path, sizeof(path), "%s/outside", lab->dir);
	LAB_CHECK(lab, r >= 0 && mount("outside", path, "tmpfs", 0, NULL) == 0);
	r = ns_dev_default(tree_fd, false, e);
	LAB_CHECK(lab, empty_dir(path));
	return r;
}

static int proc_mount_only(struct lab *lab, struct err *e)
{
	int r = enter(lab, e);

	return r < 0 ? r : mount_words(tree_fd, "proc", "/proc", "", "proc", e);
}

/* data/deep is a link to the host's directory "outside"; the mount must land inside the root. */
static int mount_through_link(struct lab *lab, struct err *e)
{
	char path[160];
	struct stat st;
	int r = enter(lab, e);

	if (r >= 0)
		r = mount_words(tree_fd, "tmpfs", "/data/deep/made", "mode=711", "tmpfs", e);
	snprintf(path, sizeof(path), "%s/outside/made", lab->dir);
	LAB_CHECK(lab, stat(path, &st) < 0 && errno == ENOENT);
	return r;
}

static int console_on_link(struct lab *lab, struct err *e)
{
	auto_fd int master = -EBADF;
	auto_fd int slave = -EBADF;
	int r = enter(lab, e);

	if (r >= 0)
		r = ns_dev_mount(tree_fd, NULL, e);
	if (r >= 0)
		r = ns_dev_mount_pts(tree_fd, true, NULL, e);
	if (r >= 0)
		r = ns_console_new(tree_fd, &master, &slave, e);
	if (r < 0)
		return r;
	/* Someone was faster and put a link there. */
	LAB_CHECK(lab, symlinkat("/tmp/skep-ns-test-console", tree_fd, "dev/console") == 0);
	r = ns_console_bind(tree_fd, slave, e);
	LAB_CHECK(lab, access("/tmp/skep-ns-test-console", F_OK) < 0);
	return r;
}

static int ptmx_is_a_file(struct lab *lab, struct err *e)
{
	auto_fd int master = -EBADF;
	auto_fd int slave = -EBADF;
	int r = enter(lab, e);

	return r < 0 ? r : ns_console_new(tree_fd, &master, &slave, e);
}

static int mount_on_root(struct lab *lab, struct err *e)
{
	int r = enter(lab, e);

	return r < 0 ? r : mount_words(tree_fd, "tmpfs", "/data/..", "", "tmpfs", e);
}

static int bad_data(struct lab *lab, struct err *e)
{
	int r = enter(lab, e);

	return r < 0 ? r : mount_words(tree_fd, "tmpfs", "/data", "nonsense=1", "tmpfs", e);
}

static int copy_up(struct lab *lab, struct err *e)
{
	int r = enter(lab, e);

	if (r >= 0)
		r = mount_words(tree_fd, "tmpfs", "/data", "tmpcopyup,mode=755", "tmpfs", e);
	if (r >= 0)
		r = ns_rootfs_pivot(tree_fd, 0, e);
	if (r < 0)
		return r;
	LAB_CHECK(lab, access("/data/sub/file", R_OK) == 0);
	LAB_CHECK(lab, unlink("/data/sub/file") == 0);
	return 0;
}

static int attempt(struct lab *lab, lab_fn fn)
{
	struct err e = {0};
	int r;

	tree_fd = ns_rootfs_open(lab->root, -1, 0, &e);
	assert_true(tree_fd >= 0);
	r = lab_run(lab, SPACES, fn);
	own_close_fd(&tree_fd);
	return r;
}

static void test_hostile_image(void **state)
{
	struct lab lab;
	char outside[96];

	(void)state;
	lab_make(&lab);
	snprintf(outside, sizeof(outside), "%s/outside", lab.dir);
	assert_int_equal(mkdir(outside, 0755), 0);

	assert_int_equal(attempt(&lab, dev_without_tmpfs), -EINVAL);
	lab_link(&lab, "dev", outside);
	assert_int_equal(attempt(&lab, dev_mount_only), -ENOTDIR);
	assert_int_equal(attempt(&lab, dev_link_to_tmpfs), -ENOTDIR);
	assert_true(empty_dir(outside));
	lab_link(&lab, "proc", "usr");
	assert_int_equal(attempt(&lab, proc_mount_only), -ENOTDIR);
	lab_link(&lab, "data/deep", outside);
	/* Inside the root there is no such directory: it is made there. */
	assert_int_equal(attempt(&lab, mount_through_link), 0);
	assert_true(empty_dir(outside));
	lab_link(&lab, "data/deep", "../../../usr");
	assert_int_equal(attempt(&lab, mount_through_link), 0);
	assert_int_equal(attempt(&lab, mount_on_root), -EINVAL);
	assert_int_equal(attempt(&lab, bad_data), -EINVAL);
	assert_non_null(strstr(lab.shared->err.text, "nonsense"));
	lab_drop(&lab);
}

static void test_hostile_console(void **state)
{
	struct lab lab;

	(void)state;
	lab_make(&lab);
	assert_true(attempt(&lab, console_on_link) < 0);
	lab_link(&lab, "dev/pts", "../etc");
	lab_file(&lab, "etc/ptmx", "");
	assert_int_equal(attempt(&lab, ptmx_is_a_file), -ENODEV);
	lab_drop(&lab);
}

static void test_tmpcopyup(void **state)
{
	struct lab lab;
	char path[160];

	(void)state;
	lab_make(&lab);
	snprintf(path, sizeof(path), "%s/data/sub", lab.root);
	assert_int_equal(mkdir(path, 0755), 0);
	lab_file(&lab, "data/sub/file", "x");
	assert_int_equal(attempt(&lab, copy_up), 0);
	snprintf(path, sizeof(path), "%s/data/sub/file", lab.root);
	assert_int_equal(access(path, F_OK), 0);
	lab_drop(&lab);
}

/* A working directory that is a descriptor of a host directory (CVE-2024-21626). */
static int cwd_outside(struct lab *lab, struct err *e)
{
	auto_fd int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[64];
	int r = enter(lab, e);

	if (r >= 0)
		r = mount_words(tree_fd, "proc", "/proc", "", "proc", e);
	if (r >= 0)
		r = ns_rootfs_pivot(tree_fd, 0, e);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", host);
	return ns_rootfs_chdir(path, false, e);
}

static void test_cwd_outside(void **state)
{
	struct lab lab;

	(void)state;
	lab_make(&lab);
	assert_true(attempt(&lab, cwd_outside) < 0);
	assert_non_null(strstr(lab.shared->err.text, "working directory"));
	lab_drop(&lab);
}

/* Whether what is mounted below the host's directory once the tree is attached is in the tree as well. (While it is detached nothing arrives: propagate_one(), fs/pnode.c.) */
static int arrives(struct lab *lab, unsigned long propagation, bool *so, struct err *e)
{
	auto_fd int tree = ns_rootfs_open(lab->root, -EBADF, propagation, e);
	struct stat top, late;
	char path[128], other[128];

	snprintf(other, sizeof(other), "%s/other", lab->dir);
	LAB_CHECK(lab, mkdir(other, 0755) == 0 || errno == EEXIST);
	LAB_CHECK(lab, tree >= 0 && ns_rootfs_attach(tree, other, e) == 0);
	snprintf(path, sizeof(path), "%s/late", lab->root);
	LAB_CHECK(lab, mount("late", path, "tmpfs", 0, NULL) == 0);
	LAB_CHECK(lab, fstat(tree, &top) == 0 && fstatat(tree, "late", &late, 0) == 0);
	LAB_CHECK(lab, umount(path) == 0 && umount2(other, MNT_DETACH) == 0);
	*so = top.st_dev != late.st_dev;
	return 0;
}

static int host_mounts_later(struct lab *lab, struct err *e)
{
	bool so = true;
	int r = ns_rootfs_isolate(0, e);

	LAB_CHECK(lab, r >= 0 && mount("host", lab->root, "tmpfs", 0, NULL) == 0);
	LAB_CHECK(lab, mount(NULL, lab->root, NULL, MS_SHARED, NULL) == 0);
	tree_fd = open(lab->root, O_PATH | O_CLOEXEC);
	LAB_CHECK(lab, mkdirat(tree_fd, "late", 0755) == 0);
	LAB_CHECK(lab, arrives(lab, 0, &so, e) == 0 && !so);
	LAB_CHECK(lab, arrives(lab, MS_SHARED | MS_REC, &so, e) == 0 && !so);
	LAB_CHECK(lab, arrives(lab, MS_SLAVE, &so, e) == 0 && so);
	return 0;
}

static void test_propagation(void **state)
{
	struct lab lab;

	(void)state;
	lab_make(&lab);
	assert_int_equal(lab_run(&lab, SPACES, host_mounts_later), 0);
	lab_drop(&lab);
}

/* As on a kernel before 6.8, or under a filter that does not know the call. */
static int refuse_statmount(int no)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_statmount, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)no),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {.len = ARRAY_SIZE(code), .filter = code};

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

/* no: what statmount(2) fails with; 0: it does not. */
static int covered(struct lab *lab, int no, struct err *e)
{
	auto_fd int top = -EBADF;
	struct ns_rootfs_id id;
	char path[128];

	LAB_CHECK(lab,
		  ns_rootfs_isolate(0, e) >= 0 && mount("host", lab->root, "tmpfs", 0, NULL) == 0);
	snprintf(path, sizeof(path), "%s/a b\\c", lab->root);
	LAB_CHECK(lab, mkdir(path, 0755) == 0 && mount("ours", path, "tmpfs", 0, NULL) == 0);
	top = open(path, O_PATH | O_CLOEXEC);
	LAB_CHECK(lab, top >= 0 && ns_rootfs_id(top, &id, e) == 0);
	own_close_fd(&top);
	LAB_CHECK(lab, mount("theirs", path, "tmpfs", 0, NULL) == 0);
	LAB_CHECK(lab, !no || refuse_statmount(no) == 0);
	LAB_CHECK(lab, ns_rootfs_detach(path, &id, e) == -EBUSY);
	err_clear(e);
	LAB_CHECK(lab, umount(path) == 0);
	/* Over a directory above. */
	LAB_CHECK(lab, mount("theirs", lab->root, "tmpfs", 0, NULL) == 0);
	LAB_CHECK(lab, ns_rootfs_detach(path, &id, e) == -EBUSY);
	err_clear(e);
	LAB_CHECK(lab, umount(lab->root) == 0);
	LAB_CHECK(lab, ns_rootfs_detach(path, &id, e) == 0);
	LAB_CHECK(lab, umount(path) == -1);
	LAB_CHECK(lab, ns_rootfs_detach(path, &id, e) == 0);
	return 0;
}

static int covered_root(struct lab *lab, struct err *e)
{
	return covered(lab, 0, e);
}

static int covered_root_of_old(struct lab *lab, struct err *e)
{
	return covered(lab, ENOSYS, e);
}

static int covered_root_filtered(struct lab *lab, struct err *e)
{
	return covered(lab, EPERM, e);
}

static void test_covered(void **state)
{
	struct lab lab;

	(void)state;
	lab_make(&lab);
	assert_int_equal(lab_run(&lab, CLONE_NEWNS, covered_root), 0);
	assert_int_equal(lab_run(&lab, CLONE_NEWNS, covered_root_of_old), 0);
	assert_int_equal(lab_run(&lab, CLONE_NEWNS, covered_root_filtered), 0);
	lab_drop(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_way),     cmocka_unit_test(test_idmapped_root),
		cmocka_unit_test(test_hostile_image), cmocka_unit_test(test_hostile_console),
		cmocka_unit_test(test_tmpcopyup),     cmocka_unit_test(test_cwd_outside),
		cmocka_unit_test(test_propagation),   cmocka_unit_test(test_covered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
