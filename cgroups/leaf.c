// SPDX-License-Identifier: GPL-2.0-only
/* Groups for processes of our own: made, entered by birth, left, removed. */
#include "cgroups/leaf.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/sys.h"
#include "cgroups/hierarchy.h"
#include "cgroups/member.h"
#include "cgroups/tree.h"

/* Somebody else's end may remove a parent, or the group, between two of our calls; then we begin anew. */
#define TRIES 64

#define PROC_MOST (1 << 20)

/* Those that such a group is in. */
enum hierarchy { UNIFIED, SYSTEMD, HIERARCHIES };

/* Where they are mounted; "" for one that this host has not. */
static int mounts_of(const char *mounts[HIERARCHIES], struct err *e)
{
	const struct cg_host *host = cg_host(e);

	mounts[UNIFIED] = mounts[SYSTEMD] = "";
	if (!host)
		return -e->no;
	mounts[UNIFIED] = host->unified;
	mounts[SYSTEMD] = host->ctl[CG_SYSTEMD].version == 1 ? host->ctl[CG_SYSTEMD].mount : "";
	return 0;
}

/* -ENOENT with e untouched: its parent is being removed. */
static int make_level(int parent, const char *name, struct err *e)
{
	bool made = mkdirat(parent, name, 0755) == 0;
	int fd;

	if (!made && errno != EEXIST)
		return errno == ENOENT || errno == ENODEV
			       ? -ENOENT
			       : err_sys(e, "make control group %s", name);
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : err_sys(e, "open control group %s", name);
	if (made)
		cg_tree_mark(fd);
	return fd;
}

static int make_levels(const char *mount, const char *path, struct err *e)
{
	char copy[256], *save = NULL;
	auto_fd int dir = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_sys(e, "open %s", mount);
	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return err_set(e, ENAMETOOLONG, "control group %s: its name is too long", path);
	for (char *w = strtok_r(copy, "/", &save); w; w = strtok_r(NULL, "/", &save)) {
		int next = make_level(dir, w, e);

		if (next < 0)
			return next;
		close(dir);
		dir = next;
	}
	return take_fd(&dir);
}

static int make(const char *mount, const char *path, struct err *e)
{
	for (int tries = 0; tries < TRIES; tries++) {
		int fd = make_levels(mount, path, e);

		if (fd != -ENOENT || e->no)
			return fd < 0 ? err_wrap(e, "%s", mount) : fd;
	}
	return err_set(e, EAGAIN, "control group %s in %s is being removed all the time", path,
		       mount);
}

int cg_leaf_open(const char *path, struct cg_leaf *leaf, struct err *e)
{
	const char *mounts[HIERARCHIES];
	auto_fd int v1 = -EBADF;

	*leaf = (struct cg_leaf)CG_LEAF_INIT;
	if (mounts_of(mounts, e) < 0)
		return -e->no;
	if (mounts[SYSTEMD][0]) {
		v1 = make(mounts[SYSTEMD], path, e);
		if (v1 < 0)
			return v1;
		leaf->tasks = openat(v1, "tasks", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
		if (leaf->tasks < 0)
			return err_sys(e, "open tasks of control group %s", path);
	}
	if (mounts[UNIFIED][0]) {
		leaf->v2 = make(mounts[UNIFIED], path, e);
		if (leaf->v2 < 0) {
			cg_leaf_close(leaf);
			return -e->no;
		}
	}
	return 0;
}

void cg_leaf_close(struct cg_leaf *leaf)
{
	own_close_fd(&leaf->v2);
	own_close_fd(&leaf->tasks);
}

pid_t cg_leaf_fork(const struct cg_leaf *leaf, struct err *e)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	pid_t pid;

	if (leaf->v2 >= 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)leaf->v2;
	}
	fflush(NULL);
	pid = sys_clone3(&args);
	return pid < 0 ? err_sys(e, "fork") : pid;
}

int cg_leaf_enter(const struct cg_leaf *leaf, struct err *e)
{
	/* A thread that moves itself alone does not wait for RCU: see cg_doors_enter(). */
	if (leaf->tasks >= 0 && write(leaf->tasks, "0", 1) < 0)
		return err_sys(e, "enter a control group of skep's own");
	return 0;
}

/* Whether this process is in the group of that hierarchy. */
static int is_inside(enum hierarchy h, const char *path, struct err *e)
{
	static const char *const controllers[] = {[UNIFIED] = "", [SYSTEMD] = "name=systemd"};
	auto_free char *text = NULL;
	const char *in;

	if (file_read_at(AT_FDCWD, "/proc/self/cgroup", PROC_MOST, &text, e) < 0)
		return -e->no;
	in = cg_member_path(text, controllers[h]);
	return in && !strcmp(in + 1, path);
}

int cg_leaf_leave(const char *path, struct err *e)
{
	const char *mounts[HIERARCHIES];

	if (mounts_of(mounts, e) < 0)
		return -e->no;
	for (enum hierarchy i = 0; i < HIERARCHIES; i++) {
		int r = mounts[i][0] ? is_inside(i, path, e) : 0;
		auto_fd int root = -EBADF;

		if (r > 0) {
			root = open(mounts[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			r = root < 0 ? err_sys(e, "open %s", mounts[i])
				     : file_write_at(root, "cgroup.procs", "0", e);
		}
		if (r < 0)
			return err_wrap(e, "leave control group %s", path);
	}
	return 0;
}

int cg_leaf_remove(const char *path, int wait_ms, struct err *e)
{
	const char *mounts[HIERARCHIES];

	if (mounts_of(mounts, e) < 0)
		return -e->no;
	for (enum hierarchy i = 0; i < HIERARCHIES; i++) {
		struct err none = {0};
		uint64_t until = log_now_ns();

		if (!mounts[i][0])
			continue;
		/* We do not end by waiting. */
		if (wait_ms > 0 && is_inside(i, path, &none) <= 0)
			until += (uint64_t)wait_ms * 1000000u;
		cg_tree_remove_wait(mounts[i], path, until, e);
	}
	return -e->no;
}
