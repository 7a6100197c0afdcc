// SPDX-License-Identifier: GPL-2.0-only
/* The statistics of skep events. */
#include "ctl/oci_stats.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "cgroups/group.h"
#include "cgroups/stat.h"

#define MOST_STAT (64 << 10)

/* Go writes 64 bits without a sign, and "no limit" as all of them; jansson has one: that one number is written as its greatest. */
static json_t *number(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

static void put(json_t *to, const char *key, struct cg_value v, uint64_t times)
{
	if (v.valid)
		json_object_set_new(to, key, number(v.v > INT64_MAX ? v.v : v.v * times));
}

static char *slurp(int dir, const char *file)
{
	struct err ignored = {0};
	char *text = NULL;

	return dir >= 0 && file_try_read_at(dir, file, MOST_STAT, &text, &ignored) >= 0 ? text
											: NULL;
}

/* One line of a pressure file: "some avg10=0.00 avg60=0.00 avg300=0.00 total=0". */
static json_t *pressure_line(const char *text, const char *word)
{
	const char *line = strstr(text, word);
	double avg10, avg60, avg300;
	uint64_t total;

	if (!line || sscanf(line + strlen(word), " avg10=%lf avg60=%lf avg300=%lf total=%" SCNu64,
			    &avg10, &avg60, &avg300, &total) != 4)
		return NULL;
	return json_pack("{s:f, s:f, s:f, s:o}", "avg10", avg10, "avg60", avg60, "avg300", avg300,
			 "total", number(total));
}

static void put_pressure(json_t *to, int dir, const char *file)
{
	auto_free char *text = slurp(dir, file);
	json_t *some = text ? pressure_line(text, "some") : NULL;
	json_t *full = text ? pressure_line(text, "full") : NULL;

	if (some || full)
		json_object_set_new(to, "psi",
				    json_pack("{s:o*, s:o*}", "some", some, "full", full));
}

static json_t *cpu(const struct cg *cg, const struct cg_stat *st)
{
	json_t *usage = json_object(), *throttling = json_object();
	json_t *all = json_pack("{s:o, s:o}", "usage", usage, "throttling", throttling);

	put(usage, "total", st->cpu_usage, 1000);
	put(usage, "kernel", st->cpu_system, 1000);
	put(usage, "user", st->cpu_user, 1000);
	put(throttling, "periods", st->cpu_periods, 1);
	put(throttling, "throttledPeriods", st->cpu_throttled, 1);
	put(throttling, "throttledTime", st->cpu_throttled_time, 1000);
	put_pressure(all, cg->v2, "cpu.pressure");
	return all;
}

/* All of memory.stat. */
static json_t *raw_memory(const struct cg *cg)
{
	auto_free char *text =
		slurp(cg->v1[CG_MEMORY] >= 0 ? cg->v1[CG_MEMORY] : cg->v2, "memory.stat");
	json_t *raw = json_object();
	char *save = NULL, name[64];
	uint64_t n;

	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%63s %" SCNu64, name, &n) == 2)
			json_object_set_new(raw, name, number(n));
	return raw;
}

/* runc gives memory and swap together as "swap", which is how v1 counts. */
static struct cg_value sum(struct cg_value a, struct cg_value b)
{
	struct cg_value both = {.valid = a.valid && b.valid, .v = a.v + b.v};

	if (both.valid && (a.v == CG_STAT_UNLIMITED || b.v == CG_STAT_UNLIMITED))
		both.v = CG_STAT_UNLIMITED;
	return both;
}

static json_t *memory(const struct cg *cg, const struct cg_stat *st)
{
	json_t *usage = json_object(), *swap = json_object(), *all;

	put(usage, "limit", st->mem_max, 1);
	put(usage, "usage", st->mem_current, 1);
	put(usage, "max", st->mem_peak, 1);
	put(usage, "failcnt", st->mem_failcnt, 1);
	put(swap, "limit", sum(st->mem_max, st->swap_max), 1);
	put(swap, "usage", sum(st->mem_current, st->swap_current), 1);
	all = json_pack("{s:o, s:o, s:o}", "usage", usage, "swap", swap, "raw", raw_memory(cg));
	put(all, "cache", st->mem_file, 1);
	put_pressure(all, cg->v2, "memory.pressure");
	return all;
}

static void push_io(json_t *list, unsigned major, unsigned minor, const char *op, uint64_t n)
{
	json_array_append_new(list, json_pack("{s:i, s:i, s:s, s:o}", "major", (int)major, "minor",
					      (int)minor, "op", op, "value", number(n)));
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 …": one line a device. */
static void read_io_v2(char *text, json_t *bytes, json_t *requests)
{
	const struct {
		const char *word, *op;
		json_t *list;
	} words[] = {{" rbytes=", "Read", bytes},
		     {" wbytes=", "Write", bytes},
		     {" rios=", "Read", requests},
		     {" wios=", "Write", requests}};
	char *save = NULL;
	unsigned major, minor;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "%u:%u", &major, &minor) != 2)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
			const char *at = strstr(line, words[i].word);
			uint64_t n;

			if (at && sscanf(at + strlen(words[i].word), "%" SCNu64, &n) == 1)
				push_io(words[i].list, major, minor, words[i].op, n);
		}
	}
}

