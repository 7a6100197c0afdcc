// SPDX-License-Identifier: GPL-2.0-only
/* The mounts of a host that cannot be pivoted away. */
#include "ns/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "ns/mountinfo.h"
#include "ns/rootfs.h"

struct mounts {
	struct ns_mountinfo *all;
	size_t n;
	const struct ns_mountinfo *own; /* the root file system */
	char *text;
};

static void forget(struct mounts *m)
{
	free(m->all);
	free(m->text);
	*m = (struct mounts){0};
}
#define auto_mounts __attribute__((cleanup(forget)))

/* self: /proc/self, which stays when /proc has gone. */
static int look(struct mounts *m, int self, uint64_t root, struct err *e)
{
	ssize_t n = file_read_at(self, "mountinfo", NS_MOUNTINFO_MOST, &m->text, e);

	if (n >= 0)
		n = ns_mountinfo_list(m->text, &m->all, e);
	if (n < 0)
		return -e->no;
	m->n = (size_t)n;
	for (size_t i = 0; i < m->n; i++)
		if (m->all[i].id == root)
			m->own = &m->all[i];
	return m->own ? 0 : err_set(e, ENOENT, "the root file system is not among the mounts");
}

static const struct ns_mountinfo *parent_of(const struct mounts *m, const struct ns_mountinfo *one)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->all[i].id == one->parent && &m->all[i] != one)
			return &m->all[i];
	return NULL;
}

/* Or it itself. */
static bool is_below(const struct mounts *m, const struct ns_mountinfo *one, uint64_t top)
{
	/* Each step goes to a parent, of which there are at most n. */
	for (size_t steps = 0; one && one->id != top && steps < m->n; steps++)
		one = parent_of(m, one);
	return one && one->id == top;
}

/* The root file system with what lies on it, and what it lies on itself. */
static bool stays(const struct mounts *m, const struct ns_mountinfo *one)
{
	return is_below(m, one, m->own->id) || is_below(m, m->own, one->id);
}

/* Something is mounted over the way to it, a user namespace may not go it, or a server on it is gone. */
static bool is_unreachable(int no)
{
	static const int those[] = {ENOENT, ENOTDIR, EACCES,	   ENOTCONN, ESTALE,
				    EIO,    ELOOP,   ENAMETOOLONG, ETIMEDOUT};

	for (size_t i = 0; i < ARRAY_SIZE(those); i++)
		if (no == those[i])
			return true;
	return false;
}

/* With what lies on it. 1: done; 0: it is locked, or not to be reached. */
static int take_away(const char *at, struct err *e)
{
	if (umount2(at, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		return 1;
	return errno == EINVAL || errno == EPERM || is_unreachable(errno)
		       ? 0
		       : err_sys(e, "take away the host's %s", at);
}

/* One that hears of what the host mounts would be given more of it later. rec: MS_REC, where nothing of ours is below. */
static int make_deaf(const char *at, unsigned long rec, struct err *e)
{
	return mount(NULL, at, NULL, MS_PRIVATE | rec, NULL) < 0 && errno != EINVAL &&
			       !is_unreachable(errno)
		       ? err_sys(e, "cut the host's %s off", at)
		       : 0;
}

static bool is_revealing(const struct ns_mountinfo *m)
{
	return !strcmp(m->root, "/") && (!strcmp(m->type, "proc") || !strcmp(m->type, "sysfs"));
}

/* What lies on what stays: with it goes all that is below, and the way to it leads through none of those, whose servers may have hung. */
static bool is_next(const struct mounts *m, const struct ns_mountinfo *one)
{
	const struct ns_mountinfo *up = parent_of(m, one);

	return !up || stays(m, up);
}

/* Below one that is locked, or cannot be reached: only what matters. */
static bool is_deeper(const struct mounts *m, const struct ns_mountinfo *one)
{
	(void)m;
	return is_revealing(one) || *one->propagation;
}

/* One round. 1: something has gone, so another may have come to light. */
static int take_away_all(int self, uint64_t root,
			 bool (*which)(const struct mounts *, const struct ns_mountinfo *),
			 struct err *e)
{
	auto_mounts struct mounts m = {0};
	int some = 0, r = look(&m, self, root, e);

	/* The last one first: it may lie on another. */
	for (size_t i = m.n; r >= 0 && i-- > 0;) {
		const struct ns_mountinfo *one = &m.all[i];
		const char *at;

		if (stays(&m, one) || !which(&m, one))
			continue;
		at = ns_mountinfo_unescape(one->at);
		r = take_away(at, e);
		some |= r > 0;
		if (r == 0)
			r = make_deaf(at, MS_REC, e);
	}
	return r < 0 ? r : some;
}

/* Once it is a user namespace's copy, that is locked there, and hides all of it (mnt_already_visible() in fs/namespace.c). */
static bool is_covered(const struct mounts *m, const struct ns_mountinfo *one)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->all[i].parent == one->id && &m->all[i] != one &&
		    !strcmp(m->all[i].at, one->at))
			return true;
	return false;
}

