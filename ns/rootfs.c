// SPDX-License-Identifier: GPL-2.0-only
/* Attach, pivot, detach: by descriptors all the way. */
#include "ns/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/path.h"
#include "base/sys.h"
#include "ns/mount.h"
#include "ns/mountinfo.h"

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000U /* linux/stat.h of 6.8 */
#endif

static int set_propagation(int tree_fd, unsigned long how, struct err *e)
{
	struct mount_attr attr = {.propagation = how};

	if (mount_setattr(tree_fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return err_sys(e, "set the propagation of the root file system");
	return 0;
}

int ns_rootfs_open(const char *dir, int userns_fd, unsigned long propagation, struct err *e)
{
	auto_fd int fd = ns_mount_clone(AT_FDCWD, dir, AT_RECURSIVE, e);
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd};
	struct stat st;

	if (fd < 0)
		return fd;
	/* A copy of what is shared is one of its peers (mount_namespaces(7)): what is mounted in either of them is in both. Before anything is. */
	if (set_propagation(fd, propagation & MS_SLAVE ? MS_SLAVE : MS_PRIVATE, e) < 0)
		return -e->no;
	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat %s", dir);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "root file system %s is not a directory", dir);
	if (userns_fd >= 0 && mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
		err_sys(e, "map the ids of %s", dir);
		return err_hint(e, "its file system may not support id-mapped mounts");
	}
	return take_fd(&fd);
}

int ns_rootfs_isolate(unsigned long propagation, struct err *e)
{
	unsigned long how = MS_PRIVATE;

	/* With shared or slave, later host mounts are meant to arrive; none of ours may ever go
	 * out. */
	if (propagation & (MS_SHARED | MS_SLAVE))
		how = MS_SLAVE;
	if (mount(NULL, "/", NULL, how | MS_REC, NULL) < 0)
		return err_sys(e, "cut the mount namespace off from the host");
	return 0;
}

/*
 * The tree is put on top of our "/": every mount namespace has that place, whatever the host looks
 * like, and pivot_root(2) wants no more than a mount point that is not the present root. Path names
 * still start at the old root below it, so the host's /proc and /dev stay in reach until the pivot.
 */
int ns_rootfs_attach(int tree_fd, const char *at, struct err *e)
{
	auto_fd int top = open(at ? at : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (top < 0)
		return err_sys(e, "open %s", at ? at : "/");
	return ns_mount_attach(tree_fd, top, "the root file system", e);
}

int ns_rootfs_attach_among(int tree_fd, const char *at, struct err *e)
{
	int r = ns_rootfs_attach(tree_fd, at, e);

	/* What is attached to a shared mount is made shared, whatever it was (attach_recursive_mnt(), fs/namespace.c). */
	return r < 0 ? r : set_propagation(tree_fd, MS_PRIVATE, e);
}

int ns_rootfs_id(int tree_fd, struct ns_rootfs_id *id, struct err *e)
{
	struct statx unique, st;

	/* Whoever asks for both in one call is told the unique one. */
	if (statx(tree_fd, "", AT_EMPTY_PATH, STATX_MNT_ID | STATX_MNT_ID_UNIQUE, &unique) < 0 ||
	    statx(tree_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		return err_sys(e, "ask for the number of a mount");
	*id = (struct ns_rootfs_id){.unique = unique.stx_mnt_id, .id = st.stx_mnt_id};
	return 0;
}

/* A number of mountinfo is given again when its mount is gone: one at another place is another's. */
static int find_mount(const char *at, uint64_t id, struct err *e)
{
	auto_free char *text = NULL;
	struct ns_mountinfo m;
	char *rest;
	int r = file_read_at(AT_FDCWD, "/proc/self/mountinfo", NS_MOUNTINFO_MOST, &text, e);

	if (r < 0)
		return r;
	for (rest = text; (r = ns_mountinfo_next(&rest, &m));)
		if (r > 0 && m.id == id && !strcmp(ns_mountinfo_unescape(m.at), at))
			return 1;
	return 0;
}

/* Not on top at its place: gone, or something has been mounted over it since. */
static int detach_covered(const char *at, const struct ns_rootfs_id *id, struct err *e)
{
	int r = sys_statmount_look(id->unique) == 0 ? 1 : 0;

	/* The call is of 6.8, and filters that do not know it say ENOSYS or EPERM. */
	if (!r && errno != ENOENT)
		r = find_mount(at, id->id, e);
	if (r <= 0)
		return r;
	/* There is no way to unmount it from below what others have put there (umount(2) takes the topmost), and that is not ours to take away. */
	err_set(e, EBUSY,
		"the container's root file system is still mounted on %s, below another mount", at);
	return err_hint(
		e,
		"unmount what was mounted over it, or over a directory above, then delete again");
}

int ns_rootfs_detach(const char *at, const struct ns_rootfs_id *id, struct err *e)
{
	auto_fd int top = open(at, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct ns_rootfs_id there;
	int r;

	/* A directory above may be covered. */
	if (top < 0 && (errno == ENOENT || errno == ENOTDIR))
		return detach_covered(at, id, e);
	if (top < 0)
		return err_sys(e, "open %s", at);
	r = ns_rootfs_id(top, &there, e);
	if (r < 0)
		return r;
	if (there.unique != id->unique)
		return detach_covered(at, id, e);
	if (umount2(at, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return err_sys(e, "unmount %s", at);
	return 0;
}

/* Whether "/" is now the object that the root fd names. */
static int verify_root(int root, struct err *e)
{
	struct stat a, b;

	if (fstat(root, &a) < 0 || stat("/", &b) < 0)
		return err_sys(e, "stat the new root");
	if (a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return err_set(e, EXDEV, "after the pivot / is not the container's root");
	return 0;
}

/* Private or slave it is since ns_rootfs_open(), and what is mounted in it is as each entry wants it. */
static int share_root(unsigned long propagation, struct err *e)
{
	if (!(propagation & (MS_SHARED | MS_UNBINDABLE)))
		return 0;
	if (mount(NULL, "/", NULL, propagation, NULL) < 0)
		return err_sys(e, "set the propagation of the root file system");
	return 0;
}

int ns_rootfs_pivot(int root, unsigned long propagation, struct err *e)
{
	auto_fd int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (old < 0)
		return err_sys(e, "open the old root");
	if (fchdir(root) < 0)
		return err_sys(e, "enter the root file system");
	/* "." twice: the old root is stacked on the new one, and no directory for it is needed
	 * (pivot_root(2), NOTES). */
	if (sys_pivot_root(".", ".") < 0)
		return err_sys(e, "pivot_root");
	if (fchdir(old) < 0)
		return err_sys(e, "enter the old root");
	/* Slave before the detach, so that the detaching cannot travel to the host. */
	if (mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return err_sys(e, "cut the old root off");
	if (umount2(".", MNT_DETACH) < 0)
		return err_sys(e, "detach the old root");
	if (chdir("/") < 0)
		return err_sys(e, "enter the new root");
	r = verify_root(root, e);
	if (r >= 0)
		r = share_root(propagation, e);
	return r < 0 ? r : ns_rootfs_chdir("/", false, e);
}

int ns_rootfs_chroot(int root, unsigned long propagation, struct err *e)
{
	int r;

	if (fchdir(root) < 0)
		return err_sys(e, "enter the root file system");
	if (chroot(".") < 0)
		return err_sys(e, "chroot");
	r = verify_root(root, e);
	if (r >= 0)
		r = share_root(propagation, e);
	return r < 0 ? r : ns_rootfs_chdir("/", false, e);
}

int ns_rootfs_readonly(int root, struct err *e)
{
	int r = ns_mount_setattr(root, MOUNT_ATTR_RDONLY, 0, false, e);

	return r < 0 ? err_wrap(e, "make the root file system read-only") : 0;
}

static int verify_cwd(const char *cwd, struct err *e)
{
	char now[PATH_MAX];

	/* The raw call: a directory that cannot be reached from / comes as "(unreachable)/…"
	 * (getcwd(2)). */
	if (syscall(SYS_getcwd, now, sizeof(now)) < 0)
		return err_sys(e, "working directory %s", cwd);
	if (now[0] != '/')
		return err_set(e, EPERM, "working directory %s is outside of the container", cwd);
	return 0;
}

int ns_rootfs_chdir(const char *cwd, bool create, struct err *e)
{
	if (cwd[0] != '/') {
		err_set(e, EINVAL, "working directory '%s' is not an absolute path", cwd);
		return err_class(e, ERR_CONFIG);
	}
	if (chdir(cwd) < 0 && errno == ENOENT && create) {
		auto_fd int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		auto_fd int made = -EBADF;

		if (top < 0)
			return err_sys(e, "open /");
		made = path_mkdirs_in(top, cwd, 0755, e);
		if (made < 0)
			return made;
		if (fchdir(made) < 0)
			return err_sys(e, "enter working directory %s", cwd);
	} else if (chdir(cwd) < 0) {
		return err_sys(e, "enter working directory %s", cwd);
	}
	return verify_cwd(cwd, e);
}
