// SPDX-License-Identifier: GPL-2.0-only
/* What restored processes hold: open files, directories, programs and mapped files. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "checkpoint/verify_check.h"

/*
 * criu opens a file by a name that the images give, in the process that is to have it, which then still has descriptors of criu's: "/proc/self/fd/N/..." leads to whatever these
 * show of the host. So no name is looked at, but what became of it: the mount that a descriptor is on (statx(2), STATX_MNT_ID) is one of those that verify_mounts.c has
 * seen, or it is of a file system that has no names at all.
 */

struct holder {
	struct cr_check *l;
	pid_t pid;
	int pidfd; /* when somebody needed it */
};

static dev_t device_of(const struct statx *x)
{
	return makedev(x->stx_dev_major, x->stx_dev_minor);
}

/* Of a long path the end tells more than the beginning. */
static int refuse(const struct holder *h, const char *dir, const char *name, struct err *e)
{
	enum { SHOWN = 120 };
	char path[96], target[PATH_MAX] = "", what[SHOWN + 120];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s%s", h->pid, dir, name);
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = 0;
	for (char *c = target; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?'; /* of the container's choice, and for a terminal */
	snprintf(what, sizeof(what), "has %s%.*s (%.10s%.40s), which is not the container's",
		 n > SHOWN ? "..." : "", SHOWN, n > SHOWN ? target + n - SHOWN : target, dir, name);
	return cr_check_refuse(h->pid, what, e);
}

/* --- once for all --- */

static void add_inner(struct cr_check *l, int fd)
{
	struct stat st;

	if (fd < 0 || l->inner_count >= CR_CHECK_INNER)
		return;
	if (fstat(fd, &st) == 0)
		l->inner[l->inner_count++] = st.st_dev;
	close(fd);
}

int cr_check_prepare_files(struct cr_check *l, struct err *e)
{
	auto_fd int self = pidfd_open(getpid(), 0);
	struct stat st;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "make a pipe");
	close(ends[1]);
	add_inner(l, ends[0]);
	add_inner(l, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	add_inner(l, eventfd(0, EFD_CLOEXEC)); /* anon_inode, which most kinds are */
	add_inner(l, memfd_create("skep", MFD_CLOEXEC));
	add_inner(l, memfd_create("skep", MFD_CLOEXEC | MFD_HUGETLB));
	/* Of its own since Linux 6.9, an anon_inode before. */
	if (self >= 0 && fstat(self, &st) == 0)
		l->pidfs = st.st_dev;
	return 0;
}

static bool is_inner(const struct cr_check *l, dev_t dev)
{
	for (size_t i = 0; i < l->inner_count; i++)
		if (l->inner[i] == dev)
			return true;
	return false;
}

/* --- one file --- */

/* As the device filter has it: the last rule that knows the device decides. */
static bool may_open(const struct cr_check *l, const struct statx *x)
{
	const struct ct_spec *s = l->v->spec;
	bool may = false;

	for (size_t i = 0; i < cg_device_default_count + s->n_device_rules; i++) {
		const struct cg_device_rule *r =
			i < cg_device_default_count ? &cg_device_default[i]
						    : &s->device_rules[i - cg_device_default_count];

		if ((r->r || r->w) &&
		    (r->type == 'a' || r->type == (S_ISBLK(x->stx_mode) ? 'b' : 'c')) &&
		    (r->major < 0 || r->major == x->stx_rdev_major) &&
		    (r->minor < 0 || r->minor == x->stx_rdev_minor))
			may = r->allow;
	}
	return may;
}

/* The host's terminal that init has as its console, by the way of the descriptor that criu was given. */
static bool is_console(const struct cr_check *l, const struct statx *x)
{
	unsigned long long rdev, dev;

	return S_ISCHR(x->stx_mode) && sscanf(l->v->terminal, "%llx:%llx", &rdev, &dev) == 2 &&
	       rdev == makedev(x->stx_rdev_major, x->stx_rdev_minor) && dev == device_of(x);
}

/* Whether it is on one of the container's mounts, and if a device, one that may be opened. */
static bool on_mount(const struct cr_check *l, const struct statx *x)
{
	if (is_console(l, x))
		return true;
	if (!(x->stx_mask & STATX_MNT_ID) || !cr_numbers_have(&l->mounts, x->stx_mnt_id))
		return false;
	return (!S_ISCHR(x->stx_mode) && !S_ISBLK(x->stx_mode)) || may_open(l, x);
}

/* A descriptor like theirs, as some things are told to a descriptor only. */
static int copy_of(struct holder *h, int number, struct err *e)
{
	int fd;

	if (h->pidfd < 0)
		h->pidfd = pidfd_open(h->pid, 0);
	fd = h->pidfd < 0 ? -1 : pidfd_getfd(h->pidfd, number, 0);
	return fd < 0 ? err_sys(e, "look at descriptor %d of process %d", number, h->pid) : fd;
}

static bool is_theirs(const struct cr_check *l, int space)
{
	auto_fd int owner = -EBADF;
	struct stat st;

	if (fstat(space, &st) < 0)
		return false;
	for (int i = 0; i < CT_NS_COUNT; i++)
		if (l->v->spec->own[i] && st.st_ino == l->first[i])
			return true;
	if (cr_numbers_have(&l->net_spaces, st.st_ino) ||
	    cr_numbers_have(&l->mount_spaces, st.st_ino))
		return true;
	/* One that nobody is in, as `ip netns add` makes it: whose is it? */
	owner = ioctl(space, NS_GET_USERNS);
	return l->v->spec->own[CT_NS_USER] && owner >= 0 && fstat(owner, &st) == 0 &&
	       st.st_ino == l->first[CT_NS_USER];
}

/* 1: it is in, or stands for, a namespace of theirs. The network of a socket is the one it was made in, whoever has it. */
static int in_their_space(struct holder *h, int number, bool socket, struct err *e)
{
	auto_fd int copy = copy_of(h, number, e), space = -EBADF;

	if (copy < 0)
		return copy;
	if (!socket)
		return is_theirs(h->l, copy);
	space = ioctl(copy, SIOCGSKNS);
	return space < 0 ? err_sys(e, "look at the network of process %d's descriptor %d", h->pid,
				   number)
			 : is_theirs(h->l, space);
}

/* 1: not a pidfd, or one of a process of theirs, or of one that has ended. */
static int names_theirs(struct holder *h, const char *number, struct err *e)
{
	auto_free char *text = NULL;
	char name[40];
	const char *pid;
	int r;

	snprintf(name, sizeof(name), "fdinfo/%.20s", number);
	r = cr_check_read(h->pid, name, &text, e);
	if (r < 0)
		return r;
	pid = strstr(text, "\nPid:");
	return !pid || atoi(pid + 5) < 0 || cr_numbers_have(&h->l->tree, (uint64_t)atoi(pid + 5));
}

static int check_open(struct holder *h, int dir, const char *number, struct err *e)
{
	struct cr_check *l = h->l;
	struct statx x;
	dev_t dev;
	int r = 1;

	if (statx(dir, number, 0, STATX_BASIC_STATS | STATX_MNT_ID, &x) < 0)
		return err_sys(e, "look at descriptor %s of process %d", number, h->pid);
	dev = device_of(&x);
	if (on_mount(l, &x))
		return 0;
	if (S_ISSOCK(x.stx_mode) && is_inner(l, dev))
		r = !l->v->spec->own[CT_NS_NETWORK] || in_their_space(h, atoi(number), true, e);
	else if (dev == l->nsfs)
		r = in_their_space(h, atoi(number), false, e);
	else if (dev == l->pidfs)
		r = names_theirs(h, number, e);
	else
		r = is_inner(l, dev);
	if (r < 0 && e->no)
		return -e->no;
	return r > 0 ? 0 : refuse(h, "fd/", number, e);
}

static int check_descriptors(struct holder *h, struct err *e)
{
	auto_dir DIR *d = NULL;
	const struct dirent *entry;
	char path[40];
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", h->pid);
	d = opendir(path);
	if (!d)
		return err_sys(e, "open %s", path);
	while (r >= 0 && (entry = readdir(d)))
		if (entry->d_name[0] != '.')
			r = check_open(h, dirfd(d), entry->d_name, e);
	return r;
}

static int check_links(struct holder *h, struct err *e)
{
	static const char *const links[] = {"cwd", "root", "exe"};

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		char path[40];
		struct statx x;

		snprintf(path, sizeof(path), "/proc/%d/%s", h->pid, links[i]);
		if (statx(AT_FDCWD, path, 0, STATX_BASIC_STATS | STATX_MNT_ID, &x) < 0)
			return err_sys(e, "look at %s", path);
		if (!on_mount(h->l, &x) && !is_inner(h->l, device_of(&x)))
			return refuse(h, "", links[i], e);
	}
	return 0;
}