/* "8:0 Read 4096"; the last line is a total without a device. */
static void read_io_v1(int dir, const char *file, json_t *list)
{
	auto_free char *text = slurp(dir, file);
	unsigned major, minor;
	char *save = NULL, op[16];
	uint64_t n;

	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%u:%u %15s %" SCNu64, &major, &minor, op, &n) == 4)
			push_io(list, major, minor, op, n);
}

static json_t *blkio(const struct cg *cg)
{
	json_t *bytes = json_array(), *requests = json_array(), *all;
	auto_free char *text = NULL;

	if (cg->v1[CG_IO] >= 0) {
		read_io_v1(cg->v1[CG_IO], "blkio.throttle.io_service_bytes_recursive", bytes);
		read_io_v1(cg->v1[CG_IO], "blkio.throttle.io_serviced_recursive", requests);
	} else {
		text = slurp(cg->v2, "io.stat");
		if (text)
			read_io_v2(text, bytes, requests);
	}
	all = json_pack("{s:o, s:o}", "ioServiceBytesRecursive", bytes, "ioServicedRecursive",
			requests);
	put_pressure(all, cg->v2, "io.pressure");
	return all;
}

/* "hugepages-2048kB" is "2MB" to the controller. */
static bool page_name(const char *entry, char out[32])
{
	static const char units[] = "KMG";
	unsigned long long kb;
	int unit = 0;

	if (sscanf(entry, "hugepages-%llukB", &kb) != 1)
		return false;
	for (; kb >= 1024 && kb % 1024 == 0 && unit < 2; unit++)
		kb /= 1024;
	snprintf(out, 32, "%llu%cB", kb, units[unit]);
	return true;
}

static void put_pages(json_t *to, int dir, const char *size)
{
	struct cg_value usage = {0}, max = {0};
	struct err ignored = {0};
	char file[64];
	json_t *one;

	snprintf(file, sizeof(file), "hugetlb.%s.current", size);
	usage.valid = file_read_u64_at(dir, file, &usage.v, &ignored) >= 0;
	snprintf(file, sizeof(file), "hugetlb.%s.max", size);
	max.valid = file_read_u64_at(dir, file, &max.v, &ignored) >= 0;
	if (!usage.valid)
		return;
	one = json_object();
	put(one, "usage", usage, 1);
	put(one, "limit", max, 1);
	json_object_set_new(to, size, one);
}

static json_t *hugetlb(const struct cg *cg)
{
	auto_dir DIR *sizes = opendir("/sys/kernel/mm/hugepages");
	json_t *all = json_object();
	struct dirent *d;
	char name[32];

	while (cg->v2 >= 0 && sizes && (d = readdir(sizes)))
		if (page_name(d->d_name, name))
			put_pages(all, cg->v2, name);
	return all;
}

int ctl_oci_stats(const struct cg *cg, json_t **out, struct err *e)
{
	json_t *pids = json_object();
	struct cg_stat st;

	if (cg_stat_read(cg, &st, e) < 0) {
		json_decref(pids);
		return -e->no;
	}
	put(pids, "current", st.pids_current, 1);
	/* runc: 0 is no limit. */
	if (st.pids_max.v != CG_STAT_UNLIMITED)
		put(pids, "limit", st.pids_max, 1);
	*out = json_pack("{s:o, s:o, s:o, s:o, s:o, s:n}", "cpu", cpu(cg, &st), "memory",
			 memory(cg, &st), "pids", pids, "blkio", blkio(cg), "hugetlb", hugetlb(cg),
			 "network_interfaces");
	return *out ? 0 : err_set(e, ENOMEM, "out of memory for JSON");
}
