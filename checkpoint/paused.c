// SPDX-License-Identifier: GPL-2.0-only
/* --freeze-cgroup, and the freezer after a criu that was killed. */
#include "checkpoint/paused.h"

#include "base/err.h"
#include "base/log.h"
#include "cgroups/freezer.h"
#include "cgroups/group.h"
#include "checkpoint/criu.h"

#define FREEZE_MS 5000

int cr_paused_find(struct cr_paused *p, const struct cg *cg, struct err *e)
{
	int r;

	p->cg = cg;
	r = cg_frozen_path(cg, p->path, sizeof(p->path), e);
	if (r <= 0)
		p->path[0] = 0;
	return r < 0 ? r : 0;
}

void cr_paused_add(struct cr_criu *c, const struct cr_paused *p)
{
	if (!cr_paused_is(p))
		return;
	cr_criu_add(c, "--freeze-cgroup");
	cr_criu_add(c, "%s", p->path);
}

void cr_paused_keep(const struct cr_paused *p)
{
	struct err why = {0};
	int frozen = cr_paused_is(p) ? cg_frozen(p->cg, &why) : 1;

	if (!frozen)
		frozen = cg_freeze(p->cg, FREEZE_MS, &why);
	if (frozen < 0)
		log_warn("the container was paused and is not now: %s", why.text);
}
