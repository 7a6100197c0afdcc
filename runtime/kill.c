// SPDX-License-Identifier: GPL-2.0-only
/* Signals to init, or to every process of a container; and the end of them all. */
#include "runtime/container.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/freezer.h"
#include "cgroups/kill.h"
#include "runtime/ledger.h"
#include "runtime/members.h"
#include "runtime/remains.h"

/* A container that forks while we signal is looked at again this often: a signal other than SIGKILL has no atomic form. */
#define SIGNAL_ROUNDS 8

static int not_running(const struct ct *ct, struct err *e)
{
	err_set(e, ESRCH, "container %s is not running", ct->s.id);
	return err_class(e, ERR_NOT_RUNNING);
}

/* All processes but with SIGKILL, which cg_kill() does at once. Those that are born meanwhile inherit nothing: look until all are known. */
static int signal_all(const struct ct *ct, int sig, struct err *e)
{
	auto_free pid_t *done = NULL;
	int done_count = 0;

	for (int round = 0; round < SIGNAL_ROUNDS; round++) {
		auto_free pid_t *pids = NULL;
		int count = ct_members(ct, &pids, e);
		bool fresh = false;

		if (count < 0)
			return count;
		for (int i = 0; i < count; i++) {
			bool known = false;

			for (int k = 0; k < done_count && !known; k++)
				known = done[k] == pids[i];
			if (known)
				continue;
			fresh = true;
			if (kill(pids[i], sig) < 0 && errno != ESRCH)
				return err_sys(e, "send signal %d to process %d", sig, pids[i]);
		}
		if (!fresh)
			return 0;
		free(done);
		done = take_ptr(&pids);
		done_count = count;
	}
	return 0;
}

/* SIGKILL ends a process frozen by cgroup v2 at once, but waits in one frozen by the v1 freezer until that thaws. */
static void thaw_v1(const struct cg *cg, int sig)
{
	struct err ignored = {0};

	if (sig == SIGKILL && cg_frozen(cg, &ignored) > 0 &&
	    cg_thaw(cg, CT_KILL_WAIT_MS, &ignored) < 0)
		log_warn("%s", ignored.text);
}

/* Without a pid namespace of its own a container's other processes outlive its init. Whether there were any. */
static bool kill_rest(const struct ct *ct)
{
	auto_cg struct cg cg = CG_INIT;
	auto_free pid_t *pids = NULL;
	struct err ignored = {0};

	if (ct->s.stale || !ct->s.cgroup[0] || cg_open(ct->s.cgroup, &cg, &ignored) < 0 ||
	    cg_pids(&cg, &pids, &ignored) <= 0 || cg_kill(&cg, &ignored) < 0)
		return false;
	thaw_v1(&cg, SIGKILL);
	return true;
}

int ct_kill(struct ct *ct, int sig, bool all, struct err *e)
{
	auto_cg struct cg cg = CG_INIT;
	auto_fd int pidfd = -EBADF;
	struct err why = {0};
	int r;

	if (ct_may(ct, CT_EVENT_KILL, NULL, e) < 0) {
		if (sig != SIGKILL || !kill_rest(ct))
			return -e->no;
		err_clear(e);
		return 0;
	}
	pidfd = ct_init_open(ct, e);
	if (pidfd < 0)
		return pidfd == -ESRCH ? not_running(ct, e) : pidfd;
	r = ct->s.cgroup[0] ? cg_open(ct->s.cgroup, &cg, &why) : 0;
	if (r < 0 && (all || r != -ENOENT)) {
		*e = why;
		return err_wrap(e, "container %s", ct->s.id);
	}
	/* Of one with a pid namespace of its own the kernel kills them all with its init; of one without they would go on. */
	if (sig == SIGKILL && ct->s.cgroup[0] && r >= 0)
		r = cg_kill(&cg, e);
	else if (all)
		r = signal_all(ct, sig, e);
	else if (pidfd_send_signal(pidfd, sig, NULL, 0) < 0)
		r = errno == ESRCH ? not_running(ct, e)
				   : err_sys(e, "container %s: signal %d", ct->s.id, sig);
	else
		r = 0;
	if (r >= 0 && ct->s.cgroup[0])
		thaw_v1(&cg, sig);
	return r < 0 ? r : 0;
}

/* A control group of the ledger: empty it. */
static int empty_group(enum ct_ledger_kind kind, const char *name, void *arg, struct err *e)
{
	auto_cg struct cg cg = CG_INIT;
	struct err why = {0};
	int r;

	(void)arg;
	if (kind != CT_LEDGER_CGROUP)
		return 0;
	r = cg_open(name, &cg, &why);
	if (r == -ENOENT)
		return 0;
	/* As a container that ended by itself leaves it; nobody but us puts a process into it, and not while we have the lock. */
	if (r >= 0 && cg_populated(&cg, &why) == 0)
		return 0;
	err_clear(&why);
	if (r >= 0)
		r = cg_kill(&cg, &why);
	if (r >= 0) {
		thaw_v1(&cg, SIGKILL);
		r = cg_wait_empty(&cg, CT_KILL_WAIT_MS, &why);
	}
	if (r < 0 && !e->no)
		*e = why;
	return r;
}

/* Init itself, too: between clone and its control group (v1) it is in none. */
static int end_init(struct ct *ct, struct err *e)
{
	auto_fd int pidfd = ct_init_open(ct, e);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	uint64_t until = log_now_ns() + (uint64_t)CT_KILL_WAIT_MS * 1000000u;

	if (pidfd < 0)
		return pidfd == -ESRCH ? 0 : pidfd;
	if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return err_sys(e, "kill init of container %s", ct->s.id);
	for (;;) {
		uint64_t now = log_now_ns();
		int r = poll(&p, 1, now < until ? (int)((until - now) / 1000000u) : 0);

		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return err_sys(e, "wait for init of container %s", ct->s.id);
		if (r == 0)
			break;
	}
	err_set(e, ETIMEDOUT, "init of container %s (process %d) does not die", ct->s.id,
		ct->s.pid);
	err_hint(e, "it hangs in the kernel: see /proc/%d/stack", ct->s.pid);
	return err_class(e, ERR_STOP);
}

int ct_destroy_processes(struct ct *ct, struct err *e)
{
	if (ct->s.stale)
		return 0;
	if (fault_at("stop.kill", e) < 0)
		return -e->no;
	if (ct_ledger_walk(ct->dir, empty_group, NULL, e) < 0 || end_init(ct, e) < 0) {
		err_wrap(e, "container %s", ct->s.id);
		return err_class(e, ERR_STOP);
	}
	return 0;
}

int ct_remains_clean(struct ct *ct, struct err *e)
{
	/* After another boot nothing of it exists, but its names may be somebody else's by now. */
	if (ct->s.stale)
		return 0;
	if (ct_destroy_processes(ct, e) < 0)
		return -e->no;
	if (fault_at("delete.ledger", e) < 0)
		return -e->no;
	/* Of a container that never ran, its failed creator may still have the network namespace open: the link would stay. */
	return ct_ledger_undo(ct->dir, ct->s.status == CT_RUNNING, e);
}
