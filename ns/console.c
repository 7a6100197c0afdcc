// SPDX-License-Identifier: GPL-2.0-only
/* ptys by descriptor. */
#include "ns/console.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/path.h"
#include "ns/mount.h"

/* From an opened ptmx to a pair. */
static int make_pair(int *ptmx, int *master, int *slave, struct err *e)
{
	struct statfs fs;
	struct stat st;
	int unlock = 0, fd;

	/* A ptmx that is something else would hand us a "slave" of its choice (CVE-2025-52565). */
	if (fstatfs(*ptmx, &fs) < 0 || fstat(*ptmx, &st) < 0)
		return err_sys(e, "stat /dev/pts/ptmx");
	if (fs.f_type != DEVPTS_SUPER_MAGIC || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2))
		return err_set(e, ENODEV,
			       "/dev/pts/ptmx is not the terminal multiplexer of a devpts");
	if (ioctl(*ptmx, TIOCSPTLCK, &unlock) < 0)
		return err_sys(e, "unlock a terminal");
	fd = ioctl(*ptmx, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open the slave of a terminal");
	*slave = fd;
	*master = take_fd(ptmx);
	return 0;
}

int ns_console_new(int root, int *master, int *slave, struct err *e)
{
	auto_fd int ptmx = path_open_in(root, "dev/pts/ptmx", O_RDWR | O_NOCTTY, 0, e);

	return ptmx < 0 ? ptmx : make_pair(&ptmx, master, slave, e);
}

int ns_console_new_host(int *master, int *slave, struct err *e)
{
	auto_fd int ptmx = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

	/* Some hosts mount devpts with ptmxmode=000; root opens it all the same. */
	if (ptmx < 0)
		return err_sys(e, "open /dev/pts/ptmx");
	return make_pair(&ptmx, master, slave, e);
}

int ns_console_bind(int root, int slave, struct err *e)
{
	auto_fd int dev = openat(root, "dev", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd int tree = -EBADF;
	auto_fd int target = -EBADF;
	struct stat st;

	if (dev < 0)
		return err_sys(e, "open /dev in the root file system");
	target = openat(dev, "console", O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (target < 0 && errno == EEXIST)
		target = openat(dev, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0 || fstat(target, &st) < 0)
		return err_sys(e, "make /dev/console");
	/* The kernel would mount on the link itself. */
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		return err_set(e, EEXIST, "/dev/console of the container is something else");
	tree = ns_mount_clone(slave, "", AT_EMPTY_PATH, e);
	return tree < 0 ? tree : ns_mount_attach(tree, target, "/dev/console", e);
}

int ns_console_chown(int slave, uint32_t uid, uint32_t gid, struct err *e)
{
	if (fchown(slave, uid, gid) < 0)
		return err_sys(e, "give the terminal to user %u", uid);
	return 0;
}

int ns_console_resize(int fd, unsigned rows, unsigned cols, struct err *e)
{
	struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};

	if (rows > 0xffff || cols > 0xffff) {
		err_set(e, EINVAL, "terminal size %ux%u is out of range", cols, rows);
		return err_class(e, ERR_VALUE);
	}
	if (ioctl(fd, TIOCSWINSZ, &size) < 0)
		return err_sys(e, "set the terminal size");
	return 0;
}

int ns_console_plain_lines(int slave, struct err *e)
{
	struct termios t;

	if (tcgetattr(slave, &t) < 0)
		return err_sys(e, "read the settings of a terminal");
	t.c_oflag &= ~(tcflag_t)ONLCR;
	return tcsetattr(slave, TCSANOW, &t) < 0 ? err_sys(e, "set up a terminal") : 0;
}

int ns_console_session(struct err *e)
{
	if (getsid(0) == getpid())
		return 0;
	if (setsid() < 0)
		return err_sys(e, "begin a session");
	return 0;
}

int ns_console_take(int slave, struct err *e)
{
	const int fds[3] = {slave, slave, slave};

	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return err_sys(e, "make the terminal ours");
	return ns_console_stdio(fds, e);
}

static bool is_null(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/*
 * Whoever is given the host's null device gets that of the container: a descriptor on a mount of the host's cannot be checkpointed (criu: "Can't lookup mount"), and runc
 * does so, too. Nothing that the container may have put there is waited for or kept. -EBADF: it stays as it is.
 */
static int own_null(int fd)
{
	int flags = is_null(fd) ? fcntl(fd, F_GETFL) : -1;
	int own = flags < 0 ? -EBADF
			    : open("/dev/null", (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY |
							O_NOFOLLOW | O_CLOEXEC);

	if (own >= 0 && (!is_null(own) || fcntl(own, F_SETFL, flags) < 0))
		own_close_fd(&own);
	return own < 0 ? -EBADF : own;
}

void ns_console_give(uint32_t uid, uint32_t gid)
{
	for (int fd = 0; fd < 3; fd++) {
		struct stat st;

		if (fstat(fd, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISREG(st.st_mode)) ||
		    (st.st_uid == uid && st.st_gid == gid))
			continue;
		/* What is not ours to give (of a user that the namespace does not know, or on a read-only file system) works by its descriptor all the same. */
		if (fchown(fd, uid, gid) < 0)
			continue;
	}
}

int ns_console_stdio(const int fds[3], struct err *e)
{
	int safe[3] = {-EBADF, -EBADF, -EBADF};
	int r = 0;

	/* First out of the way of 0, 1, 2, so that no dup2 overwrites a source of the next. */
	for (int i = 0; i < 3 && r >= 0; i++) {
		safe[i] = own_null(fds[i]);
		/* One of 0, 1, 2 may be free: then that is where it was opened. */
		if (safe[i] < 3) {
			int low = safe[i];

			safe[i] = fcntl(low < 0 ? fds[i] : low, F_DUPFD_CLOEXEC, 3);
			own_close_fd(&low);
		}
		if (safe[i] < 0)
			r = err_sys(e, "copy a descriptor for standard input and output");
	}
	for (int i = 0; i < 3 && r >= 0; i++)
		if (dup2(safe[i], i) < 0)
			r = err_sys(e, "set standard descriptor %d", i);
	for (int i = 0; i < 3; i++)
		own_close_fd(&safe[i]);
	return r;
}
