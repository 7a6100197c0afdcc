// SPDX-License-Identifier: GPL-2.0-only
/* What is true of a container now, and what may be done with it then: a table state x event. */
#include "runtime/state.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "cgroups/freezer.h"
#include "cgroups/group.h"

static const char *const event_words[] = {
#define X(name, word) [CT_EVENT_##name] = word,
	CT_EVENTS(X)
#undef X
};

/* Why an event is refused; OK: it is not. X(name, errno, class, "container ID <why>", hint or NULL) */
#define WHYS(X)                                                                              \
	X(OK, 0, SYSTEM, "", NULL)                                                           \
	X(MAKING, EBUSY, LOCKED, "is just being created", "wait until it is, or try again")  \
	X(NOT_STARTED, EINVAL, NOT_RUNNING, "is created, but not started", "start it first") \
	X(RUNS, EBUSY, RUNNING, "is running", NULL)                                          \
	X(RUNS_FORCE, EBUSY, RUNNING, "is running", "stop it first, or use --force")         \
	X(LIVES_FORCE, EBUSY, RUNNING, "is not stopped", "kill it first, or use --force")    \
	X(NOT_PAUSED, EINVAL, RUNNING, "is running, not paused", NULL)                       \
	X(PAUSED, EBUSY, NOT_RUNNING, "is paused", "resume it first")                        \
	X(PAUSED_NOW, EBUSY, NOT_RUNNING, "is paused already", NULL)                         \
	X(PAUSED_FORCE, EBUSY, RUNNING, "is paused", "stop it first, or use --force")        \
	X(GONE, ESRCH, NOT_RUNNING, "is not running", NULL)                                  \
	X(ENDED, ESRCH, NOT_RUNNING, "has ended already", "delete it and create it again")

enum why {
#define X(name, ...) WHY_##name,
	WHYS(X)
#undef X
};

static const struct {
	int no;
	enum err_class class;
	const char *text, *hint;
} whys[] = {
#define X(name, errno_, class_, text_, hint_) [WHY_##name] = {errno_, ERR_##class_, text_, hint_},
	WHYS(X)
#undef X
};

#define EVENT_COUNT ARRAY_SIZE(event_words)

/* clang-format off */
static const unsigned char may[][EVENT_COUNT] = {
	/*              START            EXEC         KILL      STOP      PAUSE            RESUME           SUSPEND          CHECKPOINT       UPDATE    DELETE */
	[CT_CREATING] = {WHY_MAKING,     WHY_MAKING,  WHY_MAKING, WHY_MAKING, WHY_MAKING,  WHY_MAKING,      WHY_MAKING,      WHY_MAKING,      WHY_MAKING, WHY_OK},
	[CT_CREATED]  = {WHY_OK,         WHY_OK,      WHY_OK,   WHY_OK,   WHY_OK,          WHY_NOT_STARTED, WHY_NOT_STARTED, WHY_NOT_STARTED, WHY_OK,   WHY_LIVES_FORCE},
	[CT_RUNNING]  = {WHY_RUNS,       WHY_OK,      WHY_OK,   WHY_OK,   WHY_OK,          WHY_NOT_PAUSED,  WHY_OK,          WHY_OK,          WHY_OK,   WHY_RUNS_FORCE},
	[CT_PAUSED]   = {WHY_PAUSED,     WHY_PAUSED,  WHY_OK,   WHY_OK,   WHY_PAUSED_NOW,  WHY_OK,          WHY_PAUSED,      WHY_OK,          WHY_OK,   WHY_PAUSED_FORCE},
	[CT_STOPPED]  = {WHY_ENDED,      WHY_GONE,    WHY_GONE, WHY_GONE, WHY_GONE,        WHY_GONE,        WHY_GONE,        WHY_GONE,        WHY_GONE, WHY_OK},
};
/* clang-format on */

int ct_init_open(const struct ct *ct, struct err *e)
{
	auto_fd int pidfd = -EBADF;
	struct pollfd ended = {.events = POLLIN};
	int r;

	if (ct->s.pid <= 0 || ct->s.stale)
		return -ESRCH;
	r = pidfd = proc_open(ct->s.pid, ct->s.pid_start, e);
	if (r < 0)
		return r;
	/* A zombie that nobody has reaped yet still has a pidfd and a start time. It reads as ended. */
	ended.fd = pidfd;
	if (poll(&ended, 1, 0) == 1)
		return -ESRCH;
	return take_fd(&pidfd);
}

