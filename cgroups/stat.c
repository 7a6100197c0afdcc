// SPDX-License-Identifier: GPL-2.0-only
/* Reading the counters of a container, v2 files first, v1 files where the controller is there. */
#include "cgroups/stat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/group.h"

#define MOST_STAT 65536

static void put(struct cg_value *v, uint64_t n)
{
	v->valid = true;
	v->v = n;
}

/* Text of an interface file; NULL if it cannot be had, which is what !valid means. */
static char *slurp(int dir, const char *file)
{
	char *text = NULL;
	struct err e = {0};

	if (dir < 0 || file_try_read_at(dir, file, MOST_STAT, &text, &e) < 0) {
		if (e.no)
			log_debug("statistics: %s", e.text);
		return NULL;
	}
	return text;
}

/* v1 says "no limit" by the greatest multiple of a page. */
static void read_one(int dir, const char *file, struct cg_value *v)
{
	auto_free char *text = slurp(dir, file);
	uint64_t n = CG_STAT_UNLIMITED;

	if (!text || (strncmp(text, "max", 3) && sscanf(text, "%" SCNu64, &n) != 1))
		return;
	put(v, n != CG_STAT_UNLIMITED && n >= (uint64_t)INT64_MAX - 65536 ? CG_STAT_UNLIMITED : n);
}

struct key {
	const char *name;
	struct cg_value *to;
	uint64_t divide; /* nanoseconds to microseconds; 0: none */
};

/* Files of "key value" lines. */
static void read_keys(int dir, const char *file, const struct key *keys, size_t count)
{
	auto_free char *text = slurp(dir, file);
	char *save = NULL;

	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		char name[64];
		uint64_t n;

		if (sscanf(line, "%63s %" SCNu64, name, &n) != 2)
			continue;
		for (size_t i = 0; i < count; i++)
			if (!strcmp(name, keys[i].name))
				put(keys[i].to, keys[i].divide ? n / keys[i].divide : n);
	}
}

static void at_least(struct cg_value *to, const struct cg_value *other)
{
	if (to->valid && other->valid && other->v > to->v)
		to->v = other->v;
}

/*
 * These count what their own group stopped, not those below. Where PATH/ct has the quota, too (view.h), now the one and now the other runs out first, and mostly both do in one period: in 73 periods
 * 67 times PATH and 76 times (of 78) PATH/ct were seen stopped. So the sum would be more than there was.
 */
static void join_throttling(int ct, struct cg_stat *st)
{
	struct cg_value periods = {0}, times = {0}, length = {0};
	const struct key keys[] = {{"nr_periods", &periods, 0},
				   {"nr_throttled", &times, 0},
				   {"throttled_usec", &length, 0}};

	read_keys(ct, "cpu.stat", keys, ARRAY_SIZE(keys));
	at_least(&st->cpu_periods, &periods);
	at_least(&st->cpu_throttled, &times);
	at_least(&st->cpu_throttled_time, &length);
}

static void read_cpu(const struct cg *cg, struct cg_stat *st)
{
	const struct key v2[] = {{"usage_usec", &st->cpu_usage, 0},
				 {"user_usec", &st->cpu_user, 0},
				 {"system_usec", &st->cpu_system, 0},
				 {"nr_periods", &st->cpu_periods, 0},
				 {"nr_throttled", &st->cpu_throttled, 0},
				 {"throttled_usec", &st->cpu_throttled_time, 0}};
	const struct key v1[] = {{"nr_periods", &st->cpu_periods, 0},
				 {"nr_throttled", &st->cpu_throttled, 0},
				 {"throttled_time", &st->cpu_throttled_time, 1000}};
	const char *const single[] = {"cpuacct.usage", "cpuacct.usage_user", "cpuacct.usage_sys"};
	struct cg_value *const to[] = {&st->cpu_usage, &st->cpu_user, &st->cpu_system};

	/* cpu.stat of a unified group has the times even without the controller (hybrid). */
	read_keys(cg->v2, "cpu.stat", v2, ARRAY_SIZE(v2));
	if (cg_has_inner(cg))
		join_throttling(cg->ct, st);
	read_keys(cg->v1[CG_CPU], "cpu.stat", v1, ARRAY_SIZE(v1));
	for (size_t i = 0; i < ARRAY_SIZE(single); i++) {
		if (to[i]->valid)
			continue;
		read_one(cg->v1[CG_CPUACCT], single[i], to[i]);
		to[i]->v /= 1000;
	}
}

static void read_memory_v2(int dir, struct cg_stat *st)
{
	const struct key stat[] = {{"anon", &st->mem_anon, 0},
				   {"file", &st->mem_file, 0},
				   {"inactive_file", &st->mem_inactive_file, 0}};
	const struct key events[] = {{"max", &st->mem_failcnt, 0}, {"oom_kill", &st->oom_kill, 0}};

	read_one(dir, "memory.current", &st->mem_current);
	read_one(dir, "memory.peak", &st->mem_peak);
	read_one(dir, "memory.max", &st->mem_max);
	read_one(dir, "memory.swap.current", &st->swap_current);
	read_one(dir, "memory.swap.max", &st->swap_max);
	read_keys(dir, "memory.stat", stat, ARRAY_SIZE(stat));
	read_keys(dir, "memory.events", events, ARRAY_SIZE(events));
}

