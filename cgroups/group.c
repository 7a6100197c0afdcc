// SPDX-License-Identifier: GPL-2.0-only
/* Making, entering, handing over and removing the groups of one container. */
#include "cgroups/group.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/enable.h"
#include "cgroups/freezer.h"
#include "cgroups/tree.h"

/* Bounds of what a container can build in its own subtree, so that listing and removing it ends. */
#define CT_MOST_DEPTH	    "64"
#define CT_MOST_DESCENDANTS "4096"

/* A parent may be removed by another container's destroy between our two mkdirs; then we begin anew. */
#define MKDIR_TRIES 64

static int check_path(const char *path, struct err *e)
{
	char copy[sizeof(((struct cg *)0)->path)], *save = NULL;

	if (path[0] && path[0] != '/' && strlen(path) < sizeof(copy) && !strstr(path, "//") &&
	    path[strlen(path) - 1] != '/') {
		bool fine = true;

		snprintf(copy, sizeof(copy), "%s", path);
		for (char *w = strtok_r(copy, "/", &save); w; w = strtok_r(NULL, "/", &save))
			fine = fine && strcmp(w, ".") && strcmp(w, "..") && strlen(w) < 200;
		if (fine)
			return 0;
	}
	err_set(e, EINVAL, "'%s' cannot name a control group", path);
	return err_class(e, ERR_VALUE);
}

static int open_root(const char *mount, struct err *e)
{
	int fd = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "open %s", mount) : fd;
}

/* A v1 cpuset without CPUs and memory nodes takes no process: a new one gets its parent's. */
static int fill_cpuset(int parent, int dir, struct err *e)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		auto_free char *own = NULL, *above = NULL;

		if (file_try_read_at(dir, files[i], 4096, &own, e) < 0)
			return e->no ? -e->no : 0; /* cpuset mounted with noprefix: none of ours */
		if (own[strspn(own, " \n")])
			continue;
		if (file_read_at(parent, files[i], 4096, &above, e) < 0)
			return -e->no;
		above[strcspn(above, "\n")] = '\0';
		if (file_write_at(dir, files[i], above, e) < 0)
			return -e->no;
	}
	return 0;
}

/* Makes one level. Returns its fd; -ENOENT with e untouched if the parent is being removed. */
static int make_level(const struct cg_host *host, const char *mount, int parent, const char *name,
		      bool last, struct err *e)
{
	bool unified = !strcmp(mount, host->unified);
	auto_fd int fd = -EBADF;
	bool made;

	if (unified)
		cg_enable_usual(host, parent, mount);
	made = mkdirat(parent, name, 0755) == 0;
	if (!made && errno != EEXIST)
		return errno == ENOENT || errno == ENODEV
			       ? -ENOENT
			       : err_sys(e, "make control group %s in %s", name, mount);
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT
				       : err_sys(e, "open control group %s in %s", name, mount);
	if (made && !last)
		cg_tree_mark(fd);
	if (host->ctl[CG_CPUSET].version == 1 && !strcmp(mount, host->ctl[CG_CPUSET].mount) &&
	    fill_cpuset(parent, fd, e) < 0) {
		if (e->no != ENOENT && e->no != ENODEV)
			return -e->no;
		err_clear(e);
		return -ENOENT;
	}
	return take_fd(&fd);
}

static int make_path(const struct cg_host *host, const char *mount, const char *path, struct err *e)
{
	for (int tries = 0; tries < MKDIR_TRIES; tries++) {
		char copy[sizeof(((struct cg *)0)->path)], *save = NULL;
		auto_fd int dir = open_root(mount, e);
		int next = dir;

		if (dir < 0)
			return dir;
		snprintf(copy, sizeof(copy), "%s", path);
		for (char *w = strtok_r(copy, "/", &save); w && next >= 0;
		     w = strtok_r(NULL, "/", &save)) {
			next = make_level(host, mount, dir, w, !*save, e);
			if (next >= 0) {
				close(dir);
				dir = next;
			}
		}
		if (next >= 0)
			return take_fd(&dir);
		if (e->no)
			return -e->no;
	}
	return err_set(e, EAGAIN, "control group %s in %s is being removed all the time", path,
		       mount);
}

