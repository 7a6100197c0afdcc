// SPDX-License-Identifier: GPL-2.0-only
/* ext4 images on loop devices. */
#include "storage/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base/err.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"

/* ext4's own header is not exported (fs/ext4/ext4.h). */
#define EXT4_IOC_RESIZE_FS _IOW('f', 16, uint64_t)

/* A free loop device that somebody else takes before us is asked for again this often. */
#define LOOP_TRIES 64
#define LET_GO_MS  5000 /* udev takes milliseconds; seconds on a machine that has much to do */

/* Programs that we run take a path; the directory is ours and trusted. */
static int image_path(int dir, const char *name, char *path, size_t size, struct err *e)
{
	char proc[40], real[4096];
	ssize_t n;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", dir);
	n = readlink(proc, real, sizeof(real) - 1);
	if (n < 0)
		return err_sys(e, "find the directory of %s", name);
	real[n] = 0;
	if ((size_t)snprintf(path, size, "%s/%s", real, name) >= size)
		return err_set(e, ENAMETOOLONG, "path too long: %s/%s", real, name);
	return 0;
}

static int run_e2fs(const char *const argv[], struct err *e)
{
	int r = proc_run_ok(argv, e);

	if (r != -ENOENT)
		return r;
	err_clear(e);
	err_set(e, ENOENT, "this host has no %s", argv[0]);
	err_hint(e, "install the package e2fsprogs");
	return err_class(e, ERR_UNSUPPORTED);
}

int st_disk_create(int dir, const char *name, uint64_t size_bytes, struct err *e)
{
	char path[4200];
	const char *const argv[] = {
		"mke2fs", "-q",	  "-F",
		"-t",	  "ext4", "-m",
		"0",	  "-E",	  "nodiscard,lazy_itable_init=1,lazy_journal_init=1",
		path,	  NULL};
	auto_fd int fd = -EBADF;
	int r;

	if (size_bytes < ST_DISK_LEAST_BYTES || size_bytes > INT64_MAX) {
		err_set(e, EINVAL, "a disk has at least %llu bytes", ST_DISK_LEAST_BYTES);
		return err_class(e, ERR_VALUE);
	}
	r = image_path(dir, name, path, sizeof(path), e);
	if (r < 0)
		return r;
	fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "create disk image %s", name);
	r = ftruncate(fd, (off_t)(size_bytes & ~4095ULL)) < 0
		    ? err_sys(e, "size disk image %s", name)
		    : run_e2fs(argv, e);
	if (r >= 0 && fsync(fd) < 0)
		r = err_sys(e, "flush disk image %s", name);
	if (r < 0)
		unlinkat(dir, name, 0);
	return r < 0 ? r : 0;
}

static int open_loop(int image, bool readonly, char *node, size_t size, struct err *e)
{
	auto_fd int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (control < 0) {
		err_sys(e, "open /dev/loop-control");
		return err_class(e, ERR_UNSUPPORTED);
	}
	for (int tries = 0; tries < LOOP_TRIES; tries++) {
		/*
		 * Direct: nothing is cached twice, and what the container reads and writes is counted and held (io.max) as its own; written back from the cache it
		 * would be nobody's (drivers/block/loop.c, cmd->blkcg_css). Where the file system cannot, the kernel goes on without.
		 */
		struct loop_config c = {
			.fd = (unsigned)image,
			.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO |
					 (readonly ? LO_FLAGS_READ_ONLY : 0),
		};
		int n = ioctl(control, LOOP_CTL_GET_FREE);
		auto_fd int loop = -EBADF;

		if (n < 0)
			return err_sys(e, "find a free loop device");
		snprintf(node, size, "/dev/loop%d", n);
		loop = open(node, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
		if (loop < 0)
			return err_sys(e, "open %s", node);
		if (ioctl(loop, LOOP_CONFIGURE, &c) == 0)
			return take_fd(&loop);
		if (errno != EBUSY)
			return err_sys(e, "attach a disk image to %s", node);
	}
	return err_set(e, EBUSY, "no free loop device after %d tries", LOOP_TRIES);
}

static int mount_ext4(const char *node, bool readonly, struct err *e)
{
	auto_fd int fs = fsopen("ext4", FSOPEN_CLOEXEC);
	int mnt;

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "source", node, 0) < 0 ||
	    (readonly && fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0) ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(e, "mount the disk image on %s", node);
	mnt = fsmount(fs, FSMOUNT_CLOEXEC,
		      MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | (readonly ? MOUNT_ATTR_RDONLY : 0));
	return mnt >= 0 ? mnt : err_sys(e, "mount the disk image on %s", node);
}

/*
 * The lock lives as long as the loop device has the file open: the same image on two loop devices is two file systems that
 * destroy each other, and the kernel lets you. It sits on the open file description that the loop driver keeps, after the unmount until the last one who has the loop device open closes it
 * (lo_release() in drivers/block/loop.c): udev opens each new one to look what is on it.
 */
