// SPDX-License-Identifier: GPL-2.0-only
/* Fork, make the container as init's parent, report, become the monitor. */
#include "runtime/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/sync.h"
#include "cgroups/leaf.h"
#include "ns/fds.h"
#include "ns/self.h"
#include "runtime/monitor.h"
#include "runtime/monitor_group.h"

/* X(NAME, "name"): what the guardian tells the command, in this order. */
#define TELLS(X)                                              \
	X(MADE, "made")	      /* init runs; value: its pid */ \
	X(MONITOR, "monitor") /* an error, or the stream's end: the exec */

enum tell {
#define X(name, word) TELL_##name,
	TELLS(X)
#undef X
};

static const char *tell_to_str(unsigned step)
{
	static const char *const names[] = {
#define X(name, word) [TELL_##name] = word,
		TELLS(X)
#undef X
	};

	return step < ARRAY_SIZE(names) ? names[step] : "unknown";
}

/*
 * A process of its own: no terminal, no descriptor of the caller's, no signal that was meant for it; but it ends with it. Its standard error stays until it is the
 * monitor, for the notices on the way.
 */
static int detach(const struct ct_system *s, const struct ct_guardian_task *task, int sock,
		  pid_t parent, struct err *e)
{
	auto_free int *keep = calloc(3 + task->n_keep, sizeof(int));
	size_t n = 0;
	int null, r = ns_self_die_with_parent(parent, e);

	if (r < 0)
		return r;
	if (!keep)
		return err_set(e, ENOMEM, "out of memory for descriptors");
	if (setsid() < 0)
		return err_sys(e, "leave the terminal");
	keep[n++] = sock;
	keep[n++] = s->dir;
	keep[n++] = s->lock;
	for (size_t i = 0; i < task->n_keep; i++)
		keep[n++] = task->keep[i];
	r = ns_fds_close_others(keep, n, e);
	if (r < 0)
		return r;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		return err_sys(e, "open /dev/null");
	if (null > 2)
		close(null);
	if (chdir("/") < 0)
		return err_sys(e, "enter /");
	return ns_self_name("skep:guardian", e);
}

/* Who runs at the end: this program, with the same roots. */
static int become_monitor(struct ct_system *s, struct ct *ct, const struct ct_created *made,
			  struct err *e)
{
	char self[PATH_MAX], log_path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *const at_end[] = {self,	      "--root", s->host->root, "--state",
				      s->host->state, "reap",	s->d.name,     NULL};
	const struct ct_monitor how = {.ct = ct,
				       .pidfd = made->pidfd,
				       .console = made->console,
				       .data_dir = s->dir,
				       .log_path = log_path,
				       .at_end = at_end};

	if (n < 0)
		return err_sys(e, "read /proc/self/exe");
	self[n] = 0;
	if (dup2(0, 2) < 0)
		return err_sys(e, "let go of standard error");
	if (snprintf(log_path, sizeof(log_path), "%s/ct/%s/console.log", s->host->root,
		     s->d.name) >= (int)sizeof(log_path))
		return err_set(e, ENAMETOOLONG, "the path of console.log is too long");
	return ct_monitor_become(&how, e);
}

static int record_monitor(struct ct *ct, struct err *e)
{
	int r;

	if (ct->s.monitor == getpid())
		return 0; /* by who made it, in time */
	r = proc_start_time(getpid(), &ct->s.monitor_start, e);
	ct->s.monitor = getpid();
	return r < 0 ? r : ct_state_save(ct, e);
}

