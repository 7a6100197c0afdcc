// SPDX-License-Identifier: GPL-2.0-only
/* Walking up and down a subtree of one hierarchy, and its event file. */
#include "cgroups/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"

/* v1 has no event for "empty": this often a dying process is looked at there. */
#define V1_LOOK_MS 2

#define MARK "trusted.skep"

/* Name of some child group: 1 and name, 0 none, -errno. */
static int first_child(int dir, char name[256])
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		int no = errno;

		if (fd >= 0)
			close(fd);
		return -no;
	}
	for (struct dirent *ent; (errno = 0, ent = readdir(d));) {
		if (ent->d_type != DT_DIR || !strcmp(ent->d_name, ".") ||
		    !strcmp(ent->d_name, ".."))
			continue;
		memcpy(name, ent->d_name, strlen(ent->d_name) + 1);
		return 1;
	}
	/* ENOENT: it is removed at this moment. */
	return errno == ENOENT ? 0 : -errno;
}

static int replace_fd(int *fd, int from, const char *name)
{
	int next = openat(from, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (next < 0)
		return -errno;
	close(*fd);
	*fd = next;
	return 0;
}

/*
 * Always the first child: removed if it can be; entered if it has children; else it is busy. A group without children is
 * left by "..", where it is a first child again and now goes. Returns 0, -errno.
 */
static int remove_below(int top)
{
	auto_fd int cur = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned depth = 0;

	for (unsigned steps = 0; cur >= 0 && steps < 1u << 20; steps++) {
		char name[256], below[256];
		int rc = first_child(cur, name);

		if (rc < 0)
			return rc;
		if (rc == 0) {
			if (depth-- == 0)
				return 0;
			rc = replace_fd(&cur, cur, "..");
		} else if (!unlinkat(cur, name, AT_REMOVEDIR) || errno == ENOENT) {
			rc = 0;
		} else if (errno != EBUSY && errno != ENOTEMPTY) {
			rc = -errno;
		} else {
			auto_fd int child = openat(cur, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

			if (child < 0)
				rc = errno == ENOENT ? 0 : -errno;
			else if (first_child(child, below) != 1)
				return -EBUSY;
			else {
				rc = replace_fd(&cur, child, ".");
				depth++;
			}
		}
		if (rc < 0)
			return rc;
	}
	return cur < 0 ? cur : -EBUSY;
}

/* 0 or -errno, no message: the callers try again. */
static int remove_once(int root, const char *path)
{
	auto_fd int dir = -EBADF;
	int rc;

	if (!unlinkat(root, path, AT_REMOVEDIR) || errno == ENOENT)
		return 0;
	if (errno != EBUSY && errno != ENOTEMPTY)
		return -errno;
	dir = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return errno == ENOENT ? 0 : -errno;
	rc = remove_below(dir);
	if (rc < 0)
		return rc;
	return unlinkat(root, path, AT_REMOVEDIR) && errno != ENOENT ? -errno : 0;
}

int cg_tree_remove(int root, const char *path, struct err *e)
{
	int rc = remove_once(root, path);

	return rc < 0 ? err_set(e, -rc, "remove control group %s: %s", path, strerror(-rc)) : 0;
}

void cg_tree_mark(int dir)
{
	/* Where it cannot be written a parent of another name than ours stays behind, empty. */
	(void)fsetxattr(dir, MARK, "1", 1, 0);
}

/*
 * Whether an empty parent may go. systemd gives each of its units' groups an invocation_id, and would not make a slice again that it holds for active: its limits
 * would be lost. Other parents are ours by their mark, and our own slice by its name, too: whoever is killed between making and marking it must not leave it.
 */
static bool is_ours(int root, const char *path)
{
	auto_fd int dir = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	size_t first = strcspn(path, "/");
	bool named = (first == 10 && !strncmp(path, "skep.slice", first)) ||
		     (first == 4 && !strncmp(path, "skep", first));

	if (dir < 0 || fgetxattr(dir, "trusted.invocation_id", NULL, 0) >= 0)
		return false;
	return named || fgetxattr(dir, MARK, NULL, 0) >= 0;
}

/* Parents that we are the last in; somebody else may be making a new one below at this moment, and then they stay. */
static void remove_empty_parents(int root, const char *path)
{
	char copy[512];

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *slash; (slash = strrchr(copy, '/'));) {
		*slash = '\0';
		if (!is_ours(root, copy) || unlinkat(root, copy, AT_REMOVEDIR))
			return;
	}
}

static void wait_for_change(int root, const char *path, uint64_t until_ns)
{
	uint64_t now = log_now_ns();
	int left_ms = now < until_ns ? (int)((until_ns - now) / 1000000u) + 1 : 0;
	auto_fd int dir = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err ignored = {0};

	/* populated 0 comes before the last process has let go of the group: hence the look below, too. */
	if (dir < 0 || cg_event_wait(dir, "populated", 0, left_ms, &ignored) != -ETIMEDOUT)
		poll(NULL, 0, V1_LOOK_MS);
}

int cg_tree_remove_wait(const char *mount, const char *path, uint64_t until_ns, struct err *e)
{
	auto_fd int root = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (root < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", mount);
	while ((rc = remove_once(root, path)) == -EBUSY && log_now_ns() < until_ns)
		wait_for_change(root, path, until_ns);
	if (rc == -EBUSY) {
		err_set(e, EBUSY, "control group %s/%s still has processes", mount, path);
		return -EBUSY;
	}
	if (rc < 0)
		return err_set(e, -rc, "remove control group %s/%s: %s", mount, path,
			       strerror(-rc));
	remove_empty_parents(root, path);
	return 0;
}

/* 1 it says so, 0 not, -errno. */
static int event_says(int fd, const char *key, unsigned value)
{
	char text[256], want[64];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return errno == ENODEV ? -ENOENT : -errno; /* ENODEV: the group was removed */
	text[n] = '\0';
	snprintf(want, sizeof(want), "%s %u\n", key, value);
	return strstr(text, want) != NULL;
}

int cg_event_wait(int dir, const char *key, unsigned value, int ms, struct err *e)
{
	uint64_t until = log_now_ns() + (uint64_t)(ms > 0 ? ms : 0) * 1000000u;
	auto_fd int fd = openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == ENODEV ? -ENOENT
							  : err_sys(e, "open cgroup.events");
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLPRI};
		int rc = event_says(fd, key, value), left = -1;
		uint64_t now = log_now_ns();

		if (rc == -ENOENT)
			return -ENOENT;
		if (rc < 0)
			return err_set(e, -rc, "read cgroup.events: %s", strerror(-rc));
		if (rc > 0)
			return 0;
		if (ms >= 0 && now >= until)
			return -ETIMEDOUT;
		if (ms >= 0)
			left = (int)((until - now) / 1000000u) + 1;
		/* The event is armed by the read above, so a change between it and poll is not lost (kernfs_notify). */
		if (poll(&p, 1, left) < 0 && errno != EINTR)
			return err_sys(e, "wait for cgroup.events");
	}
}
