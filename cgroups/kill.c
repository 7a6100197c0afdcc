// SPDX-License-Identifier: GPL-2.0-only
/* The processes of a container, from whichever hierarchy has them all. */
#include "cgroups/kill.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/freezer.h"
#include "cgroups/group.h"
#include "cgroups/tree.h"

/* v2 groups are bounded by group.c, v1 ones of name=systemd are not and are never walked. */
#define MOST_DEPTH 80

#define KILL_ROUNDS	   16
#define FREEZE_FOR_KILL_MS 500
#define V1_LOOK_MS	   2

struct pid_list {
	pid_t *pids;
	size_t count, room;
};

static int add_pid(struct pid_list *l, pid_t pid)
{
	if (l->count == l->room) {
		size_t room = l->room ? l->room * 2 : 64;
		pid_t *more = realloc(l->pids, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		l->pids = more;
		l->room = room;
	}
	l->pids[l->count++] = pid;
	return 0;
}

static int read_procs(int dir, const char *name, struct pid_list *l)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	auto_file FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	int pid;

	if (!f) {
		int cause = errno;

		if (fd >= 0)
			close(fd);
		return cause == ENOENT || cause == ENODEV ? 0 : -cause;
	}
	while (fscanf(f, "%d", &pid) == 1) {
		int rc = pid > 0 ? add_pid(l, pid) : 0; /* 0: not in our pid namespace */

		if (rc < 0)
			return rc;
	}
	/* A threaded group refuses cgroup.procs; its domain, above, lists the processes. */
	return ferror(f) && errno != EOPNOTSUPP && errno != ENODEV ? -errno : 0;
}

static int collect(int dir, unsigned depth, struct pid_list *l)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int rc = 0;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return errno == ENOENT ? 0 : -errno;
	}
	rc = read_procs(dir, "cgroup.procs", l);
	for (struct dirent *ent; rc >= 0 && (errno = 0, ent = readdir(d));) {
		auto_fd int child = -EBADF;

		if (ent->d_type != DT_DIR || ent->d_name[0] == '.')
			continue;
		if (depth == 0)
			return -ELOOP;
		child = openat(dir, ent->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (child >= 0)
			rc = collect(child, depth - 1, l);
		else if (errno != ENOENT && errno != ENODEV)
			rc = -errno;
	}
	/* It ends so, too, when the group is removed meanwhile. */
	return rc >= 0 && errno && errno != ENOENT && errno != ENODEV ? -errno : rc;
}

/* The directory whose subtree has every process. */
static int whole_dir(const struct cg *cg)
{
	static const enum cg_controller order[] = {CG_FREEZER, CG_PIDS, CG_MEMORY, CG_DEVICES,
						   CG_CPU};

	if (cg->v2 >= 0)
		return cg->v2;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (cg->v1[order[i]] >= 0)
			return cg->v1[order[i]];
	return -EBADF;
}

int cg_pids(const struct cg *cg, pid_t **pids, struct err *e)
{
	struct pid_list l = {0};
	int dir = whole_dir(cg), rc;

	*pids = NULL;
	rc = dir < 0 ? 0 : collect(dir, MOST_DEPTH, &l);
	if (rc < 0) {
		free(l.pids);
		return err_set(e, -rc, "list the processes of %s: %s", cg->path, strerror(-rc));
	}
	*pids = l.pids;
	return l.count > INT_MAX ? INT_MAX : (int)l.count;
}

/* One look at all: frozen first where that works, so that no fork slips past the list. */
static int signal_all(const struct cg *cg, struct err *e)
{
	auto_free pid_t *pids = NULL;
	struct err ignored = {0};
	bool frozen = cg_freeze(cg, FREEZE_FOR_KILL_MS, &ignored) >= 0;
	int count = cg_pids(cg, &pids, e);

	/* Only pids of this very listing, made while they cannot leave: a stale one could be somebody else by now. */
	for (int i = 0; i < count; i++)
		if (kill(pids[i], SIGKILL) && errno != ESRCH)
			err_sys(e, "kill process %d of %s", pids[i], cg->path);
	err_clear(&ignored);
	if (frozen && cg_thaw(cg, FREEZE_FOR_KILL_MS, &ignored) < 0)
		log_warn("%s", ignored.text);
	return e->no ? -e->no : count;
}

static int kill_by_signal(const struct cg *cg, struct err *e)
{
	for (int round = 0; round < KILL_ROUNDS; round++) {
		int count = signal_all(cg, e);

		if (count <= 0)
			return count;
		/* The killed need a moment to leave the list; whoever is in it next time slipped through or is dying. */
		poll(NULL, 0, V1_LOOK_MS);
	}
	return 0;
}

int cg_kill(const struct cg *cg, struct err *e)
{
	if (cg->v2 < 0 || faccessat(cg->v2, "cgroup.kill", F_OK, 0))
		return kill_by_signal(cg, e);
	return file_write_at(cg->v2, "cgroup.kill", "1", e) < 0 ? err_wrap(e, "kill %s", cg->path)
								: 0;
}

int cg_populated(const struct cg *cg, struct err *e)
{
	auto_free pid_t *pids = NULL;
	int rc;

	if (cg->v2 >= 0) {
		rc = cg_event_wait(cg->v2, "populated", 0, 0, e);
		if (rc == -ETIMEDOUT)
			return 1;
		return rc == -ENOENT && !e->no ? 0 : rc;
	}
	rc = cg_pids(cg, &pids, e);
	return rc > 0 ? 1 : rc;
}

int cg_wait_empty(const struct cg *cg, int wait_ms, struct err *e)
{
	uint64_t until = log_now_ns() + (uint64_t)(wait_ms > 0 ? wait_ms : 0) * 1000000u;
	int rc;

	if (cg->v2 >= 0) {
		rc = cg_event_wait(cg->v2, "populated", 0, wait_ms, e);
		if (rc == -ENOENT && !e->no)
			return 0;
		if (rc != -ETIMEDOUT || e->no)
			return rc;
	} else {
		while ((rc = cg_populated(cg, e)) > 0 && (wait_ms < 0 || log_now_ns() < until))
			poll(NULL, 0, V1_LOOK_MS); /* v1 has no event for it */
		if (rc <= 0)
			return rc;
	}
	return err_set(e, ETIMEDOUT, "control group %s still has processes after %d ms", cg->path,
		       wait_ms);
}