/* I am a child of the command and will be the parent of init. */
static _Noreturn void guard(struct ct_system *s, const struct ct_guardian_task *task,
			    const struct cg_leaf *group, struct sync *sync, pid_t parent)
{
	struct ct ct = CT_INIT;
	struct ct_created made = {.pidfd = -EBADF, .console = -EBADF, .netns = -EBADF};
	struct err e = {0}, ignored = {0};
	enum tell tell = TELL_MADE;
	bool keep = false;
	int r = cg_leaf_enter(group, &e);

	if (r >= 0)
		r = detach(s, task, sync->fd, parent, &e);
	if (r >= 0)
		r = task->make(s, task->arg, &ct, &made, &e);
	keep = r >= 0 && task->no_way_back;
	if (r >= 0)
		r = record_monitor(&ct, &e);
	if (r >= 0)
		r = fault_at("start.monitor", &e);
	/* From here on the container outlives the command. */
	if (r >= 0 && prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0)
		r = err_sys(&e, "outlive the command");
	if (r >= 0)
		r = sync_send(sync, TELL_MADE, SYNC_OK, ct.s.pid, -EBADF, keep ? &ignored : &e);
	/* A command that was killed hears nothing; what cannot be made again gets its monitor all the same. */
	if (r >= 0 || (keep && !e.no)) {
		tell = TELL_MONITOR;
		(void)become_monitor(s, &ct, &made, &e); /* returned: e says why */
	}
	if (keep)
		err_hint(&e,
			 "the container runs, but nobody keeps its console log; stop and start it");
	else if (ct.dir >= 0 && ct_delete(&ct, true, &ignored) < 0)
		log_warn("clean up after a failed %s: %s", task->name, ignored.text);
	(void)fault_at("guardian.undone", &ignored);
	sync_send_error(sync, tell, &e);
	_exit(1);
}

static int hear(struct sync *sync, const char *verb, pid_t *init, struct err *e)
{
	int64_t pid = 0;
	int r = sync_peek(sync, 0, e);

	if (r < 0)
		return r;
	if (r == 0) {
		err_set(e, EPIPE, "the process that was to %s it was killed in the middle of that",
			verb);
		return err_hint(
			e,
			"try again; if the host was out of memory, its kernel's log says so (dmesg)");
	}
	r = sync_expect(sync, TELL_MADE, SYNC_OK, &pid, NULL, e);
	if (r < 0)
		return r;
	*init = (pid_t)pid;
	/* The end of the stream is the monitor's exec: its descriptor is CLOEXEC. */
	r = sync_peek(sync, 0, e);
	return r > 0 ? sync_expect(sync, TELL_MONITOR, SYNC_OK, NULL, NULL, e) : r;
}

/*
 * What a guardian that was killed before its container ran left behind: init waits for a word that nobody will say. We hold s's lock, so no other
 * guardian is at work. One that runs is left alone: a resume has no images of it any more.
 */
static int clear_half_made(struct ct_system *s, const char *verb, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;

	if (ct_open(s->host->state, s->d.name, verb, &ct, e) < 0) {
		if (e->class != ERR_NO_SUCH_CT)
			return -e->no;
		err_clear(e);
		return 0;
	}
	if (!ct_state_is_system(&ct) || (ct.s.status != CT_CREATING && ct.s.status != CT_CREATED))
		return 0;
	return ct_delete(&ct, true, e);
}

int ct_guardian_run(struct ct_system *s, const struct ct_guardian_task *task, pid_t *init,
		    struct err *e)
{
	struct sync sync = {.fd = -EBADF, .peer = "the guardian", .step_to_str = tell_to_str};
	auto_fd int ours = -EBADF;
	auto_fd int theirs = -EBADF;
	auto_leaf struct cg_leaf group = CG_LEAF_INIT;
	struct err ignored = {0};
	pid_t parent = getpid(), pid;
	int r = clear_half_made(s, task->name, e);

	if (r >= 0)
		r = sync_pair(&ours, &theirs, e);
	if (r >= 0)
		r = ct_monitor_group_open(s->d.name, s->host->state, &group, e);
	if (r < 0)
		return r;
	pid = cg_leaf_fork(&group, e);
	if (pid == 0) {
		close(ours);
		sync.fd = theirs;
		sync.peer = "the command";
		guard(s, task, &group, &sync, parent);
	}
	own_close_fd(&theirs);
	sync.fd = ours;
	r = pid < 0 ? pid : hear(&sync, task->name, init, e);
	if (r < 0) {
		while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		if (clear_half_made(s, task->name, &ignored) < 0)
			log_warn("clean up after a failed %s: %s", task->name, ignored.text);
		ct_monitor_group_remove(s->d.name, s->host->state);
		return r;
	}
	return 0;
}