/*
 * A new group below a frozen one is frozen, too: v2 says so in the events of an empty group (cgroup_create() sets CGRP_FROZEN there), v1 in its state. Who is cloned into it stops before its first instruction, so
 * that not even its creator's death reaches it, and with what it has inherited holds the lock of its container.
 */
static int refuse_frozen(const struct cg *cg, struct err *e)
{
	auto_free char *events = NULL;
	struct err ignored = {0};
	bool frozen = cg->v1[CG_FREEZER] >= 0 && cg_dir_frozen(cg->v1[CG_FREEZER]);

	if (cg->v2 >= 0 && file_try_read_at(cg->v2, "cgroup.events", 256, &events, &ignored) >= 0)
		frozen |= strstr(events, "frozen 1") != NULL;
	if (!frozen)
		return 0;
	err_set(e, EBUSY, "control group %s would be frozen: one above it is", cg->path);
	return err_hint(e, "thaw that first");
}

static int try_open(const char *mount, const char *path, int *fd, struct err *e)
{
	char dir[512];

	snprintf(dir, sizeof(dir), "%s/%s", mount, path);
	*fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd >= 0)
		return 1;
	*fd = -EBADF;
	return errno == ENOENT ? 0 : err_sys(e, "open %s", dir);
}

/* What is there already is an empty left-over, which goes, or somebody's, which is refused. */
static int clear_left_over(const char *mount, const char *path, struct err *e)
{
	auto_fd int root = -EBADF;
	auto_fd int dir = -EBADF;
	int rc = try_open(mount, path, &dir, e);

	if (rc <= 0)
		return rc;
	root = open_root(mount, e);
	if (root < 0)
		return root;
	if (cg_dir_frozen(dir)) {
		err_set(e, EEXIST, "control group %s/%s exists and is frozen", mount, path);
		err_hint(e, "thaw and remove it, if nobody needs it");
		return err_class(e, ERR_EXISTS);
	}
	rc = cg_tree_remove(root, path, e);
	if (rc != -EBUSY)
		return rc;
	err_clear(e);
	err_set(e, EEXIST, "control group %s/%s exists and has processes", mount, path);
	err_hint(e, "see %s/%s/cgroup.procs", mount, path);
	return err_class(e, ERR_EXISTS);
}

static int each_mount_clear(const struct cg_host *host, const char *path, struct err *e)
{
	if (host->unified[0] && clear_left_over(host->unified, path, e) < 0)
		return -e->no;
	for (int c = 0; c < CG_CONTROLLER_COUNT; c++)
		if (host->ctl[c].version == 1 && clear_left_over(host->ctl[c].mount, path, e) < 0)
			return -e->no;
	return 0;
}

/* The group itself is where the processes are, too. */
static int be_ct(struct cg *cg, struct err *e)
{
	int fd = fcntl(cg->v2, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return err_sys(e, "copy the descriptor of control group %s", cg->path);
	cg->ct = fd;
	return 0;
}

/* No process may be in a group that has controllers for its children (cgroups(7), "no internal processes"). */
static int move_down(const struct cg_host *host, int from, int to, pid_t holder, const char *path,
		     struct err *e)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", holder);
	if (file_write_at(to, "cgroup.procs", text, e) < 0)
		return err_wrap(e, "control group %s", path);
	cg_enable_usual(host, from, path);
	return 0;
}

