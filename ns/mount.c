// SPDX-License-Identifier: GPL-2.0-only
/* One mount: made detached, finished while nobody can see it, then attached in one step. */
#include "ns/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "ns/tmpcopyup.h"

/* What the kernel says about a refused file system is in the context fd's log, not in errno
 * (fsopen(2)). */
static int fs_error(int ctx, const char *what, const char *name, struct err *e)
{
	int no = errno;
	char said[256];
	ssize_t n = read(ctx, said, sizeof(said) - 1);

	errno = no;
	if (n > 2 && said[1] == ' ') {
		said[n] = 0;
		said[strcspn(said, "\n")] = 0;
		return err_sys(e, "%s %s (the kernel says: %s)", what, name, said + 2);
	}
	return err_sys(e, "%s %s", what, name);
}

static int configure_word(int ctx, char *word, struct err *e)
{
	char *value = strchr(word, '=');
	int r;

	if (value)
		*value++ = 0;
	r = value ? fsconfig(ctx, FSCONFIG_SET_STRING, word, value, 0)
		  : fsconfig(ctx, FSCONFIG_SET_FLAG, word, NULL, 0);
	/* mount(2)'s MS_I_VERSION, which every file system took, has no twin in fsconfig(2) (fs/fs_context.c): one without the word counts versions as it always does. */
	if (r < 0 && !strcmp(word, "iversion"))
		return 0;
	if (r < 0) {
		fs_error(ctx, "mount option", word, e);
		return err_class(e, ERR_CONFIG);
	}
	return 0;
}

int ns_mount_new(const char *fstype, const char *source, const char *data, uint64_t attr,
		 struct err *e)
{
	return ns_mount_new_labelled(fstype, source, data, NULL, attr, e);
}

