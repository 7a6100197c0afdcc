// SPDX-License-Identifier: GPL-2.0-only
/* The open files of a container's processes: a walk over their descriptors, and what is wrong with files and devices. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/path.h"
#include "checkpoint/dump.h"
#include "checkpoint/preflight_look.h"

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x00001000U
#endif

#define MQUEUE_MAGIC 0x19800202 /* ipc/mqueue.c; in no header */

#define FDS_MOST (1u << 20) /* of all processes */

/* major(4)s of Documentation/admin-guide/devices.txt that criu knows: files.c and tty.c */
#define MEM_MAJOR    1
#define TTY_MAJOR    4
#define TTYAUX_MAJOR 5
#define MISC_MAJOR   10
#define TUN_MINOR    200
#define AUTOFS_MINOR 235
#define PTM_FIRST    128 /* unix98: masters 128..135, slaves 136..143 */
#define PTS_LAST     143

struct walk {
	struct cr_look *l;
	struct cr_look_sockets *sockets;
	struct cr_look_watches *watches;
	dev_t console_rdev, console_dev;
	unsigned seen;
};

static bool is_console(const struct walk *w, const struct statx *st)
{
	return w->console_rdev &&
	       makedev(st->stx_rdev_major, st->stx_rdev_minor) == w->console_rdev &&
	       makedev(st->stx_dev_major, st->stx_dev_minor) == w->console_dev;
}

static bool is_device_known(const struct statx *st)
{
	unsigned major = st->stx_rdev_major, minor = st->stx_rdev_minor;

	if (!S_ISCHR(st->stx_mode))
		return false;
	if (major == MISC_MAJOR)
		return minor == TUN_MINOR || minor == AUTOFS_MINOR;
	return major == MEM_MAJOR || major == TTY_MAJOR || (major == TTYAUX_MAJOR && minor <= 2) ||
	       (major >= PTM_FIRST && major <= PTS_LAST);
}

static void look_at_device(struct cr_look *l, const struct cr_look_process *p, const char *fd,
			   const char *link, const struct statx *st)
{
	if (is_device_known(st))
		return;
	cr_look_add(l, p, "device", false, "stop it first",
		    "has the device %.100s open (descriptor %s), which cannot be taken along", link,
		    fd);
}

/* criu opens the file anew by its name in its mount namespace, and wants to find the same one there. */
static void look_at_path(struct cr_look *l, const struct cr_look_process *p, const char *fd,
			 const char *link, const struct statx *st)
{
	static const char gone[] = " (deleted)";
	struct err ignored = {0};
	auto_fd int at = -EBADF;
	struct stat there;
	size_t n = strlen(link);

	/* A name that was removed, while another one is there, is given back by --link-remap. */
	if (p->ns[CR_LOOK_NS_MNT] != cr_look_init(l)->ns[CR_LOOK_NS_MNT] ||
	    (n > sizeof(gone) && !strcmp(link + n + 1 - sizeof(gone), gone)))
		return;
	at = path_try_open_in(l->root, link, O_PATH | O_NOFOLLOW, &ignored);
	if (at >= 0 && (fstat(at, &there) < 0 || there.st_ino == st->stx_ino))
		return;
	cr_look_add(l, p, "hidden-file", false, "restart that program",
		    "has a file open that a mount hides: %.100s (descriptor %s)", link, fd);
}

/* Of mq_open(3): on the kernel's own mount. */
static bool is_queue(const struct cr_look_process *p, const char *fd)
{
	char path[64];
	struct statfs fs;

	snprintf(path, sizeof(path), "/proc/%d/fd/%.16s", p->pid, fd);
	return statfs(path, &fs) == 0 && fs.f_type == MQUEUE_MAGIC;
}

/*
 * A login holds the FIFO of its session (/run/systemd/sessions/NUMBER.ref), which logind opened for it: through logind's own mounts, which have gone with that logind if it was restarted since. No
 * restart of anything brings that back, but the session can be ended.
 */
static void find_remedy(const struct statx *st, const char *link, char fix[128])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz", end[] = ".ref";
	const char *name = strrchr(link, '/');
	size_t n = name ? strspn(name + 1, digits) : 0;

	if (S_ISFIFO(st->stx_mode) && n && n < 32 && !strcmp(name + 1 + n, end))
		snprintf(
			fix, 128,
			"log out of that session, or end it inside: loginctl terminate-session %.*s",
			(int)n, name + 1);
	else
		snprintf(fix, 128, "restart that program");
}

/*
 * A file that has a name, and maybe no link: link is what /proc/PID/fd/FD says. Which mount it is on tells the kernel, not the name: that may
 * be of another mount, or of none.
 */
