// SPDX-License-Identifier: GPL-2.0-only
/* Masked and read-only paths. */
#include "ns/mask.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/err.h"
#include "base/own.h"
#include "base/path.h"
#include "ns/dev.h"
#include "ns/mount.h"

const char *const ns_mask_default[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kallsyms",
	"/proc/kcore",
	"/proc/keys",
	"/proc/kpagecgroup",
	"/proc/kpagecount",
	"/proc/kpageflags",
	"/proc/latency_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/slabinfo",
	"/proc/sysrq-trigger",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/proc/vmallocinfo",
	"/sys/dev/block",
	"/sys/devices/virtual/powercap",
	"/sys/firmware",
	"/sys/fs/selinux",
	"/sys/kernel/debug",
	"/sys/kernel/livepatch",
	"/sys/kernel/security",
	"/sys/kernel/tracing",
	"/sys/kernel/vmcoreinfo",
	"/sys/module",
	NULL,
};

const char *const ns_mask_readonly_default[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", NULL,
};

static int mask_one(int target, const char *path, int null_fd, int *empty, struct err *e)
{
	auto_fd int tree = -EBADF;
	struct stat st;

	if (fstat(target, &st) < 0)
		return err_sys(e, "stat %s", path);
	if (!S_ISDIR(st.st_mode)) {
		tree = ns_mount_clone(null_fd, "", AT_EMPTY_PATH, e);
	} else if (*empty >= 0) {
		tree = ns_mount_clone(*empty, "", AT_EMPTY_PATH, e);
	} else {
		/* One tmpfs for all directories; the superblock itself is read-only, so a remount
		 * of one mount frees nothing. */
		*empty = ns_mount_new("tmpfs", "tmpfs", "ro,nr_inodes=1,mode=755",
				      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					      MOUNT_ATTR_NOEXEC,
				      e);
		return *empty < 0 ? *empty : ns_mount_attach(*empty, target, path, e);
	}
	return tree < 0 ? tree : ns_mount_attach(tree, target, path, e);
}

/* Callers add their own to a default list that has it: one mask is enough. */
static bool is_there_before(const char *const paths[], size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!strcmp(paths[k], paths[i]))
			return true;
	return false;
}

/* A mount of that kind at the top of root: it can be moved away before this, and then the kind is another one, but not made again by anybody else. */
static int open_top(int root, const char *name, long magic, struct err *e)
{
	auto_fd int fd = openat(root, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return err_sys(e, "open /%s of the root file system", name);
	if (fs.f_type != magic)
		return err_set(e, ESTALE, "somebody moved /%s of the root file system away", name);
	return take_fd(&fd);
}

int ns_mask_open(int root, bool proc, bool sys, struct ns_mask_tops *tops, struct err *e)
{
	*tops = (struct ns_mask_tops){.root = root, .proc = -EBADF, .sys = -EBADF};
	if (proc)
		tops->proc = open_top(root, "proc", PROC_SUPER_MAGIC, e);
	if (sys && !e->no)
		tops->sys = open_top(root, "sys", SYSFS_MAGIC, e);
	return -e->no;
}

void ns_mask_close(struct ns_mask_tops *tops)
{
	own_close_fd(&tops->proc);
	own_close_fd(&tops->sys);
}

/* As path_try_open_in(). */
static int open_path(const struct ns_mask_tops *tops, const char *path, struct err *e)
{
	if (tops->proc >= 0 && !strncmp(path, "/proc/", 6))
		return path_try_open_in(tops->proc, path + 6, O_PATH, e);
	if (tops->sys >= 0 && !strncmp(path, "/sys/", 5))
		return path_try_open_in(tops->sys, path + 5, O_PATH, e);
	return path_try_open_in(tops->root, path, O_PATH, e);
}

int ns_mask_paths(const struct ns_mask_tops *tops, const char *const paths[], size_t n,
		  struct err *e)
{
	auto_fd int null_fd = n ? ns_dev_null_open(e) : -EBADF;
	auto_fd int empty = -EBADF;

	if (n && null_fd < 0)
		return null_fd;
	for (size_t i = 0; i < n; i++) {
		auto_fd int target = -EBADF;
		int r;

		if (is_there_before(paths, i))
			continue;
		target = open_path(tops, paths[i], e);
		if (target == -ENOENT)
			continue;
		r = target < 0 ? target : mask_one(target, paths[i], null_fd, &empty, e);
		if (r < 0)
			return err_wrap(e, "mask %s", paths[i]);
	}
	return 0;
}

int ns_mask_readonly(const struct ns_mask_tops *tops, const char *const paths[], size_t n,
		     struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		auto_fd int target = open_path(tops, paths[i], e);
		auto_fd int tree = -EBADF;
		int r;

		if (target == -ENOENT)
			continue;
		tree = target < 0 ? target
				  : ns_mount_clone(target, "", AT_EMPTY_PATH | AT_RECURSIVE, e);
		r = tree < 0 ? tree : ns_mount_setattr(tree, MOUNT_ATTR_RDONLY, 0, true, e);
		if (r >= 0)
			r = ns_mount_attach(tree, target, paths[i], e);
		if (r < 0)
			return err_wrap(e, "make %s read-only", paths[i]);
	}
	return 0;
}
