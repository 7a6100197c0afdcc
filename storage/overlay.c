// SPDX-License-Identifier: GPL-2.0-only
/* overlayfs by fsopen(2): layers by descriptor, or by names in a private mount namespace. */
#include "storage/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/own.h"
#include "storage/tree.h"

struct layers {
	int lower[ST_OVERLAY_LOWER_MAX]; /* id-mapped clones, or as given */
	int n;
	int upper, work;
	bool readonly;
};

/*
 * The layer must hold everything by itself, since it travels without its lower layers: no metacopy (data left below), no index
 * (file handles of this host). redirect_dir stays, or renaming a template's directory would be EXDEV; its
 * paths are relative to the layers. xino keeps inode numbers stable when the upper layer is on another file system (a disk
 * image), which inotify and a checkpoint's open files rely on.
 */
static const char *const options[][2] = {
	{"metacopy", "off"},
	{"index", "off"},
	{"redirect_dir", "on"},
	{"xino", "auto"},
};

/* The kernel's own words (fsopen(2) logs): without them every refusal is "Invalid argument". */
static int fs_failed(int fs, const char *what, struct err *e)
{
	char said[256];
	int no = errno;
	ssize_t n = read(fs, said, sizeof(said) - 1);

	errno = no;
	if (n <= 2)
		return err_sys(e, "%s", what);
	said[n] = 0;
	return err_sys(e, "%s: %s", what, said + 2);
}

static int set_options(int fs, const struct layers *l, struct err *e)
{
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", "skep", 0) < 0)
		return fs_failed(fs, "name the overlay", e);
	for (size_t i = 0; l->upper >= 0 && i < ARRAY_SIZE(options); i++)
		if (fsconfig(fs, FSCONFIG_SET_STRING, options[i][0], options[i][1], 0) < 0)
			return fs_failed(fs, options[i][0], e);
	return 0;
}

static int finish(int fs, const struct layers *l, struct err *e)
{
	int mnt;

	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		fs_failed(fs, "mount the overlay", e);
		/* For most refusals overlayfs has words in the kernel log only. */
		return err_hint(
			e,
			"upper and work must be on one mount of a file system with xattrs that is no "
			"overlay itself; the kernel log (dmesg) says more");
	}
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, l->readonly ? MOUNT_ATTR_RDONLY : 0);
	return mnt >= 0 ? mnt : fs_failed(fs, "mount the overlay", e);
}

/* Overlayfs before 6.13 takes no descriptors: -EINVAL for the first, with e untouched. O_PATH ones are refused with EBADF by some. */
static int mount_by_fd(const struct layers *l, struct err *e)
{
	auto_fd int fs = fsopen("overlay", FSOPEN_CLOEXEC);
	int r;

	if (fs < 0)
		return err_sys(e, "open overlayfs");
	r = set_options(fs, l, e);
	if (r < 0)
		return r;
	for (int i = 0; i < l->n; i++)
		if (fsconfig(fs, FSCONFIG_SET_FD, "lowerdir+", NULL, l->lower[i]) < 0)
			return i == 0 ? -EINVAL : fs_failed(fs, "add a lower layer", e);
	if (l->upper >= 0 && (fsconfig(fs, FSCONFIG_SET_FD, "upperdir", NULL, l->upper) < 0 ||
			      fsconfig(fs, FSCONFIG_SET_FD, "workdir", NULL, l->work) < 0))
		return fs_failed(fs, "add the upper layer", e);
	return finish(fs, l, e);
}

/* Where the layers stand in the private mount namespace: on a tmpfs over a directory that every system has. */
#define STAGE "/sys"

