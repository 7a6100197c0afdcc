// SPDX-License-Identifier: GPL-2.0-only
/* The writable layer's directory, and the loop device that a running container's image is on. */
#include "checkpoint/upper.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "base/own.h"
#include "storage/disk.h"

#define DISK_IMAGE "disk.img"

void cr_upper_close(struct cr_upper *u)
{
	own_close_fd(&u->dir);
	own_close_fd(&u->mount);
}

static bool backs(const char *node, const struct stat *image)
{
	auto_fd int loop = open(node, O_RDONLY | O_CLOEXEC);
	struct loop_info64 info;

	return loop >= 0 && ioctl(loop, LOOP_GET_STATUS64, &info) == 0 &&
	       info.lo_inode == image->st_ino && info.lo_device == image->st_dev;
}

/* The loop devices that are in use have a directory loop/ in sysfs. */
static int find_loop(const struct stat *image, char node[32], struct err *e)
{
	auto_dir DIR *d = opendir("/sys/block");
	struct dirent *entry;

	while (d && (entry = readdir(d)) != NULL) {
		if (strncmp(entry->d_name, "loop", 4) != 0 || strlen(entry->d_name) > 16)
			continue;
		snprintf(node, 32, "/dev/%.16s", entry->d_name);
		if (backs(node, image))
			return 0;
	}
	return err_set(e, ENODEV, "find the loop device of " DISK_IMAGE);
}

static int mount_again(int dir, struct err *e)
{
	auto_fd int fs = fsopen("ext4", FSOPEN_CLOEXEC);
	struct stat st;
	char node[32];
	int mnt;

	if (fs < 0 || fstatat(dir, DISK_IMAGE, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "look at " DISK_IMAGE);
	if (find_loop(&st, node, e) < 0)
		return -e->no;
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", node, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(e, "mount %s a second time", node);
	mnt = fsmount(fs, FSMOUNT_CLOEXEC,
		      MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_RDONLY);
	return mnt >= 0 ? mnt : err_sys(e, "mount %s a second time", node);
}

int cr_upper_open(const struct ct_system *s, bool running, struct cr_upper *u, struct err *e)
{
	int base = s->dir;

	*u = (struct cr_upper)CR_UPPER_INIT;
	if (s->d.disk_bytes) {
		u->mount = running ? mount_again(s->dir, e)
				   : st_disk_mount(s->dir, DISK_IMAGE, false, e);
		base = u->mount;
	}
	if (base < 0)
		return base;
	u->dir = openat(base, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (u->dir >= 0)
		return 0;
	err_sys(e, "open the container's own layer");
	cr_upper_close(u);
	return -e->no;
}
