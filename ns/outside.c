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

/* Something is mounted over the way to it, or a user namespace may not go it. */
static bool is_unreachable(int no)
{
	return no == ENOENT || no == ENOTDIR || no == EACCES;
}

/* With what lies on it. 1: done; 0: it is locked, or not to be reached. */
static int take_away(char *at, struct err *e)
{
	if (umount2(at, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		return 1;
	return errno == EINVAL || errno == EPERM || is_unreachable(errno)
		       ? 0
		       : err_sys(e, "take away the host's %s", at);
}

/* One that hears of what the host mounts would be given more of it later. */
static int make_deaf(const char *at, struct err *e)
{
	return mount(NULL, at, NULL, MS_PRIVATE, NULL) < 0 && errno != EINVAL &&
			       !is_unreachable(errno)
		       ? err_sys(e, "cut the host's %s off", at)
		       : 0;
}

/* One round. 1: something has gone, so another may have come to light. */
static int take_away_all(int self, uint64_t root, struct err *e)
{
	auto_mounts struct mounts m = {0};
	int some = 0, r = look(&m, self, root, e);

	/* The last one first: it may lie on another. */
	for (size_t i = m.n; r >= 0 && i-- > 0;) {
		char *at = m.all[i].at;

		if (stays(&m, &m.all[i]))
			continue;
		r = take_away(ns_mountinfo_unescape(at), e);
		some |= r > 0;
		if (r == 0)
			r = make_deaf(at, e);
	}
	return r < 0 ? r : some;
}

static bool is_revealing(const struct ns_mountinfo *m)
{
	return !strcmp(m->root, "/") && (!strcmp(m->type, "proc") || !strcmp(m->type, "sysfs"));
}

static int cover(const struct ns_mountinfo *m, struct err *e)
{
	auto_fd int there = open(ns_mountinfo_unescape(m->at), O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct ns_rootfs_id id = {0};

	if (there >= 0 && ns_rootfs_id(there, &id, e) < 0)
		return -e->no;
	if (id.id != m->id) {
		err_set(e, EBUSY, "the host's %s can be neither unmounted nor covered", m->at);
		return err_hint(
			e,
			"another mount, or a directory that the container's root may not enter, is in the way");
	}
	if (mount("hidden", m->at, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return err_sys(e, "cover the host's %s", m->at);
	return 0;
}

/* What is left. Not before: a cover is not locked, and would be taken away for what lies below. */
static int cover_all(int self, uint64_t root, struct err *e)
{
	auto_mounts struct mounts m = {0};
	int r = look(&m, self, root, e);

	for (size_t i = 0; r >= 0 && i < m.n; i++)
		if (is_revealing(&m.all[i]) && !stays(&m, &m.all[i]))
			r = cover(&m.all[i], e);
	return r;
}

/* Hooks find it at its own path (start_mounts.c). On top of "/" no way up from it leads anywhere but back into it. */
static int put_on_top(int root, int self, uint64_t id, struct err *e)
{
	auto_mounts struct mounts m = {0};
	int r = look(&m, self, id, e);

	return r < 0 || !strcmp(m.own->at, "/") ? r : ns_rootfs_attach(root, NULL, e);
}

static int hide(int root, struct err *e)
{
	auto_fd int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct ns_rootfs_id own;
	int r = self < 0 ? err_sys(e, "open /proc/self") : ns_rootfs_id(root, &own, e);

	if (r >= 0)
		r = put_on_top(root, self, own.id, e);
	if (r >= 0)
		r = make_deaf("/", e);
	while (r >= 0 && (r = take_away_all(self, own.id, e)) > 0)
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