/* --- mapped files --- */

struct mapping {
	char range[40]; /* as in /proc/PID/map_files */
	char *name;
	dev_t dev;
	uint64_t inode;
	bool shared;
};

/* 7f00-7f10 r-xp 00000000 00:2a 1234    /name; false: no file, or none that can be read */
static bool read_mapping(char *line, struct mapping *m)
{
	unsigned ma, mi;
	unsigned long long from, to, inode;
	char perms[5];
	int at = 0;

	if (sscanf(line, "%llx-%llx %4s %*x %x:%x %llu %n", &from, &to, perms, &ma, &mi, &inode,
		   &at) < 6 ||
	    !inode)
		return false;
	/* Without the zeros that come first here, and not there. */
	snprintf(m->range, sizeof(m->range), "%llx-%llx", from, to);
	m->name = at ? line + at : line + strlen(line);
	m->dev = makedev(ma, mi);
	m->inode = inode;
	m->shared = perms[3] == 's';
	return true;
}

/* Memory that has a file only within the kernel, of a kind that no descriptor shows the file system of. */
static bool is_nameless(const struct cr_check *l, const struct mapping *m)
{
	static const char *const kinds[] = {"/[aio]", "/anon_hugepage"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strncmp(m->name, kinds[i], strlen(kinds[i])))
			return !major(m->dev) && !cr_numbers_have(&l->host, m->dev);
	return false;
}