/* holder: see cg_adopt(); 0: nobody is in there. */
static int make_ct(const struct cg_host *host, struct cg *cg, pid_t holder, struct err *e)
{
	struct err ignored = {0};

	if (file_write_at(cg->v2, "cgroup.max.depth", CT_MOST_DEPTH, &ignored) < 0 ||
	    file_write_at(cg->v2, "cgroup.max.descendants", CT_MOST_DESCENDANTS, &ignored) < 0)
		log_warn("control group %s: its depth is not bounded: %s", cg->path, ignored.text);
	if (!holder)
		cg_enable_usual(host, cg->v2, cg->path);
	if (mkdirat(cg->v2, "ct", 0755) && errno != EEXIST)
		return err_sys(e, "make control group %s/ct", cg->path);
	cg->ct = openat(cg->v2, "ct", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (cg->ct < 0)
		return err_sys(e, "open control group %s/ct", cg->path);
	return holder ? move_down(host, cg->v2, cg->ct, holder, cg->path, e) : 0;
}

static void handle_init(struct cg *cg, const char *path)
{
	*cg = (struct cg)CG_INIT;
	snprintf(cg->path, sizeof(cg->path), "%s", path);
}

/* Of what is there of mount/path, the lowest directory is one that we may make others in. */
static bool may_make(const char *mount, const char *path)
{
	char dir[512];
	size_t top = strlen(mount);

	snprintf(dir, sizeof(dir), "%s/%s", mount, path);
	while (strlen(dir) > top && faccessat(AT_FDCWD, dir, F_OK, AT_EACCESS) < 0)
		*strrchr(dir, '/') = '\0';
	return faccessat(AT_FDCWD, dir, W_OK, AT_EACCESS) == 0;
}

bool cg_may_create(const char *path)
{
	struct err ignored = {0};
	const struct cg_host *host = cg_host(&ignored);
	bool may = host && check_path(path, &ignored) == 0 &&
		   (!host->unified[0] || may_make(host->unified, path));

	for (int c = 0; may && c < CG_CONTROLLER_COUNT; c++)
		may = host->ctl[c].version != 1 || may_make(host->ctl[c].mount, path);
	return may;
}

int cg_vacate(const char *path, struct err *e)
{
	const struct cg_host *host = cg_host(e);

	return !host || check_path(path, e) < 0 || each_mount_clear(host, path, e) < 0 ? -e->no : 0;
}

static int make_v1(const struct cg_host *host, struct cg *cg, struct err *e)
{
	for (int c = 0; c < CG_CONTROLLER_COUNT; c++) {
		if (host->ctl[c].version != 1)
			continue;
		cg->v1[c] = make_path(host, host->ctl[c].mount, cg->path, e);
		if (cg->v1[c] < 0)
			return cg->v1[c];
	}
	return 0;
}

int cg_adopt(const char *path, pid_t holder, bool inner, struct cg *cg, struct err *e)
{
	const struct cg_host *host = cg_host(e);
	int r;

	handle_init(cg, "");
	if (!host || check_path(path, e) < 0)
		return -e->no;
	handle_init(cg, path);
	if (!host->unified[0]) {
		err_set(e, EOPNOTSUPP, "control group %s of systemd's: no cgroup2 is mounted",
			path);
		return err_class(e, ERR_UNSUPPORTED);
	}
	r = try_open(host->unified, path, &cg->v2, e);
	if (r == 0)
		r = err_set(e, ENOENT, "control group %s is not in %s", path, host->unified);
	if (r >= 0)
		r = inner ? make_ct(host, cg, holder, e) : be_ct(cg, e);
	if (r >= 0)
		r = make_v1(host, cg, e);
	if (r < 0)
		cg_close(cg);
	return r;
}

int cg_descend(const char *path, const char *name, pid_t holder, struct err *e)
{
	const struct cg_host *host = cg_host(e);
	auto_fd int top = -EBADF;
	auto_fd int below = -EBADF;
	int r;

	/* Without a unified hierarchy cg_adopt() says what is the matter. */
	if (!host || check_path(path, e) < 0 || !host->unified[0])
		return -e->no;
	r = try_open(host->unified, path, &top, e);
	if (r <= 0)
		return r;
	if (mkdirat(top, name, 0755) && errno != EEXIST)
		return err_sys(e, "make control group %s/%s", path, name);
	below = openat(top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (below < 0)
		return err_sys(e, "open control group %s/%s", path, name);
	return move_down(host, top, below, holder, path, e);
}

int cg_create(const char *path, struct cg *cg, struct err *e)
{
	handle_init(cg, "");
	return cg_vacate(path, e) < 0 ? -e->no : cg_make(path, true, cg, e);
}

int cg_make(const char *path, bool inner, struct cg *cg, struct err *e)
{
	const struct cg_host *host = cg_host(e);
	struct err ignored = {0};

	handle_init(cg, "");
	if (!host || check_path(path, e) < 0)
		return -e->no;
	handle_init(cg, path);
	if (host->unified[0]) {
		cg->v2 = make_path(host, host->unified, path, e);
		if (cg->v2 < 0 || (inner ? make_ct(host, cg, 0, e) : be_ct(cg, e)) < 0)
			goto undo;
	}
	if (make_v1(host, cg, e) < 0 || refuse_frozen(cg, e) < 0)
		goto undo;
	return 0;
undo:
	cg_close(cg);
	if (cg_destroy(path, 0, &ignored) < 0)
		log_warn("control group %s is left behind: %s", path, ignored.text);
	return -e->no;
}

/* Where the processes are: in it, if it was made with an inner level. */
static int open_inner(struct cg *cg, struct err *e)
{
	int fd = openat(cg->v2, "ct", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0)
		cg->ct = fd;
	else if (errno == ENOENT)
		return be_ct(cg, e);
	return 0; /* else it is being removed */
}

int cg_open(const char *path, struct cg *cg, struct err *e)
{
	const struct cg_host *host = cg_host(e);
	int found = 0, rc;

	handle_init(cg, "");
	if (!path[0]) {
		err_set(e, EOPNOTSUPP, "the container has no control group");
		err_hint(e,
			 "it was made with --cgroup-manager disabled, or without the right to one");
		return err_class(e, ERR_UNSUPPORTED);
	}
	if (!host || check_path(path, e) < 0)
		return -e->no;
	handle_init(cg, path);
	if (host->unified[0]) {
		rc = try_open(host->unified, path, &cg->v2, e);
		if (rc < 0)
			return rc;
		found += rc;
		if (rc && open_inner(cg, e) < 0) {
			cg_close(cg);
			return -e->no;
		}
	}
	for (int c = 0; c < CG_CONTROLLER_COUNT; c++) {
		rc = host->ctl[c].version == 1 ? try_open(host->ctl[c].mount, path, &cg->v1[c], e)
					       : 0;
		if (rc < 0) {
			cg_close(cg);
			return rc;
		}
		found += rc;
	}
	return found ? 0 : err_set(e, ENOENT, "control group %s does not exist", path);
}

void cg_close(struct cg *cg)
{
	own_close_fd(&cg->v2);
	own_close_fd(&cg->ct);
	for (int c = 0; c < CG_CONTROLLER_COUNT; c++)
		own_close_fd(&cg->v1[c]);
}

int cg_destroy(const char *path, int wait_ms, struct err *e)
{
	const struct cg_host *host = cg_host(e);
	uint64_t until = log_now_ns() + (uint64_t)(wait_ms > 0 ? wait_ms : 0) * 1000000u;

	if (!host || check_path(path, e) < 0)
		return -e->no;
	/* On past a failure: what can go, goes; the first failure is reported. */
	if (host->unified[0])
		cg_tree_remove_wait(host->unified, path, until, e);
	for (int c = 0; c < CG_CONTROLLER_COUNT; c++)
		if (host->ctl[c].version == 1)
			cg_tree_remove_wait(host->ctl[c].mount, path, until, e);
	return -e->no;
}

int cg_each_dir(const char *path, void (*fn)(const char *dir, void *arg), void *arg, struct err *e)
{
	const struct cg_host *host = cg_host(e);
	char dir[512];

	if (!host || check_path(path, e) < 0)
		return -e->no;
	for (int c = -1; c < CG_CONTROLLER_COUNT; c++) {
		const char *mount = c < 0 ? host->unified : host->ctl[c].mount;
		bool seen = !mount[0] || (c >= 0 && host->ctl[c].version != 1);

		for (int b = 0; b < c && !seen; b++)
			seen = !strcmp(mount, host->ctl[b].mount); /* cpu and cpuacct in one */
		if (seen)
			continue;
		snprintf(dir, sizeof(dir), "%s/%s", mount, path);
		fn(dir, arg);
	}
	return 0;
}

bool cg_has_inner(const struct cg *cg)
{
	struct stat above, st;

	return cg->ct >= 0 && fstat(cg->v2, &above) == 0 && fstat(cg->ct, &st) == 0 &&
	       st.st_ino != above.st_ino;
}

int cg_v2_fd(const struct cg *cg)
{
	return cg->ct;
}
