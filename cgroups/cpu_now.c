// SPDX-License-Identifier: GPL-2.0-only
/* cpu.max, or v1's two files of the same. */
#include "cgroups/cpu_now.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "cgroups/group.h"

static int no_controller(struct err *e)
{
	err_set(e, EOPNOTSUPP, "cpu quota and period: this host has no controller 'cpu'");
	return err_class(e, ERR_LIMIT);
}

static int read_v1(int dir, const char *file, int64_t *us, struct err *e)
{
	auto_free char *text = NULL;

	if (file_read_at(dir, file, 64, &text, e) < 0)
		return -e->no;
	return sscanf(text, "%" SCNd64, us) == 1 ? 0 : err_set(e, EINVAL, "%s is no number", file);
}

int cg_cpu_now(const struct cg *cg, int64_t *quota_us, int64_t *period_us, struct err *e)
{
	auto_free char *text = NULL;
	char quota[24];
	int r;

	if (cg->v1[CG_CPU] >= 0) {
		r = read_v1(cg->v1[CG_CPU], "cpu.cfs_quota_us", quota_us, e);
		return r < 0 ? r : read_v1(cg->v1[CG_CPU], "cpu.cfs_period_us", period_us, e);
	}
	if (cg->v2 < 0)
		return no_controller(e);
	r = file_try_read_at(cg->v2, "cpu.max", 64, &text, e);
	if (r < 0)
		return e->no ? -e->no : no_controller(e);
	if (sscanf(text, "%23s %" SCNd64, quota, period_us) != 2)
		return err_set(e, EINVAL, "cpu.max is '%.40s'", text);
	if (sscanf(quota, "%" SCNd64, quota_us) != 1)
		*quota_us = -1;
	return 0;
}
