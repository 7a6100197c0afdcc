// SPDX-License-Identifier: GPL-2.0-only
/* Stopping the clock of a container, and letting it go on. */
#include "runtime/container.h"

#include "base/err.h"
#include "base/fault.h"
#include "cgroups/freezer.h"

/* Longest wait for the last process to stop: one in an uninterruptible wait holds up all. */
#define FREEZE_WAIT_MS 10000

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
