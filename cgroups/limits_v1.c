// SPDX-License-Identifier: GPL-2.0-only
/* CPU quota and memory plus swap of cgroup v1. */
#include "cgroups/limits_v1.h"

#include <errno.h>

#include "base/err.h"
#include "base/file.h"

#define MEMORY_FILE "memory.limit_in_bytes"
#define SUM_FILE    "memory.memsw.limit_in_bytes"

int cg_v1_cpu_quota(const struct cg *cg, uint64_t quota_us, uint64_t period_us, struct err *e)
{
	struct err first = {0};

	if (cg_limit_write_v1("cpu period", cg, CG_CPU, "cpu.cfs_period_us", period_us, &first) >=
	    0)
		return cg_limit_write_v1("cpu quota", cg, CG_CPU, "cpu.cfs_quota_us", quota_us, e);
	/* The old quota over the new period may be more than the parent has: then the other way round. */
	if (cg_limit_write_v1("cpu quota", cg, CG_CPU, "cpu.cfs_quota_us", quota_us, e) < 0)
		return -e->no;
	return cg_limit_write_v1("cpu period", cg, CG_CPU, "cpu.cfs_period_us", period_us, e);
}

/* v1 shows "no limit" as the greatest multiple of a page. */
static int read_limit(const struct cg *cg, const char *file, uint64_t *value, struct err *e)
{
	int rc = file_read_u64_at(cg->v1[CG_MEMORY], file, value, e);

	if (rc >= 0 && *value >= (uint64_t)INT64_MAX - 65536)
		*value = CG_UNLIMITED;
	return rc;
}

static uint64_t sum_of(uint64_t memory, uint64_t swap)
{
	if (memory == CG_UNLIMITED || swap == CG_UNLIMITED || swap > (uint64_t)INT64_MAX - memory)
		return CG_UNLIMITED;
	return memory + swap;
}

static int without_sum(const struct cg *cg, const uint64_t *memory, const uint64_t *swap,
		       struct err *e)
{
	if (swap) {
		err_set(e, EOPNOTSUPP,
			"swap limit cannot be set: controller 'memory' does not account for swap");
		err_hint(e, "boot with swapaccount=1");
		return err_class(e, ERR_LIMIT);
	}
	return memory ? cg_limit_write_v1("memory limit", cg, CG_MEMORY, MEMORY_FILE, *memory, e)
		      : 0;
}

int cg_v1_memory(const struct cg *cg, const uint64_t *memory, const uint64_t *swap, struct err *e)
{
	uint64_t old_memory, old_sum, new_memory, own_swap, new_sum;
	int rc;

	if (cg->v1[CG_MEMORY] < 0)
		return cg_limit_write_v1("memory limit", cg, CG_MEMORY, MEMORY_FILE, 0, e);
	rc = read_limit(cg, SUM_FILE, &old_sum, e);
	if (rc == -ENOENT && !e->no)
		return without_sum(cg, memory, swap, e);
	if (rc < 0 || read_limit(cg, MEMORY_FILE, &old_memory, e) < 0)
		return e->no ? -e->no : err_set(e, ENOENT, "%s is missing", MEMORY_FILE);
	new_memory = memory ? *memory : old_memory;
	own_swap = swap ? *swap : old_sum == CG_UNLIMITED ? CG_UNLIMITED : old_sum - old_memory;
	if (swap && *swap != CG_UNLIMITED && new_memory == CG_UNLIMITED) {
		err_set(e, EOPNOTSUPP,
			"swap limit cannot be set: cgroup v1 limits only the sum of memory and swap");
		err_hint(e, "set a memory limit, too");
		return err_class(e, ERR_LIMIT);
	}
	new_sum = sum_of(new_memory, own_swap);
	/* The kernel refuses memory > sum at every moment: raise the sum first, lower it last. */
	if (new_memory > old_sum) {
		if (cg_limit_write_v1("swap limit", cg, CG_MEMORY, SUM_FILE, new_sum, e) < 0)
			return -e->no;
		return cg_limit_write_v1("memory limit", cg, CG_MEMORY, MEMORY_FILE, new_memory, e);
	}
	if (cg_limit_write_v1("memory limit", cg, CG_MEMORY, MEMORY_FILE, new_memory, e) < 0)
		return -e->no;
	return cg_limit_write_v1("swap limit", cg, CG_MEMORY, SUM_FILE, new_sum, e);
}