static int check_mapping(struct holder *h, const struct mapping *m, struct err *e)
{
	struct cr_check *l = h->l;
	uint64_t key = ((uint64_t)m->dev << 40 ^ m->inode) | UINT64_C(1) << 63;
	char path[96];
	struct statx x;

	/* Processes share their libraries. Whoever maps privately what was found on a mount of theirs cannot change it; whoever shares, could, by another way to the same file. */
	if (is_inner(l, m->dev) || (!m->shared && cr_numbers_have(&l->private, key)))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/map_files/%s", h->pid, m->range);
	if (statx(AT_FDCWD, path, 0, STATX_BASIC_STATS | STATX_MNT_ID, &x) < 0)
		return err_sys(e, "look at %s", path);
	if (!on_mount(l, &x) && !is_inner(l, device_of(&x)) && !is_nameless(l, m))
		return refuse(h, "map_files/", m->range, e);
	return m->shared ? 0 : cr_numbers_add(&l->private, key, e);
}

static int check_mappings(struct holder *h, struct err *e)
{
	auto_free char *text = NULL;
	char *rest, *line;
	int r = cr_check_read(h->pid, "maps", &text, e);

	for (rest = text; r >= 0 && (line = strsep(&rest, "\n"));) {
		struct mapping m;

		if (read_mapping(line, &m))
			r = check_mapping(h, &m, e);
	}
	return r < 0 ? r : 0;
}

int cr_check_files(struct cr_check *l, pid_t pid, struct err *e)
{
	struct holder h = {.l = l, .pid = pid, .pidfd = -EBADF};
	int r = check_descriptors(&h, e);

	if (r >= 0)
		r = check_links(&h, e);
	if (r >= 0)
		r = check_mappings(&h, e);
	own_close_fd(&h.pidfd);
	return r;
}
