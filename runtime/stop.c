// SPDX-License-Identifier: GPL-2.0-only
/* The end of a container: asked for first, then made. */
#include "runtime/container.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/freezer.h"
#include "runtime/remains.h"

#define NS	 1000000000ull
#define SILENT_S 2 /* a stop that is done by then needs no words */

static int not_running(const struct ct *ct, struct err *e)
{
	err_set(e, ESRCH, "container %s is not running", ct->s.id);
	return err_class(e, ERR_NOT_RUNNING);
}

/* A frozen container hears nothing: it is thawed after the signal is queued, so that the signal is the first thing it sees. */
static int thaw(const struct ct *ct, struct err *e)
{
	auto_cg struct cg cg = CG_INIT;
	int r = cg_open(ct->s.cgroup, &cg, e);

	return r < 0 ? r : cg_thaw(&cg, CT_KILL_WAIT_MS, e);
}

/* 1: it has ended; 0: the time is over. */
static int wait_until(int pidfd, uint64_t until, struct err *e)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	for (;;) {
		uint64_t now = log_now_ns();
		uint64_t left_ms = now < until ? (until - now + 999999u) / 1000000u : 0;
		int r = poll(&p, 1, left_ms > 60000 ? 60000 : (int)left_ms);

		if (r < 0 && errno != EINTR)
			return err_sys(e, "wait for init to end");
		if (r > 0)
			return 1;
		if (r == 0 && left_ms <= 60000)
			return 0;
	}
}

/* Whoever waits with us is told for how long that may be. */
static int wait_end(const struct ct *ct, int pidfd, int timeout_s, struct err *e)
{
	uint64_t began = log_now_ns();
	int ended;

	if (timeout_s > SILENT_S) {
		ended = wait_until(pidfd, began + SILENT_S * NS, e);
		if (ended)
			return ended;
		log_warn("container %s: waits up to %d s for it to end, then it is killed",
			 ct->s.id, timeout_s);
	}
	return wait_until(pidfd, began + (uint64_t)timeout_s * NS, e);
}

int ct_stop(struct ct *ct, int timeout_s, struct err *e)
{
	int sig = ct->s.stop_signal > 0 ? ct->s.stop_signal : SIGTERM;
	auto_fd int pidfd = -EBADF;
	enum ct_status status;
	int ended;

	if (ct_may(ct, CT_EVENT_STOP, &status, e) < 0)
		return -e->no;
	pidfd = ct_init_open(ct, e);
	if (pidfd < 0)
		return pidfd == -ESRCH ? not_running(ct, e) : pidfd;
	if (fault_at("stop.signal", e) < 0)
		return -e->no;
	if (timeout_s < 0)
		timeout_s = ct->s.stop_timeout_s;
	/* One that was never started has no program that could hear the signal: what waits there is our own init. */
	if (status == CT_CREATED)
		timeout_s = 0;
	else if (pidfd_send_signal(pidfd, sig, NULL, 0) < 0 && errno != ESRCH)
		return err_sys(e, "container %s: send stop signal %d", ct->s.id, sig);
	if (status == CT_PAUSED && thaw(ct, e) < 0)
		return err_wrap(e, "container %s", ct->s.id);
	ended = wait_end(ct, pidfd, timeout_s, e);
	if (ended < 0)
		return ended;
	/* Also after a good end: without a pid namespace of its own, init's end leaves its children. */
	if (ct_destroy_processes(ct, e) < 0)
		return -e->no;
	return ended ? 0 : 1;
}