static int stage_lower(const struct layers *l, char *names, size_t size, struct err *e)
{
	size_t len = 0;

	for (int i = 0; i < l->n; i++) {
		char at[32];

		snprintf(at, sizeof(at), STAGE "/%d", i);
		if (mkdir(at, 0700) < 0 ||
		    move_mount(l->lower[i], "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH) < 0)
			return err_sys(e, "place lower layer %d", i);
		len += (size_t)snprintf(names + len, size - len, "%s%s", i ? ":" : "", at);
	}
	return 0;
}

/*
 * Upper and work must be on one mount, so it is their common parent that is staged: as a clone, or itself where it is the root of
 * a detached mount (a disk image), which kernels before 6.15 do not clone. Only a mount of one's own namespace can be
 * cloned, so this comes before unshare.
 */
static int take_upper(const struct layers *l, struct err *e)
{
	auto_fd int parent = openat(l->upper, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int tree;

	if (parent < 0)
		return err_sys(e, "open the parent of the upper layer");
	tree = open_tree(parent, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return tree >= 0 ? tree : take_fd(&parent);
}

static int stage_upper(int tree, struct err *e)
{
	if (mkdir(STAGE "/u", 0700) < 0 ||
	    move_mount(tree, "", AT_FDCWD, STAGE "/u", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "place the upper layer");
	return 0;
}

/* I am a child in a mount namespace of my own, whose mounts vanish with me; the overlay keeps private clones of them. */
static int mount_staged(const struct layers *l, struct err *e)
{
	char names[ST_OVERLAY_LOWER_MAX * 12];
	auto_fd int tree = l->upper >= 0 ? take_upper(l, e) : -EBADF;
	auto_fd int fs = -EBADF;

	if (e->no)
		return -e->no;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("skep", STAGE, "tmpfs", 0, "mode=0700") < 0)
		return err_sys(e, "make a private mount namespace");
	if (stage_lower(l, names, sizeof(names), e) < 0 ||
	    (l->upper >= 0 && stage_upper(tree, e) < 0))
		return -e->no;
	fs = fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs < 0)
		return err_sys(e, "open overlayfs");
	if (set_options(fs, l, e) < 0)
		return -e->no;
	if (fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", names, 0) < 0)
		return fs_failed(fs, "add the lower layers", e);
	if (l->upper >= 0 &&
	    (fsconfig(fs, FSCONFIG_SET_STRING, "upperdir", STAGE "/u/upper", 0) < 0 ||
	     fsconfig(fs, FSCONFIG_SET_STRING, "workdir", STAGE "/u/work", 0) < 0))
		return fs_failed(fs, "add the upper layer", e);
	return finish(fs, l, e);
}

union fd_message {
	char space[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static void answer(int sock, int mnt, const struct err *why)
{
	union fd_message c = {0};
	struct iovec iov = {.iov_base = (void *)why, .iov_len = sizeof(*why)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	if (mnt >= 0) {
		m.msg_control = c.space;
		m.msg_controllen = sizeof(c.space);
		c.align = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(&c.align), &mnt, sizeof(mnt));
	}
	sendmsg(sock, &m, MSG_NOSIGNAL);
}

static int hear(int sock, struct err *e)
{
	union fd_message c = {0};
	struct err said = {0};
	struct iovec iov = {.iov_base = &said, .iov_len = sizeof(said)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = c.space,
			   .msg_controllen = sizeof(c.space)};
	struct cmsghdr *h;
	ssize_t n;
	int mnt;

	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(said))
		return err_set(e, EPIPE, "mount the overlay: the helper process died");
	h = CMSG_FIRSTHDR(&m);
	if (said.no || !h || h->cmsg_type != SCM_RIGHTS) {
		if (!e->no)
			*e = said;
		return err_set(e, EIO, "mount the overlay: no descriptor came");
	}
	memcpy(&mnt, CMSG_DATA(h), sizeof(mnt));
	return mnt;
}

static int mount_by_path(const struct layers *l, struct err *e)
{
	int pair[2], mnt, status;
	struct err own = {0};
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "mount the overlay");
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		mnt = mount_staged(l, &own);
		answer(pair[1], mnt, &own);
		_exit(0);
	}
	close(pair[1]);
	mnt = pid < 0 ? err_sys(e, "mount the overlay") : hear(pair[0], e);
	close(pair[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return mnt;
}

int st_idmapped_clone(int dir, int userns, struct err *e)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (unsigned)userns};
	auto_fd int tree = open_tree(dir, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0)
		return err_sys(e, "clone the mount of a layer");
	if (userns >= 0 && mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
		err_sys(e, "map the ids of a layer");
		return err_hint(
			e,
			"its file system must support id-mapped mounts (ext4, xfs, btrfs, tmpfs)");
	}
	return take_fd(&tree);
}

static int with_layers(const struct layers *given, int userns,
		       int (*mount_it)(const struct layers *, struct err *), struct err *e)
{
	struct layers l = *given;
	int r = 0;

	for (l.n = 0; l.n < given->n && r >= 0; l.n += r >= 0) {
		r = st_idmapped_clone(given->lower[l.n], userns, e);
		l.lower[l.n] = r;
	}
	if (r >= 0)
		r = mount_it(&l, e);
	while (l.n > 0)
		own_close_fd(&l.lower[--l.n]);
	return r;
}

static int layers_from(struct layers *l, const int lower[], int n, int upper, int work,
		       bool readonly, struct err *e)
{
	if (n < 1 || n > ST_OVERLAY_LOWER_MAX)
		return err_set(e, EINVAL, "an overlay has 1 to %d lower layers, not %d",
			       ST_OVERLAY_LOWER_MAX, n);
	*l = (struct layers){.n = n, .upper = upper, .work = work, .readonly = readonly};
	memcpy(l->lower, lower, (size_t)n * sizeof(*lower));
	return 0;
}

int st_overlay_mount_staged(const int lower[], int n, int upper, int work, int userns,
			    bool readonly, struct err *e)
{
	struct layers l;

	if (layers_from(&l, lower, n, upper, work, readonly, e) < 0)
		return -e->no;
	return with_layers(&l, userns, mount_by_path, e);
}

int st_overlay_mount(const int lower[], int n, int upper, int work, int userns, bool readonly,
		     struct err *e)
{
	struct layers l;
	int r;

	if (layers_from(&l, lower, n, upper, work, readonly, e) < 0)
		return -e->no;
	r = with_layers(&l, userns, mount_by_fd, e);
	if (r < 0 && !e->no)
		r = with_layers(&l, userns, mount_by_path, e);
	return r;
}

static int make_layer_dir(int dir, const char *name, mode_t mode, uint32_t uid, uint32_t gid,
			  struct err *e)
{
	auto_fd int fd = -EBADF;
	bool made = mkdirat(dir, name, 0700) == 0;

	if (!made && errno != EEXIST)
		return err_sys(e, "make the container's %s directory", name);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open the container's %s directory", name);
	if (made && (fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0))
		return err_sys(e, "give the container its %s directory", name);
	return 0;
}

int st_layer_create(int dir, uint32_t id_base, int template_root, int *upper, int *work,
		    struct err *e)
{
	struct stat st;

	if (fstat(template_root, &st) < 0)
		return err_sys(e, "look at the template's root");
	if (make_layer_dir(dir, "upper", st.st_mode & 07777, id_base + st.st_uid,
			   id_base + st.st_gid, e) < 0 ||
	    make_layer_dir(dir, "work", 0700, id_base, id_base, e) < 0)
		return -e->no;
	return st_layer_open(dir, upper, work, e);
}

int st_layer_open(int dir, int *upper, int *work, struct err *e)
{
	/* Not O_PATH: overlayfs' FSCONFIG_SET_FD refused such descriptors at first (EBADF in 6.13). */
	auto_fd int u = openat(dir, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd int w = -EBADF;

	if (u < 0)
		return err_sys(e, "open the container's upper layer");
	w = openat(dir, "work", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (w < 0)
		return err_sys(e, "open the container's work directory");
	if (upper)
		*upper = take_fd(&u);
	if (work)
		*work = take_fd(&w);
	return 0;
}

int st_layer_remove(int dir, struct err *e)
{
	int r = st_tree_remove(dir, "upper", e);

	return r < 0 ? r : st_tree_remove(dir, "work", e);
}
