// SPDX-License-Identifier: GPL-2.0-only
/* TCP_REPAIR, taken back on the sockets of a container. */
#include "checkpoint/repair.h"

#include "base/own.h"
#include "cgroups/kill.h"

int cr_repair_off(const struct cg *cg, struct err *e)
{
	auto_free pid_t *pids = NULL;
	int n = 0, count = cg_pids(cg, &pids, e);

	for (int i = 0; i < count; i++)
		n += cr_repair_off_task(pids[i]);
	return count < 0 ? count : n;
}
