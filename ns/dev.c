// SPDX-License-Identifier: GPL-2.0-only
/* The nodes and links of /dev, made on a tmpfs of our own. */
#include "ns/dev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/path.h"
#include "ns/mount.h"

#define PTMX_MINOR 2 /* of TTYAUX_MAJOR: Documentation/admin-guide/devices.txt */

static const struct {
	const char *name;
	unsigned major, minor;
} nodes[] = {
	{"null", 1, 3},	  {"zero", 1, 5},    {"full", 1, 7},
	{"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
};

static const struct {
	const char *name, *to;
} links[] = {
	{"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"},	     {"ptmx", "pts/ptmx"},
};

/* Opens /dev below root: a real directory, never through a link (CVE-2026-41579). */
static int open_dev(int root, struct err *e)
{
	int fd = openat(root, "dev", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	/* openat does cross what is mounted there; root is a mount fd, so "dev" is one step below
	 * it. */
	return fd >= 0 ? fd : err_sys(e, "open /dev in the root file system");
}

static int mount_fs(int root, const char *fstype, const char *target, const char *data,
		    const char *label, uint64_t attr, struct err *e)
{
	struct ns_mount m;
	int r;

	ns_mount_init(&m);
	r = ns_mount_set(&m, fstype, target, fstype, data, e);
	m.attr_set = attr;
	m.label = label;
	if (r >= 0)
		r = ns_mount_one(root, &m, e);
	ns_mount_done(&m);
	return r;
}

int ns_dev_mount(int root, const char *label, struct err *e)
{
	return mount_fs(root, "tmpfs", "/dev", "mode=755,size=65536k", label,
			MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME, e);
}

/* Whether an opened /dev is a tmpfs of its own. */
static int is_fresh(int root, int dev, struct err *e)
{
	struct stat top, st;
	struct statfs fs;

	if (fstatfs(dev, &fs) < 0 || fstat(dev, &st) < 0 || fstat(root, &top) < 0)
		return err_sys(e, "stat /dev in the root file system");
	return fs.f_type == TMPFS_MAGIC && st.st_dev != top.st_dev;
}

int ns_dev_is_fresh(int root, struct err *e)
{
	auto_fd int dev = -EBADF;
	struct stat st;

	if (fstatat(root, "dev", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "stat /dev in the root file system");
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "/dev of the root file system is not a directory");
	dev = open_dev(root, e);
	return dev < 0 ? dev : is_fresh(root, dev, e);
}

/* Opened first, then looked at: by its name it could be another one a moment later. */
static int open_fresh(int root, struct err *e)
{
	auto_fd int dev = open_dev(root, e);
	int r = dev < 0 ? dev : is_fresh(root, dev, e);

	if (r == 0)
		return err_set(e, EINVAL, "/dev of the container is not a tmpfs of its own");
	return r < 0 ? r : take_fd(&dev);
}

/* Opens a host device by path and makes sure that it is that device. */
static int open_host_node(const char *path, mode_t kind, dev_t want, struct err *e)
{
	auto_fd int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return err_sys(e, "open the host's %s", path);
	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat the host's %s", path);
	if ((st.st_mode & S_IFMT) != kind || st.st_rdev != want)
		return err_set(e, ENODEV, "the host's %s is not device %u:%u", path, major(want),
			       minor(want));
	return take_fd(&fd);
}

int ns_dev_null_open(struct err *e)
{
	return open_host_node("/dev/null", S_IFCHR, makedev(1, 3), e);
}

/* A detached mount of a node on an empty file of that name. */
static int attach_node(int dir, const char *name, int tree, const char *path, struct err *e)
{
	auto_fd int target = -EBADF;

	if (ns_mount_setattr(tree, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, false, e) < 0)
		return -e->no;
	target = openat(dir, name, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (target < 0)
		return err_sys(e, "make /dev/%s", name);
	return ns_mount_attach(tree, target, path, e);
}

/* In a user namespace mknod(2) gives EPERM whatever the capabilities: bind the host's node on an
 * empty file. */
static int bind_node(int dir, const char *name, const char *host, mode_t kind, dev_t want,
		     struct err *e)
{
	auto_fd int node = open_host_node(host, kind, want, e);
	auto_fd int tree = -EBADF;

	if (node < 0)
		return node;
	tree = ns_mount_clone(node, "", AT_EMPTY_PATH, e);
	return tree < 0 ? tree : attach_node(dir, name, tree, host, e);
}

static int make_node(int dir, const char *name, const struct ns_device *dev, uint32_t uid,
		     uint32_t gid, struct err *e)
{
	mode_t kind = dev->type == 'b' ? S_IFBLK : dev->type == 'p' ? S_IFIFO : S_IFCHR;
	auto_fd int fd = -EBADF;

	if (mknodat(dir, name, kind | 0600, makedev((unsigned)dev->major, (unsigned)dev->minor)) <
	    0)
		return err_sys(e, "make device %s", dev->path);
	/* The name is new and ours (mknodat never follows or replaces), so the mode goes to that
	 * object. */
	fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open device %s", dev->path);
	if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
		return err_sys(e, "set the owner of %s", dev->path);
	if (fchmodat(dir, name, dev->mode & 07777, 0) < 0)
		return err_sys(e, "set the mode of %s", dev->path);
	return 0;
}

bool ns_dev_has_host(const struct ns_device *dev, uint32_t uid, uint32_t gid)
{
	mode_t kind = dev->type == 'b' ? S_IFBLK : S_IFCHR;
	struct stat st;

	return lstat(dev->path, &st) == 0 && st.st_mode == (kind | (dev->mode & 07777)) &&
	       st.st_rdev == makedev((unsigned)dev->major, (unsigned)dev->minor) &&
	       st.st_uid == uid && st.st_gid == gid;
}

int ns_dev_make_apart(int dir, const char *name, const struct ns_device *dev, uint32_t uid,
		      uint32_t gid, struct err *e)
{
	auto_fd int tree = -EBADF;
	int r;

	r = make_node(dir, name, dev, uid, gid, e);
	if (r < 0)
		return r;
	tree = ns_mount_clone(dir, name, AT_SYMLINK_NOFOLLOW, e);
	if (tree < 0)
		return tree;
	/* State directories are on file systems like /run, where nodes do not work. */
	r = ns_mount_setattr(tree, 0, MOUNT_ATTR_NODEV, false, e);
	return r < 0 ? r : take_fd(&tree);
}

int ns_dev_default(int root, bool userns, struct err *e)
{
	auto_fd int dir = open_fresh(root, e);
	mode_t mask;
	int r = 0;

	if (dir < 0)
		return dir;
	mask = umask(0);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(nodes); i++) {
		dev_t id = makedev(nodes[i].major, nodes[i].minor);
		char host[32];

		snprintf(host, sizeof(host), "/dev/%s", nodes[i].name);
		if (userns)
			r = bind_node(dir, nodes[i].name, host, S_IFCHR, id, e);
		else if (mknodat(dir, nodes[i].name, S_IFCHR | 0666, id) < 0)
			r = err_sys(e, "make device %s", host);
	}
	umask(mask);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(links); i++)
		if (symlinkat(links[i].to, dir, links[i].name) < 0)
			r = err_sys(e, "make link /dev/%s", links[i].name);
	return r < 0 ? r : 0;
}

/* Splits "/dev/net/tun" into its opened parent (made if missing) and "tun". */
static int open_node_parent(int root, const char *path, const char **name, struct err *e)
{
	const char *slash = strrchr(path, '/');
	auto_free char *parent = NULL;

	if (!slash || !slash[1] || !strcmp(slash + 1, "..") || !strcmp(slash + 1, ".")) {
		err_set(e, EINVAL, "bad device path '%s'", path);
		return err_class(e, ERR_CONFIG);
	}
	*name = slash + 1;
	parent = strndup(path, (size_t)(slash - path));
	if (!parent)
		return err_set(e, ENOMEM, "out of memory for a device path");
	return path_mkdirs_in(root, parent, 0755, e);
}

static bool is_default(const char *name, const struct ns_device *dev)
{
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		if (!strcmp(name, nodes[i].name) && dev->major == nodes[i].major &&
		    dev->minor == nodes[i].minor)
			return true;
	return false;
}

int ns_dev_node(int root, const struct ns_device *dev, bool userns, struct err *e)
{
	const char *name = NULL;
	auto_fd int dir = open_node_parent(root, dev->path, &name, e);
	struct stat st;
	mode_t kind = dev->type == 'b' ? S_IFBLK : S_IFCHR;

	if (dir < 0)
		return dir;
	if (!strchr("cubp", dev->type)) {
		err_set(e, EINVAL, "device %s: unknown type '%c'", dev->path, dev->type);
		return err_class(e, ERR_CONFIG);
	}
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		/* podman lists the six again; the image may bring the very device asked for.
		 * Anything else is in the way. */
		if (is_default(name, dev) ||
		    ((st.st_mode & S_IFMT) == kind && dev->type != 'p' &&
		     st.st_rdev == makedev((unsigned)dev->major, (unsigned)dev->minor)))
			return 0;
		/* podman --privileged lists the host's multiplexer: inside it is a link to that of the container's own terminals. */
		if (S_ISLNK(st.st_mode) && dev->major == TTYAUX_MAJOR && dev->minor == PTMX_MINOR)
			return 0;
		return err_set(e, EEXIST, "device %s: something else has that name", dev->path);
	}
	if (dev->mount_fd >= 0)
		return attach_node(dir, name, dev->mount_fd, dev->path, e);
	if (userns && dev->type != 'p')
		return bind_node(dir, name, dev->path, kind,
				 makedev((unsigned)dev->major, (unsigned)dev->minor), e);
	return make_node(dir, name, dev, dev->uid, dev->gid, e);
}

int ns_dev_mount_pts(int root, bool tty_gid_mapped, const char *label, struct err *e)
{
	/* Every devpts mount has been an instance of its own since 4.7; "newinstance" is for the
	 * reader of mountinfo. */
	return mount_fs(root, "devpts", "/dev/pts",
			tty_gid_mapped ? "newinstance,ptmxmode=0666,mode=0620,gid=5"
				       : "newinstance,ptmxmode=0666,mode=0620",
			label, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, e);
}

int ns_dev_mount_shm(int root, uint64_t size_bytes, const char *label, struct err *e)
{
	char data[64];

	snprintf(data, sizeof(data), "mode=1777,size=%llu", (unsigned long long)size_bytes);
	return mount_fs(root, "tmpfs", "/dev/shm", data, label,
			MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, e);
}
