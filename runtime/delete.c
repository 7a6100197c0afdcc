// SPDX-License-Identifier: GPL-2.0-only
/* The last verb: nothing of a container remains on the host. */
#include "runtime/container.h"

#include "base/err.h"
#include "base/fault.h"
#include "runtime/remains.h"

/*
 * Processes, then what the ledger has, then the state by one rename: killed anywhere before it, we leave a container that can be deleted again; after
 * it, a hidden directory that the next create or delete of this name sweeps.
 *
 * The monitor is not waited for: at the end it execs the reaper, which wants the very lock we hold. It finds its container gone, or another
 * one (by init's pid and start time), and does nothing.
 */
int ct_delete(struct ct *ct, bool force, struct err *e)
{
	if (!force && ct_may(ct, CT_EVENT_DELETE, NULL, e) < 0)
		return -e->no;
	if (ct_remains_clean(ct, e) < 0)
		return err_wrap(e, "delete container %s", ct->s.id);
	if (fault_at("delete.state", e) < 0)
		return -e->no;
	return ct_state_remove(ct, e);
}