int ns_mount_new_labelled(const char *fstype, const char *source, const char *data,
			  const char *label, uint64_t attr, struct err *e)
{
	auto_fd int ctx = fsopen(fstype, FSOPEN_CLOEXEC);
	auto_free char *words = data ? strdup(data) : NULL;
	char *rest = words, *word;
	int fd, r;

	if (ctx < 0) {
		err_sys(e, "file system %s", fstype);
		if (e->no == ENODEV && !strcmp(fstype, "none"))
			err_hint(e, "a bind mount has bind or rbind among its options");
		else if (e->no == ENODEV)
			err_hint(e, "this kernel has no %s", fstype);
		return -e->no;
	}
	if (data && !words)
		return err_set(e, ENOMEM, "out of memory for mount options");
	if (source && fsconfig(ctx, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return fs_error(ctx, "source of", fstype, e);
	/* Not one of the words: its categories have commas. */
	if (label && fsconfig(ctx, FSCONFIG_SET_STRING, "context", label, 0) < 0)
		return fs_error(ctx, "label", fstype, e);
	while ((word = strsep(&rest, ","))) {
		r = *word ? configure_word(ctx, word, e) : 0;
		if (r < 0)
			return r;
	}
	if (fsconfig(ctx, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fs_error(ctx, "make a file system of type", fstype, e);
	fd = fsmount(ctx, FSMOUNT_CLOEXEC, (unsigned)attr);
	return fd >= 0 ? fd : fs_error(ctx, "mount a file system of type", fstype, e);
}

int ns_mount_clone(int dirfd, const char *path, unsigned flags, struct err *e)
{
	int fd = open_tree(dirfd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);

	return fd >= 0 ? fd : err_sys(e, "open %s as a mount", *path ? path : "a descriptor");
}

int ns_mount_attach(int mount_fd, int target_fd, const char *what, struct err *e)
{
	if (move_mount(mount_fd, "", target_fd, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_sys(e, "mount on %s", what);
	return 0;
}

int ns_mount_setattr(int mount_fd, uint64_t set, uint64_t clr, bool recursive, struct err *e)
{
	struct mount_attr attr = {.attr_set = set, .attr_clr = clr};

	if (!set && !clr)
		return 0;
	if (mount_setattr(mount_fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
			  sizeof(attr)) < 0)
		return err_sys(e, "set mount attributes");
	return 0;
}

/* The r… words first: a word for the top alone is the exception from them. */
static int set_attrs(int fd, const struct ns_mount *m, struct err *e)
{
	int r = ns_mount_setattr(fd, m->rec_attr_set, m->rec_attr_clr, true, e);

	if (r >= 0)
		r = ns_mount_setattr(fd, m->attr_set, m->attr_clr, false, e);
	return r < 0 ? err_wrap(e, "%s", m->target) : 0;
}

static int set_propagation(int fd, const struct ns_mount *m, struct err *e)
{
	struct mount_attr attr = {.propagation = m->propagation & ~(unsigned long)MS_REC};
	unsigned rec = m->propagation & MS_REC ? AT_RECURSIVE : 0;

	if (!attr.propagation) {
		attr.propagation = MS_PRIVATE;
		rec = AT_RECURSIVE;
	}
	if (mount_setattr(fd, "", AT_EMPTY_PATH | rec, &attr, sizeof(attr)) < 0)
		return err_sys(e, "set the propagation of %s", m->target);
	return 0;
}

static int open_source(const struct ns_mount *m, struct err *e)
{
	unsigned flags = (m->recursive ? AT_RECURSIVE : 0) |
			 (m->src_nofollow ? AT_SYMLINK_NOFOLLOW : 0);

	if (!m->source) {
		err_set(e, EINVAL, "bind mount on %s has no source", m->target);
		return err_class(e, ERR_CONFIG);
	}
	return ns_mount_clone(AT_FDCWD, m->source, flags, e);
}

int ns_mount_open_source(struct ns_mount *m, int userns_fd, bool peer, struct err *e)
{
	struct mount_attr slave = {.propagation = MS_SLAVE};
	auto_fd int fd = open_source(m, e);

	if (fd < 0)
		return fd;
	/* A copy of what is shared is one of its peers. A "shared" of the entry comes on top of this one: it has peers of its own, then. */
	if (!peer && mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &slave, sizeof(slave)) < 0)
		return err_sys(e, "cut %s off from the host", m->source);
	if ((m->idmap || m->ridmap) && userns_fd >= 0) {
		struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP,
					  .userns_fd = (uint64_t)userns_fd};

		if (mount_setattr(fd, "", AT_EMPTY_PATH | (m->ridmap ? AT_RECURSIVE : 0), &attr,
				  sizeof(attr)) < 0) {
			err_sys(e, "map the ids of %s", m->source);
			return err_hint(e, "its file system may not support id-mapped mounts");
		}
	}
	m->source_fd = take_fd(&fd);
	return 0;
}

/* What the kernel labels itself, by the policy's genfscon (as runc and crun have it). */
static bool labels_itself(const char *type)
{
	static const char *const types[] = {"proc", "sysfs", "cgroup2", "mqueue"};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(type, types[i]))
			return true;
	return false;
}

/* Its root takes a label as a file does. */
static int label_mqueue(int fd, const char *label, struct err *e)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return setxattr(path, "security.selinux", label, strlen(label) + 1, 0) < 0
		       ? err_sys(e, "label the mqueue file system")
		       : 0;
}

static bool is_tmpfs(const struct ns_mount *m)
{
	return m->fstype && !strcmp(m->fstype, "tmpfs");
}

static bool has_mode(const char *data)
{
	return data && (!strncmp(data, "mode=", 5) || strstr(data, ",mode="));
}

/* The words for the file system, m->data and what is not said there. In *data, the caller's; words may be empty. */
static int all_data(int root, const struct ns_mount *m, char **data, struct err *e)
{
	struct err ignored = {0};
	auto_fd int at = -EBADF;
	struct stat st;
	char mode[16] = "";

	/* What cannot be looked at is told when it is mounted on. */
	if (is_tmpfs(m) && !has_mode(m->data))
		at = path_try_open_in(root, m->target, O_PATH, &ignored);
	if (at >= 0 && fstat(at, &st) == 0)
		snprintf(mode, sizeof(mode), ",mode=%o", st.st_mode & 07777);
	if (asprintf(data, "%s%s%s", m->sync ? "sync," : "", m->data ? m->data : "", mode) >= 0)
		return 0;
	*data = NULL;
	return err_set(e, ENOMEM, "out of memory for mount options");
}

/* /proc, /sys: "cgroup" of OCI is the cgroup2 of our cgroup namespace, on hybrid hosts, too. */
static int open_fs(int root, const struct ns_mount *m, struct err *e)
{
	const char *type = !strcmp(m->fstype, "cgroup") ? "cgroup2" : m->fstype;
	uint64_t attr = m->attr_set | m->rec_attr_set;
	auto_free char *data = NULL;
	int fd;

	if (all_data(root, m, &data, e) < 0)
		return -e->no;
	/* What it begins with is not in it yet. */
	if (is_tmpfs(m))
		attr &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	/* "ro" and the like are set on the mount, not on the superblock, which others may share.
	 * Set now, not with set_attrs(): in a user namespace the kernel lets a new proc or sysfs be
	 * no freer than the host's. */
	fd = ns_mount_new_labelled(type, m->source ? m->source : type, data,
				   labels_itself(type) ? NULL : m->label, attr, e);
	if (fd >= 0 && m->label && !strcmp(type, "mqueue") && label_mqueue(fd, m->label, e) < 0)
		own_close_fd(&fd);
	return fd >= 0 ? fd : -e->no;
}

/* A new instance of a file system is always a directory; of a bind, its top object tells. */
static int is_directory(int fd, bool *directory, struct err *e)
{
	struct stat st;

	if (fstatat(fd, "", &st, AT_EMPTY_PATH) < 0)
		return err_sys(e, "stat a mount");
	*directory = S_ISDIR(st.st_mode);
	return 0;
}

/* "proc", "sys", "dev" when that is all of the target; else NULL. */
static const char *fixed_name(const struct ns_mount *m)
{
	static const char *const fixed[] = {"proc", "sys", "dev"};
	const char *name = m->target + strspn(m->target, "/");

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
		size_t n = strlen(fixed[i]);

		if (!strncmp(name, fixed[i], n) && strspn(name + n, "/") == strlen(name + n))
			return fixed[i];
	}
	return NULL;
}

/*
 * A link at /proc or /sys would put a label or sysctl write elsewhere (CVE-2019-19921), and one that is put there between a look and the mount as well (CVE-2023-27561): looked at and
 * opened in one step.
 */
static int open_fixed(int root, const char *name, struct err *e)
{
	const int how = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(root, name, how);

	if (fd < 0 && errno == ENOENT) {
		if (mkdirat(root, name, 0755) < 0 && errno != EEXIST)
			return err_sys(e, "make /%s in the root file system", name);
		fd = openat(root, name, how);
	}
	if (fd < 0 && errno == ENOTDIR)
		return err_set(e, ENOTDIR, "/%s of the root file system is not a directory", name);
	return fd >= 0 ? fd : err_sys(e, "open /%s of the root file system", name);
}

/* A file system root is never a mount point: that would hide all that was prepared. */
static int refuse_root(int root, int target, const struct ns_mount *m, struct err *e)
{
	struct stat a, b;

	if (fstat(root, &a) < 0 || fstat(target, &b) < 0)
		return err_sys(e, "stat %s", m->target);
	if (a.st_dev == b.st_dev && a.st_ino == b.st_ino) {
		err_set(e, EINVAL, "mount target %s is the root file system", m->target);
		return err_class(e, ERR_CONFIG);
	}
	return 0;
}

static int remount(int root, const struct ns_mount *m, struct err *e)
{
	auto_fd int target = path_open_in(root, m->target, O_PATH, 0, e);

	return target < 0 ? target : set_attrs(target, m, e);
}

/* Changes the propagation of what is there: an OCI mount without type and source. */
static bool only_propagation(const struct ns_mount *m)
{
	return m->propagation && !m->bind && (!m->fstype || !*m->fstype) && m->source_fd < 0;
}

/* Links and ".." on the way end inside root, whoever made them. */
static int open_in_root(int root, const struct ns_mount *m, struct err *e)
{
	auto_fd int at =
		path_open_in(root, m->in_root, O_PATH | (m->src_nofollow ? O_NOFOLLOW : 0), 0, e);
	const char *text = m->in_root + strspn(m->in_root, "/");
	struct statfs fs;

	/* By a link of the image's: another view of what is masked where the masks are. */
	if (at >= 0 && fstatfs(at, &fs) == 0 &&
	    (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC) &&
	    strncmp(text, "proc", 4) != 0 && strncmp(text, "sys", 3) != 0) {
		err_set(e, EPERM, "mount %s: the root file system leads its source %s to %s",
			m->target, m->source, fs.f_type == SYSFS_MAGIC ? "sysfs" : "proc");
		return -e->no;
	}
	return at < 0 ? at
		      : ns_mount_clone(at, "", AT_EMPTY_PATH | (m->recursive ? AT_RECURSIVE : 0),
				       e);
}

static bool is_bind(const struct ns_mount *m)
{
	return m->bind || (m->fstype && !strcmp(m->fstype, "bind"));
}

int ns_mount_open_in_root(int root, struct ns_mount *m, struct err *e)
{
	int fd = -EBADF;

	if (!m->in_root || !is_bind(m) || m->remount || m->source_fd >= 0)
		return 0;
	fd = open_in_root(root, m, e);
	if (fd < 0)
		return fd;
	m->source_fd = fd;
	return 0;
}

static int make_detached(int root, struct ns_mount *m, struct err *e)
{
	int fd, r = 0;

	if (m->source_fd < 0 && ns_mount_open_in_root(root, m, e) < 0)
		return -e->no;
	if (m->source_fd >= 0)
		fd = take_fd(&m->source_fd);
	else if (is_bind(m))
		fd = open_source(m, e);
	else if (m->fstype && *m->fstype)
		return open_fs(root, m, e);
	else
		fd = err_set(e, EINVAL, "mount on %s has neither a type nor a bind", m->target);
	if (fd >= 0)
		r = set_attrs(fd, m, e);
	if (r < 0)
		own_close_fd(&fd);
	return r < 0 ? r : fd;
}

static int mount_on(int root, struct ns_mount *m, int fd, struct err *e)
{
	auto_fd int target = -EBADF;
	bool directory = true;
	const char *fixed = fixed_name(m);
	int r = is_directory(fd, &directory, e);

	if (r < 0)
		return r;
	target = fixed ? open_fixed(root, fixed, e)
		       : path_mount_point_in(root, m->target, directory, e);
	if (target < 0)
		return target;
	r = refuse_root(root, target, m, e);
	if (r >= 0 && m->tmpcopyup)
		r = ns_tmpcopyup(root, m->target, fd, e);
	if (r >= 0)
		r = ns_mount_attach(fd, target, m->target, e);
	return r < 0 ? r : set_propagation(fd, m, e);
}

int ns_mount_one(int root, struct ns_mount *m, struct err *e)
{
	auto_fd int fd = -EBADF;
	int r;

	if (!m->target || !*m->target) {
		err_set(e, EINVAL, "a mount without a target");
		return err_class(e, ERR_CONFIG);
	}
	if (m->remount)
		return remount(root, m, e);
	if (only_propagation(m)) {
		fd = path_open_in(root, m->target, O_PATH, 0, e);
		return fd < 0 ? fd : set_propagation(fd, m, e);
	}
	fd = make_detached(root, m, e);
	r = fd < 0 ? fd : mount_on(root, m, fd, e);
	if (r >= 0) {
		m->lifted = is_tmpfs(m) && (m->attr_set | m->rec_attr_set) & MOUNT_ATTR_RDONLY;
		if (m->lifted)
			m->seal_fd = take_fd(&fd);
		return 0;
	}
	if (m->optional) {
		log_info("mount of %s left out: %s", m->target, e->text);
		err_clear(e);
		return 0;
	}
	return err_wrap(e, "mount %s", m->target);
}

int ns_mount_lift(struct ns_mount *m, struct err *e)
{
	struct statfs fs;
	int r;

	if (m->seal_fd < 0 || m->lifted)
		return 0;
	if (fstatfs(m->seal_fd, &fs) < 0)
		return err_sys(e, "look at %s", m->target);
	if (!(fs.f_flags & ST_RDONLY))
		return 0;
	r = ns_mount_setattr(m->seal_fd, 0, MOUNT_ATTR_RDONLY, false, e);
	m->lifted = r >= 0;
	return r < 0 ? err_wrap(e, "make things in %s", m->target) : 0;
}

int ns_mount_seal(struct ns_mount *m, struct err *e)
{
	int r = m->lifted ? ns_mount_setattr(m->seal_fd, MOUNT_ATTR_RDONLY, 0, false, e) : 0;

	m->lifted = false;
	return r < 0 ? err_wrap(e, "make %s read-only", m->target) : 0;
}
