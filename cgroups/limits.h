/* SPDX-License-Identifier: GPL-2.0-only */
/* Every limit a container can have: one table for cgroup v2 and v1, checked before and changed while it runs. */
#pragma once

/*
 * A zeroed struct cg_limits limits nothing. cg_limit_set() checks the range and marks the value; cg_limits_check() asks whether this
 * host could do it; cg_limits_apply() writes all marked ones, at create and live. What is not marked stays as it is.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cgroups/group.h"

struct err;

#define CG_UNLIMITED UINT64_MAX

/* X(name, text, controller, v2 file, v1 file or "", least, most, may be CG_UNLIMITED); bytes, microseconds, or bare numbers */
#define CG_LIMITS(X)                                                                            \
	X(CPU_WEIGHT, "cpu weight", CPU, "cpu.weight", "cpu.shares", 1, 10000, false)           \
	X(CPU_QUOTA, "cpu quota", CPU, "cpu.max", "cpu.cfs_quota_us", 1, 1024000, true)         \
	X(CPU_PERIOD, "cpu period", CPU, "cpu.max", "cpu.cfs_period_us", 1000, 1000000, false)  \
	X(MEM_MAX, "memory limit", MEMORY, "memory.max", "memory.limit_in_bytes", 0, INT64_MAX, \
	  true)                                                                                 \
	X(MEM_HIGH, "memory throttle", MEMORY, "memory.high", "", 0, INT64_MAX, true)           \
	X(MEM_LOW, "memory reservation", MEMORY, "memory.low", "memory.soft_limit_in_bytes", 0, \
	  INT64_MAX, true)                                                                      \
	X(MEM_MIN, "memory guarantee", MEMORY, "memory.min", "", 0, INT64_MAX, true)            \
	X(SWAP_MAX, "swap limit", MEMORY, "memory.swap.max", "memory.memsw.limit_in_bytes", 0,  \
	  INT64_MAX, true)                                                                      \
	X(PIDS_MAX, "process limit", PIDS, "pids.max", "pids.max", 1, 4194304, true)            \
	X(IO_WEIGHT, "io weight", IO, "io.weight", "blkio.bfq.weight", 1, 10000, false)

enum cg_limit {
#define X(name, ...) CG_LIMIT_##name,
	CG_LIMITS(X)
#undef X
		CG_LIMIT_COUNT
};

/* Bandwidth of one block device: 0 leaves a member as it is, CG_UNLIMITED lifts it. */
struct cg_io_limit {
	unsigned major, minor;
	uint64_t rbps, wbps, riops, wiops;
};

#define CG_IO_LIMITS 16

struct cg_limits {
	bool set[CG_LIMIT_COUNT];
	uint64_t value
		[CG_LIMIT_COUNT]; /* CPU_QUOTA: thousandths of a CPU. SWAP_MAX: swap alone, without memory */
	uint64_t
		shares; /* cpu.shares where it was said in v1's unit, which the weight is too coarse for; 0: as the weight says */
	char cpus[128]; /* "0-3,6"; "" as it is */
	char mems[128];
	struct cg_io_limit io[CG_IO_LIMITS];
	size_t io_count;
};

/* Marks a limit; -ERANGE, class VALUE, if it is out of range. */
int cg_limit_set(struct cg_limits *l, enum cg_limit which, uint64_t value, struct err *e);

const char *cg_limit_to_str(enum cg_limit which);

/* Whether this host has what the marked limits need, before there is a container: -EOPNOTSUPP class LIMIT, or class VALUE. */
int cg_limits_check(const struct cg_limits *l, struct err *e);

/*
 * Writes the marked limits. One that the host lacks, or that the kernel refuses, is an error of class LIMIT which names the
 * limit, the controller and the remedy; with best_effort it is a log_warn and the rest goes on.
 */
int cg_limits_apply(const struct cg *cg, const struct cg_limits *l, bool best_effort,
		    struct err *e);

/* Writes an interface file by name (the OCI "unified" map): of v2, or of v1 where the controller is there. cgroup.* and names with a slash are refused, class VALUE. */
int cg_set_raw(const struct cg *cg, const char *file, const char *value, struct err *e);
