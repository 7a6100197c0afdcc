// SPDX-License-Identifier: GPL-2.0-only
/* Freezing and thawing: cgroup.freeze with its event, or the v1 freezer. */
#include "cgroups/freezer.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/group.h"
#include "cgroups/hierarchy.h"
#include "cgroups/tree.h"

/* The v1 freezer tells nobody when it is done, so it is asked this often. */
#define V1_LOOK_MS 1

static int no_freezer(const struct cg *cg, struct err *e)
{
	err_set(e, EOPNOTSUPP, "control group %s cannot be frozen: this host has no freezer",
		cg->path);
	err_hint(e, "mount cgroup2, or the v1 freezer controller");
	return err_class(e, ERR_UNSUPPORTED);
}

static bool has_v2(const struct cg *cg)
{
	/* That we cannot tell is no reason to take another freezer: what is to be done with this one then fails by itself. */
	return cg->v2 >= 0 && (!faccessat(cg->v2, "cgroup.freeze", F_OK, 0) || errno != ENOENT);
}

static int v1_state(const struct cg *cg, char state[16], struct err *e)
{
	auto_free char *text = NULL;

	if (file_read_at(cg->v1[CG_FREEZER], "freezer.state", 64, &text, e) < 0)
		return -e->no;
	text[strcspn(text, "\n")] = '\0';
	strncpy(state, text, 15);
	state[15] = '\0';
	return 0;
}

/*
 * FROZEN is written again each time: a process forked or moved in meanwhile can keep the state at FREEZING for ever otherwise
 * (Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst allows exactly that).
 */
static int v1_set(const struct cg *cg, const char *want, int wait_ms, struct err *e)
{
	uint64_t until = log_now_ns() + (uint64_t)(wait_ms > 0 ? wait_ms : 0) * 1000000u;
	char state[16];

	for (;;) {
		if (file_write_at(cg->v1[CG_FREEZER], "freezer.state", want, e) < 0)
			return -e->no;
		if (v1_state(cg, state, e) < 0)
			return -e->no;
		if (!strcmp(state, want))
			return 0;
		if (log_now_ns() >= until)
			return -ETIMEDOUT;
		poll(NULL, 0, V1_LOOK_MS);
	}
}

static int v2_set(const struct cg *cg, bool freeze, int wait_ms, struct err *e)
{
	int rc;

	if (file_write_at(cg->v2, "cgroup.freeze", freeze ? "1" : "0", e) < 0)
		return -e->no;
	rc = cg_event_wait(cg->v2, "frozen", freeze, wait_ms, e);
	if (rc == -ENOENT && !e->no)
		return err_set(e, ENOENT, "control group %s is gone", cg->path);
	return rc;
}

int cg_freeze(const struct cg *cg, int wait_ms, struct err *e)
{
	bool v2 = has_v2(cg);
	struct err ignored = {0};
	int rc;

	if (!v2 && cg->v1[CG_FREEZER] < 0)
		return no_freezer(cg, e);
	rc = v2 ? v2_set(cg, true, wait_ms, e) : v1_set(cg, "FROZEN", wait_ms, e);
	if (rc >= 0)
		return 0;
	if (file_write_at(v2 ? cg->v2 : cg->v1[CG_FREEZER], v2 ? "cgroup.freeze" : "freezer.state",
			  v2 ? "0" : "THAWED", &ignored) < 0)
		log_warn("control group %s may be half frozen: %s", cg->path, ignored.text);
	if (rc != -ETIMEDOUT || e->no)
		return err_wrap(e, "freeze %s", cg->path);
	err_set(e, ETIMEDOUT, "control group %s did not freeze within %d ms", cg->path, wait_ms);
	err_hint(e, "a process may be in an uninterruptible wait: ps -eo pid,stat,wchan,comm");
	return -ETIMEDOUT;
}

int cg_thaw(const struct cg *cg, int wait_ms, struct err *e)
{
	int rc = 0;

	if (has_v2(cg))
		rc = v2_set(cg, false, wait_ms, e);
	if (rc >= 0 && cg->v1[CG_FREEZER] >= 0)
		rc = v1_set(cg, "THAWED", wait_ms, e);
	else if (!has_v2(cg))
		return no_freezer(cg, e);
	if (rc == -ETIMEDOUT && !e->no)
		return err_set(e, ETIMEDOUT, "control group %s did not thaw within %d ms", cg->path,
			       wait_ms);
	return rc < 0 ? err_wrap(e, "thaw %s", cg->path) : 0;
}

int cg_freezer_watch(const struct cg *cg, struct err *e)
{
	auto_fd int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	bool v2 = has_v2(cg);
	char path[64];

	if (!v2 && cg->v1[CG_FREEZER] < 0)
		return no_freezer(cg, e);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", v2 ? cg->v2 : cg->v1[CG_FREEZER],
		 v2 ? "cgroup.freeze" : "freezer.state");
	if (fd < 0 || inotify_add_watch(fd, path, IN_MODIFY) < 0)
		return err_sys(e, "watch the freezer of control group %s", cg->path);
	return take_fd(&fd);
}

int cg_hold(const struct cg *cg, bool held, struct err *e)
{
	if (!has_v2(cg))
		return -EOPNOTSUPP;
	return file_write_at(cg->v2, "cgroup.freeze", held ? "1" : "0", e);
}

int cg_freeze_path(const struct cg *cg, char *path, size_t size, struct err *e)
{
	const struct cg_host *host = cg_host(e);

	if (!host)
		return -e->no;
	if (!host->unified[0] || !has_v2(cg))
		return -EOPNOTSUPP;
	if ((size_t)snprintf(path, size, "%s/%s/cgroup.freeze", host->unified, cg->path) >= size)
		return err_set(e, ENAMETOOLONG, "the path of control group %s is too long",
			       cg->path);
	return 0;
}

static int v2_frozen(const struct cg *cg, struct err *e)
{
	uint64_t v = 0;
	int rc = has_v2(cg) ? file_read_u64_at(cg->v2, "cgroup.freeze", &v, e) : 0;

	if (rc < 0)
		return e->no ? -e->no : err_set(e, ENOENT, "control group %s is gone", cg->path);
	return v != 0;
}

static int v1_frozen(const struct cg *cg, struct err *e)
{
	char state[16];

	if (cg->v1[CG_FREEZER] < 0)
		return 0;
	return v1_state(cg, state, e) < 0 ? -e->no : strcmp(state, "THAWED") != 0;
}

int cg_frozen(const struct cg *cg, struct err *e)
{
	int rc = v2_frozen(cg, e);

	return rc ? rc : v1_frozen(cg, e);
}

int cg_frozen_path(const struct cg *cg, char *path, size_t size, struct err *e)
{
	const struct cg_host *host = cg_host(e);
	int v2 = host ? v2_frozen(cg, e) : -e->no, rc = v2 ? v2 : v1_frozen(cg, e);

	if (rc > 0 &&
	    (size_t)snprintf(path, size, "%s/%s", v2 ? host->unified : host->ctl[CG_FREEZER].mount,
			     cg->path) >= size)
		return err_set(e, ENAMETOOLONG, "the path of control group %s is too long",
			       cg->path);
	return rc;
}

bool cg_dir_frozen(int dir)
{
	auto_free char *state = NULL;
	struct err ignored = {0};
	uint64_t frozen = 0;

	if (file_read_u64_at(dir, "cgroup.freeze", &frozen, &ignored) >= 0 && frozen)
		return true;
	return file_try_read_at(dir, "freezer.state", 64, &state, &ignored) >= 0 &&
	       strncmp(state, "THAWED", 6) != 0;
}