static int cover(const char *at, uint64_t mount_id, struct err *e)
{
	auto_fd int there = open(at, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct ns_rootfs_id id = {0};

	if (there >= 0 && ns_rootfs_id(there, &id, e) < 0)
		return -e->no;
	if (id.id != mount_id) {
		err_set(e, EBUSY, "the host's %s can be neither unmounted nor covered", at);
		return err_hint(
			e,
			"another mount, or a directory that the container's root may not enter, is in the way");
	}
	if (mount("hidden", at, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return err_sys(e, "cover the host's %s", at);
	return 0;
}

/* A file of a namespace gets nothing mounted on it by whoever cannot see it. */
static bool still_hears(const struct ns_mountinfo *m)
{
	return strstr(m->propagation, "master:") && strcmp(m->type, "nsfs") != 0;
}

/* What is left. Not before: a cover is not locked, and would be taken away for what lies below. */
static int cover_all(int self, uint64_t root, struct err *e)
{
	auto_mounts struct mounts m = {0};
	int r = look(&m, self, root, e);

	for (size_t i = 0; r >= 0 && i < m.n; i++) {
		const struct ns_mountinfo *one = &m.all[i];

		if (stays(&m, one) || is_covered(&m, one))
			continue;
		if (still_hears(one)) {
			err_set(e, EBUSY, "the host's %s cannot be cut off", one->at);
			return err_hint(
				e,
				"nothing of the host's would arrive there without rslave and rshared in config.json");
		}
		/* A path is compared as it is written until here, and no cover's own is asked for again. */
		if (is_revealing(one)) {
			auto_free char *at = strdup(one->at);

			r = at ? cover(ns_mountinfo_unescape(at), one->id, e)
			       : err_set(e, ENOMEM, "out of memory for a path");
		}
	}
	return r;
}

/* Hooks find it at its own path (start_mounts.c). On top of "/" no way up from it leads anywhere but back into it. */
static int put_on_top(int root, int self, uint64_t id, struct err *e)
{
	auto_mounts struct mounts m = {0};
	const struct ns_mountinfo *up;
	int r = look(&m, self, id, e);

	if (r < 0 || !strcmp(m.own->at, "/"))
		return r;
	/* A hook may have made it shared: nothing can be moved away from there. */
	up = parent_of(&m, m.own);
	if (up)
		r = make_deaf(ns_mountinfo_unescape(up->at), 0, e);
	return r < 0 ? r : ns_rootfs_attach(root, NULL, e);
}

static int hide(int root, struct err *e)
{
	auto_fd int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct ns_rootfs_id own = {0};
	int r = self < 0 ? err_sys(e, "open /proc/self") : ns_rootfs_id(root, &own, e);

	if (r >= 0)
		r = make_deaf("/", 0, e);
	if (r >= 0)
		r = put_on_top(root, self, own.id, e);
	while (r >= 0 && (r = take_away_all(self, own.id, is_next, e)) > 0)
		;
	while (r >= 0 && (r = take_away_all(self, own.id, is_deeper, e)) > 0)
		;
	return r < 0 ? r : cover_all(self, own.id, e);
}

int ns_outside_leave(int root, unsigned long propagation, struct err *e)
{
	struct err why = {0};
	int r = ns_rootfs_pivot(root, propagation, &why);

	if (r != -EINVAL) {
		*e = why;
		return r;
	}
	r = hide(root, e);
	return r < 0 ? r : ns_rootfs_chroot(root, propagation, e);
}