int st_disk_mount(int dir, const char *name, bool readonly, struct err *e)
{
	auto_fd int image =
		openat(dir, name, (readonly ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_CLOEXEC);
	auto_fd int loop = -EBADF;
	char node[32];
	int r;

	if (image < 0)
		return err_sys(e, "open disk image %s", name);
	r = lock_take_ofd(image, readonly, LET_GO_MS, e);
	if (r == -EWOULDBLOCK) {
		err_set(e, EBUSY, "disk image %s is mounted already", name);
		return err_class(e, ERR_RUNNING);
	}
	if (r < 0)
		return err_wrap(e, "disk image %s", name);
	loop = open_loop(image, readonly, node, sizeof(node), e);
	if (loop < 0)
		return loop;
	return mount_ext4(node, readonly, e);
}

static int grow_mounted(int mount, uint64_t size, struct err *e)
{
	auto_fd int dir = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int loop = -EBADF;
	struct stat st;
	struct statfs fs;
	uint64_t blocks;
	char node[32];

	if (dir < 0 || fstat(dir, &st) < 0 || fstatfs(dir, &fs) < 0)
		return err_sys(e, "look at the mounted disk");
	snprintf(node, sizeof(node), "/dev/loop%u", minor(st.st_dev));
	loop = open(node, O_RDWR | O_CLOEXEC);
	if (loop < 0 || ioctl(loop, LOOP_SET_CAPACITY) < 0)
		return err_sys(e, "grow %s", node);
	blocks = size / (uint64_t)fs.f_bsize;
	if (ioctl(dir, EXT4_IOC_RESIZE_FS, &blocks) == 0)
		return 0;
	err_sys(e, "grow the mounted disk");
	if (e->no == EPERM)
		err_hint(
			e,
			"growing it while it is mounted needs CAP_SYS_RESOURCE; stop the container first");
	return -e->no;
}

/* e2fsck: 0 clean, 1 repaired. resize2fs insists on a check that is newer than the last mount. */
static int grow_offline(const char *path, struct err *e)
{
	const char *const check[] = {"e2fsck", "-f", "-p", path, NULL};
	const char *const resize[] = {"resize2fs", path, NULL};
	char said[200] = "";
	struct proc_run run = {.argv = check, .said = said, .said_size = sizeof(said)};
	int r = proc_run(&run, e);

	if (r < 0)
		return r;
	if (r > 1)
		return err_set(e, EIO,
			       "e2fsck found errors on %s that it does not repair by itself: %s",
			       path, said);
	return run_e2fs(resize, e);
}

int st_disk_grow(int dir, const char *name, int mount, uint64_t size_bytes, struct err *e)
{
	auto_fd int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	struct flock lock = {.l_type = F_WRLCK};
	uint64_t size = size_bytes & ~4095ULL;
	char path[4200];
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open disk image %s", name);
	if (size < (uint64_t)st.st_size || size > INT64_MAX) {
		err_set(e, EINVAL, "a disk can only grow, and has %lld bytes already",
			(long long)st.st_size);
		return err_class(e, ERR_VALUE);
	}
	if (mount < 0 && fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		err_set(e, EBUSY, "disk image %s is mounted", name);
		return err_class(e, ERR_RUNNING);
	}
	r = image_path(dir, name, path, sizeof(path), e);
	if (r < 0)
		return r;
	if (ftruncate(fd, (off_t)size) < 0)
		return err_sys(e, "size disk image %s", name);
	r = mount >= 0 ? grow_mounted(mount, size, e) : grow_offline(path, e);
	/*
	 * EPERM comes before anything was done. After other failures the file system may have grown in part, and cutting the file
	 * would destroy it; a file longer than its file system is harmless, and the next grow takes it from there.
	 */
	if (r == -EPERM && mount >= 0 && ftruncate(fd, st.st_size) < 0)
		log_warn("disk image %s stays at %llu bytes", name, (unsigned long long)size);
	return r;
}

int st_disk_usage(int dir, const char *name, int mount, struct st_disk_usage *usage, struct err *e)
{
	struct stat st;
	struct statfs fs;

	*usage = (struct st_disk_usage){0};
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "look at disk image %s", name);
	usage->host_bytes = 512ULL * (uint64_t)st.st_blocks;
	if (mount < 0)
		return 0;
	if (fstatfs(mount, &fs) < 0)
		return err_sys(e, "look at the mounted disk %s", name);
	usage->size_bytes = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
	usage->free_bytes = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	usage->used_bytes = (uint64_t)(fs.f_blocks - fs.f_bfree) * (uint64_t)fs.f_bsize;
	usage->inodes = fs.f_files;
	usage->inodes_used = fs.f_files - fs.f_ffree;
	return 0;
}

int st_disk_trim(int mount, uint64_t *freed_bytes, struct err *e)
{
	auto_fd int dir = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct fstrim_range range = {.len = UINT64_MAX};

	if (dir < 0 || syncfs(dir) < 0 || ioctl(dir, FITRIM, &range) < 0)
		return err_sys(e, "trim the disk");
	if (freed_bytes)
		*freed_bytes = range.len;
	return 0;
}

int st_disk_remove(int dir, const char *name, struct err *e)
{
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return err_sys(e, "remove disk image %s", name);
	return 0;
}