static void read_memory_v1(int dir, struct cg_stat *st)
{
	const struct key stat[] = {{"total_rss", &st->mem_anon, 0},
				   {"total_cache", &st->mem_file, 0},
				   {"total_inactive_file", &st->mem_inactive_file, 0},
				   {"total_swap", &st->swap_current, 0}};
	const struct key oom[] = {{"oom_kill", &st->oom_kill, 0}};
	struct cg_value both = {0}, both_hit = {0};

	read_one(dir, "memory.usage_in_bytes", &st->mem_current);
	read_one(dir, "memory.max_usage_in_bytes", &st->mem_peak);
	read_one(dir, "memory.limit_in_bytes", &st->mem_max);
	read_one(dir, "memory.failcnt", &st->mem_failcnt);
	read_one(dir, "memory.memsw.limit_in_bytes", &both);
	/* With no swap allowed it is the sum's limit that is hit, and counted, first. */
	read_one(dir, "memory.memsw.failcnt", &both_hit);
	st->mem_failcnt.v += both_hit.v;
	read_keys(dir, "memory.stat", stat, ARRAY_SIZE(stat));
	read_keys(dir, "memory.oom_control", oom, ARRAY_SIZE(oom));
	if (both.valid && both.v == CG_STAT_UNLIMITED)
		put(&st->swap_max, CG_STAT_UNLIMITED);
	else if (both.valid && st->mem_max.valid && both.v >= st->mem_max.v)
		put(&st->swap_max, both.v - st->mem_max.v);
}

static void read_pids(const struct cg *cg, struct cg_stat *st)
{
	const struct key events[] = {{"max", &st->pids_failcnt, 0}};
	int dir = cg->v1[CG_PIDS] >= 0 ? cg->v1[CG_PIDS] : cg->v2;

	read_one(dir, "pids.current", &st->pids_current);
	read_one(dir, "pids.max", &st->pids_max);
	read_keys(dir, "pids.events", events, ARRAY_SIZE(events));
}

/* Sums "rbytes=N" over the devices of io.stat; a group that did nothing yet has an empty file. */
static void read_io_v2(int dir, struct cg_stat *st)
{
	static const char *const names[] = {"rbytes=", "wbytes=", "rios=", "wios="};
	struct cg_value *const to[] = {&st->io_rbytes, &st->io_wbytes, &st->io_rios, &st->io_wios};
	auto_free char *text = slurp(dir, "io.stat");

	for (size_t i = 0; text && i < ARRAY_SIZE(names); i++) {
		uint64_t sum = 0;

		/* With the space, so that "rbytes=" is not found inside another name. */
		for (const char *p = text; (p = strstr(p, names[i])); p++)
			if (p == text || p[-1] == ' ' || p[-1] == '\n')
				sum += strtoull(p + strlen(names[i]), NULL, 10);
		put(to[i], sum);
	}
}

/* "8:0 Read 4096" lines with a "Total" at the end, which we do not count. */
static void read_blkio(int dir, const char *file, struct cg_value *r, struct cg_value *w)
{
	auto_free char *text = slurp(dir, file);
	char *save = NULL;
	uint64_t reads = 0, writes = 0;

	if (!text)
		return;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char dev[32], op[32];
		uint64_t n;

		if (sscanf(line, "%31s %31s %" SCNu64, dev, op, &n) != 3)
			continue;
		if (!strcmp(op, "Read"))
			reads += n;
		else if (!strcmp(op, "Write"))
			writes += n;
	}
	put(r, reads);
	put(w, writes);
}

static void read_pressure(int dir, const char *file, struct cg_pressure *p)
{
	auto_free char *text = slurp(dir, file);
	unsigned whole, part;
	const char *full;

	if (!text || sscanf(text, "some avg10=%u.%u", &whole, &part) != 2)
		return;
	p->valid = true;
	p->some_avg10 = whole * 100 + part;
	full = strstr(text, "full avg10=");
	if (full && sscanf(full, "full avg10=%u.%u", &whole, &part) == 2)
		p->full_avg10 = whole * 100 + part;
}

int cg_stat_read(const struct cg *cg, struct cg_stat *st, struct err *e)
{
	int io = cg->v1[CG_IO];

	memset(st, 0, sizeof(*st));
	read_cpu(cg, st);
	if (cg->v1[CG_MEMORY] >= 0)
		read_memory_v1(cg->v1[CG_MEMORY], st);
	else
		read_memory_v2(cg->v2, st);
	read_pids(cg, st);
	if (io >= 0) {
		read_blkio(io, "blkio.throttle.io_service_bytes_recursive", &st->io_rbytes,
			   &st->io_wbytes);
		read_blkio(io, "blkio.throttle.io_serviced_recursive", &st->io_rios, &st->io_wios);
	} else {
		read_io_v2(cg->v2, st);
	}
	read_pressure(cg->v2, "cpu.pressure", &st->cpu);
	read_pressure(cg->v2, "memory.pressure", &st->memory);
	read_pressure(cg->v2, "io.pressure", &st->io);
	if (!st->cpu_usage.valid && !st->mem_current.valid && !st->pids_current.valid)
		return err_set(e, ENOENT, "control group %s has no statistics", cg->path);
	return 0;
}
