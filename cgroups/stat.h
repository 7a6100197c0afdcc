/* SPDX-License-Identifier: GPL-2.0-only */
/* What a container uses: one snapshot from whichever hierarchies have the numbers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cg;
struct err;

#define CG_STAT_UNLIMITED UINT64_MAX

/* A number that this host may not have. */
struct cg_value {
	bool valid;
	uint64_t v;
};

/* Pressure stall information: share of the last 10 seconds in hundredths of a percent. */
struct cg_pressure {
	bool valid;
	unsigned some_avg10, full_avg10;
};

/* X(member, unit, meaning) */
#define CG_STATS(X)                                                    \
	X(cpu_usage, "usec", "CPU time")                               \
	X(cpu_user, "usec", "of it in user mode")                      \
	X(cpu_system, "usec", "of it in the kernel")                   \
	X(cpu_periods, "", "quota periods that had work")              \
	X(cpu_throttled, "", "of them, those cut short by the quota")  \
	X(cpu_throttled_time, "usec", "time lost to the quota")        \
	X(mem_current, "bytes", "memory charged, caches included")     \
	X(mem_peak, "bytes", "its highest value")                      \
	X(mem_max, "bytes", "its limit")                               \
	X(mem_anon, "bytes", "of it anonymous")                        \
	X(mem_file, "bytes", "of it page cache")                       \
	X(mem_inactive_file, "bytes", "of the cache, what goes first") \
	X(swap_current, "bytes", "swap used")                          \
	X(swap_max, "bytes", "its limit")                              \
	X(mem_failcnt, "", "times the limit was hit (v1 on 6.18: 0)")  \
	X(oom_kill, "", "processes killed for lack of memory")         \
	X(pids_current, "", "processes and threads")                   \
	X(pids_max, "", "their limit")                                 \
	X(pids_failcnt, "", "forks refused")                           \
	X(io_rbytes, "bytes", "read from block devices")               \
	X(io_wbytes, "bytes", "written to block devices")              \
	X(io_rios, "", "read requests")                                \
	X(io_wios, "", "write requests")

struct cg_stat {
#define X(name, unit, text) struct cg_value name;
	CG_STATS(X)
#undef X
	struct cg_pressure cpu, memory, io;
};

/* Fills *st; a number the host lacks is !valid, which is no error. A limit that is not set is CG_STAT_UNLIMITED. */
int cg_stat_read(const struct cg *cg, struct cg_stat *st, struct err *e);
