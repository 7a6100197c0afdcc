// SPDX-License-Identifier: GPL-2.0-only
/* Stopping the clock of a container, and letting it go on. */
#include "runtime/container.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/own.h"
#include "cgroups/freezer.h"

/* Longest wait for the last process to stop: one in an uninterruptible wait holds up all. */
#define FREEZE_WAIT_MS 10000

/* A group above ours that is frozen by v1's controller is only seen by looking. */
#define LOOK_MS 1000

int ct_pause(struct ct *ct, struct err *e)
{
	auto_cg struct cg cg = CG_INIT;

	if (ct_may(ct, CT_EVENT_PAUSE, NULL, e) < 0 || fault_at("pause.freeze", e) < 0)
		return -e->no;
	if (cg_open(ct->s.cgroup, &cg, e) < 0 || cg_freeze(&cg, FREEZE_WAIT_MS, e) < 0)
		return err_wrap(e, "pause container %s", ct->s.id);
	return 0;
}

int ct_resume(struct ct *ct, struct err *e)
{
	auto_cg struct cg cg = CG_INIT;

	if (ct_may(ct, CT_EVENT_RESUME, NULL, e) < 0)
		return -e->no;
	if (cg_open(ct->s.cgroup, &cg, e) < 0 || cg_thaw(&cg, FREEZE_WAIT_MS, e) < 0)
		return err_wrap(e, "resume container %s", ct->s.id);
	return 0;
}

static bool has_ended(int init)
{
	struct pollfd p = {.fd = init, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

int ct_await_resumed(const struct ct *ct, struct err *e)
{
	auto_cg struct cg cg = CG_INIT;
	auto_fd int watch = -EBADF;
	auto_fd int init = ct_init_open(ct, e);
	struct err why = {0};
	int r;

	if (init < 0)
		return init == -ESRCH ? 0 : init;
	r = cg_open(ct->s.cgroup, &cg, &why);
	if (r >= 0)
		r = watch = cg_freezer_watch(&cg, &why);
	while (r >= 0 && (r = cg_frozen(&cg, &why)) > 0) {
		struct pollfd p[] = {{.fd = watch, .events = POLLIN},
				     {.fd = init, .events = POLLIN}};
		char events[4096];

		if (poll(p, 2, LOOK_MS) < 0 && errno != EINTR)
			return err_sys(e, "wait until container %s is resumed", ct->s.id);
		if (p[1].revents)
			return 0;
		while (read(watch, events, sizeof(events)) > 0)
			;
	}
	/* A delete thaws it, and takes its group away when init is dead: the end is what we see then, however late we look. */
	if (r >= 0 || has_ended(init))
		return 0;
	*e = why;
	return err_wrap(e, "wait until container %s is resumed", ct->s.id);
}