static void look_at_file(const struct walk *w, const struct cr_look_process *p, const char *fd,
			 const char *link, const struct statx *st)
{
	struct cr_look *l = w->l;
	const struct cr_look_mount *m = cr_look_mount(l, (int)st->stx_mnt_id);
	char fix[128];

	if (S_ISCHR(st->stx_mode) && is_console(w, st))
		return;
	if (S_ISCHR(st->stx_mode) || S_ISBLK(st->stx_mode))
		look_at_device(l, p, fd, link, st);
	if (!m && is_queue(p, fd)) {
		cr_look_add(
			l, p, "queue", false, "stop it first",
			"has the POSIX message queue %.60s open (descriptor %s), which cannot be taken "
			"along",
			link, fd);
		return;
	}
	if (!m) {
		find_remedy(st, link, fix);
		cr_look_add(l, p, "no-mount", false, fix,
			    "has a file open that is on no mount of the container: %.100s "
			    "(descriptor %s)",
			    link, fd);
		return;
	}
	if (m->hidden) {
		cr_look_add(l, p, "hidden-file", false, "restart that program",
			    "has a file open that another mount hides: %.100s (descriptor %s)",
			    link, fd);
		return;
	}
	if (!strcmp(m->type, "proc") || !strcmp(m->type, "devpts"))
		return;
	if (st->stx_nlink == 0 && st->stx_blocks / 2048 >= CR_DUMP_GHOST_MIB)
		cr_look_add(
			l, p, "deleted", false, "restart that program, or let it close the file",
			"has a deleted file of %llu MiB open, more than the %llu MiB that can be "
			"taken along: %.80s (descriptor %s)",
			(unsigned long long)st->stx_blocks / 2048,
			(unsigned long long)CR_DUMP_GHOST_MIB, link, fd);
	else if (st->stx_nlink > 0 && S_ISREG(st->stx_mode))
		look_at_path(l, p, fd, link, st);
}

static void look_at_namespace_file(struct cr_look *l, const struct cr_look_process *p,
				   const char *fd, const char *link)
{
	const char *number = strchr(link, '[');

	if (!number || cr_look_has_ns(l, strtoull(number + 1, NULL, 10)))
		return;
	cr_look_add(
		l, p, "namespace-file", false, "restart that program",
		"holds a namespace in which no process of the container is: %.60s (descriptor %s)",
		link, fd);
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static void look_at_fd(struct walk *w, const struct cr_look_process *p, int dir, int pidfd,
		       const char *fd)
{
	char link[PATH_MAX];
	struct statx st;
	ssize_t n = readlinkat(dir, fd, link, sizeof(link) - 1);

	link[n > 0 ? n : 0] = 0;
	if (n <= 0 || begins(link, "pipe:[") || begins(link, "/memfd:"))
		return;
	if (begins(link, "socket:[")) {
		cr_look_socket(w->l, w->sockets, p, pidfd, atoi(fd), strtoull(link + 8, NULL, 10));
		return;
	}
	if (!strcmp(link, "anon_inode:inotify") || !strcmp(link, "anon_inode:[fanotify]"))
		cr_look_watch(w->l, w->watches, p, atoi(fd));
	else if (begins(link, "anon_inode:") || begins(link, "pidfd:") ||
		 begins(link, "/secretmem"))
		cr_look_anon(w->l, p, atoi(fd), link);
	/* The server of a FUSE or network file may be frozen or dead: what is known of it is enough. */
	else if (link[0] != '/')
		look_at_namespace_file(w->l, p, fd, link);
	else if (statx(dir, fd, AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID, &st) == 0 &&
		 st.stx_mask & STATX_MNT_ID)
		look_at_file(w, p, fd, link, &st);
}

static void walk_process(struct walk *w, const struct cr_look_process *p)
{
	int fd = openat(p->proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	auto_fd int pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	const struct dirent *entry;

	while (d && w->seen < FDS_MOST && (entry = readdir(d)))
		if (entry->d_name[0] != '.') {
			w->seen++;
			look_at_fd(w, p, dirfd(d), pidfd, entry->d_name);
		}
}

/* Where it is, what it runs, what it takes for the root: each is a file like those it has open. */
static void look_at_places(const struct walk *w, const struct cr_look_process *p)
{
	static const char *const places[] = {"cwd", "root", "exe"};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		char link[PATH_MAX];
		struct statx st;
		ssize_t n = readlinkat(p->proc, places[i], link, sizeof(link) - 1);

		link[n > 0 ? n : 0] = 0;
		if (n <= 0 || begins(link, "/memfd:") ||
		    statx(p->proc, places[i], AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID,
			  &st) < 0 ||
		    !(st.stx_mask & STATX_MNT_ID))
			continue;
		if (!cr_look_mount(w->l, (int)st.stx_mnt_id))
			cr_look_add(
				w->l, p, "no-mount", false, "restart that program",
				i == 2 ? "runs a program that is on no mount of the container: %.100s"
				       : "is in a directory that is on no mount of the container: "
					 "%.100s",
				link);
	}
}

void cr_look_fds(struct cr_look *l)
{
	struct walk w = {
		.l = l, .sockets = cr_look_sockets_new(), .watches = cr_look_watches_new()};
	unsigned long long rdev = 0, dev = 0;

	if (sscanf(l->ct->s.terminal, "%llx:%llx", &rdev, &dev) == 2) {
		w.console_rdev = (dev_t)rdev;
		w.console_dev = (dev_t)dev;
	}
	for (size_t i = 0; i < l->process_count; i++) {
		const struct cr_look_process *p = &l->processes[i];

		/* Of a guest it is enough to know that it is one. */
		if (p->state == 'Z' || p->state == 'X')
			continue;
		walk_process(&w, p);
		look_at_places(&w, p);
	}
	if (w.sockets)
		cr_look_sockets(l, w.sockets);
	if (w.watches)
		cr_look_watches(l, w.watches);
	cr_look_sockets_free(w.sockets);
	cr_look_watches_free(w.watches);
}