/* Whether somebody holds the lock: the creator, while the state says CREATING. */
static bool locked(const struct ct *ct)
{
	auto_fd int fd = -EBADF;

	if (ct->lock >= 0)
		return !ct->found;
	fd = openat(ct->dir, CT_LOCK_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* 1: frozen. A group that is gone is not. */
static int frozen(const struct ct *ct, struct err *e)
{
	auto_cg struct cg cg = CG_INIT;
	struct err why = {0};
	int r = ct->s.cgroup[0] ? cg_open(ct->s.cgroup, &cg, &why) : -ENOENT;

	if (r >= 0)
		r = cg_frozen(&cg, &why);
	if (r == -ENOENT)
		return 0;
	if (r < 0 && !e->no)
		*e = why;
	return r;
}

int ct_status(const struct ct *ct, enum ct_status *status, struct err *e)
{
	auto_fd int pidfd = -EBADF;
	int r;

	*status = CT_STOPPED;
	if (ct->s.stale)
		return 0;
	if (ct->s.status == CT_CREATING && !locked(ct))
		return 0;
	if (ct->s.status == CT_CREATING && !ct->s.hooked) {
		*status = CT_CREATING;
		return 0;
	}
	pidfd = ct_init_open(ct, e);
	if (pidfd < 0)
		return pidfd == -ESRCH ? 0 : pidfd;
	r = frozen(ct, e);
	if (r < 0)
		return err_wrap(e, "container %s", ct->s.id);
	*status = r ? CT_PAUSED : ct->s.hooked ? CT_CREATED : ct->s.status;
	return 0;
}

/* Its state replaced (a rename), its lock let go of (the last close of one who could write to it), its directory taken away. */
static int watch_creator(const struct ct *ct, struct err *e)
{
	auto_fd int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", ct->dir);
	if (fd < 0 ||
	    inotify_add_watch(fd, path,
			      IN_MOVED_TO | IN_CLOSE_WRITE | IN_MOVE_SELF | IN_DELETE_SELF) < 0)
		return err_sys(e, "watch the state of container %s", ct->s.id);
	return take_fd(&fd);
}

int ct_await_creator(struct ct *ct, struct err *e)
{
	uint64_t until = log_now_ns() + CT_LOCK_WAIT_MS * 1000000ull, now;
	auto_fd int watch = -EBADF;
	char events[4096];

	if (ct->s.stale || ct->s.status != CT_CREATING || ct->s.hooked || !locked(ct))
		return 0;
	watch = watch_creator(ct, e);
	if (watch < 0)
		return watch;
	while ((now = log_now_ns()) < until) {
		struct pollfd p = {.fd = watch, .events = POLLIN};

		/* Behind the watch, or behind the last event: what comes later wakes us. */
		if (ct_state_reload(ct, e) < 0)
			return -e->no;
		if (ct->s.status != CT_CREATING || ct->s.hooked || !locked(ct))
			break;
		if (poll(&p, 1, (int)((until - now) / 1000000) + 1) < 0 && errno != EINTR)
			return err_sys(e, "wait for the creator of container %s", ct->s.id);
		while (read(watch, events, sizeof(events)) > 0)
			;
	}
	return 1;
}

int ct_may(const struct ct *ct, enum ct_event event, enum ct_status *status, struct err *e)
{
	enum ct_status now;
	unsigned why;

	if (ct_status(ct, &now, e) < 0)
		return -e->no;
	if (status)
		*status = now;
	why = may[now][event];
	/* criu would take its first process, which is still ours, for the program. */
	if (event == CT_EVENT_CHECKPOINT && now == CT_PAUSED && ct->s.status == CT_CREATED)
		why = may[CT_CREATED][event];
	if (why == WHY_OK)
		return 0;
	err_set(e, whys[why].no, "cannot %s: container %s %s", event_words[event], ct->s.id,
		whys[why].text);
	if (whys[why].hint)
		err_hint(e, "%s", whys[why].hint);
	return err_class(e, whys[why].class);
}
