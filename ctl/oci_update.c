// SPDX-License-Identifier: GPL-2.0-only
/* skep update: other limits for a container that is there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/size.h"
#include "cgroups/cpu_now.h"
#include "cgroups/group.h"
#include "cgroups/room.h"
#include "cgroups/stat.h"
#include "ctl/oci.h"
#include "runtime/container.h"
#include "runtime/rdt.h"

/* A flag is a member of a resources object: what it means and whether it is allowed is judged in one place, runtime/spec_resources.c. */
static const struct flag {
	const char *name, *part, *member;
	enum { NUMBER, BYTES, WORD } kind;
} flags[] = {
	{"blkio-weight", "blockIO", "weight", NUMBER},
	{"cpu-period", "cpu", "period", NUMBER},
	{"cpu-quota", "cpu", "quota", NUMBER},
	{"cpu-burst", "cpu", "burst", NUMBER},
	{"cpu-share", "cpu", "shares", NUMBER},
	{"cpu-idle", "cpu", "idle", NUMBER},
	{"cpu-rt-period", "cpu", "realtimePeriod", NUMBER},
	{"cpu-rt-runtime", "cpu", "realtimeRuntime", NUMBER},
	{"cpuset-cpus", "cpu", "cpus", WORD},
	{"cpuset-mems", "cpu", "mems", WORD},
	{"memory", "memory", "limit", BYTES},
	{"memory-reservation", "memory", "reservation", BYTES},
	{"memory-swap", "memory", "swap", BYTES},
	{"pids-limit", "pids", "limit", NUMBER},
};

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory for JSON");
}

static int read_value(const struct flag *f, const char *text, json_t **out, struct err *e)
{
	uint64_t bytes;
	int64_t n = -1;
	char what[40];

	snprintf(what, sizeof(what), "--%s", f->name);
	if (f->kind == NUMBER && size_parse_number(what, text, -1, INT64_MAX, &n, e) < 0)
		return -e->no;
	/* -1 is OCI's word for no limit. */
	if (f->kind == BYTES && strcmp(text, "-1") != 0) {
		if (size_parse(what, text, &bytes, e) < 0)
			return -e->no;
		n = bytes > INT64_MAX ? -1 : (int64_t)bytes;
	}
	*out = f->kind == WORD ? json_string(text) : json_integer(n);
	return *out ? 0 : no_memory(e);
}

static int put(json_t *resources, const struct flag *f, json_t *value, struct err *e)
{
	json_t *part = json_object_get(resources, f->part);

	if (!part) {
		part = json_object();
		if (json_object_set_new(resources, f->part, part) < 0) {
			json_decref(value);
			return no_memory(e);
		}
	}
	return json_object_set_new(part, f->member, value) < 0 ? no_memory(e) : 0;
}

static int from_flags(const struct ctl_line *line, json_t **out, struct err *e)
{
	auto_json json_t *resources = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		const char *text = ctl_value(line, flags[i].name);
		json_t *value = NULL;

		if (!text || !*text)
			continue;
		if (read_value(&flags[i], text, &value, e) < 0 ||
		    put(resources, &flags[i], value, e) < 0)
			return -e->no;
	}
	*out = take_ptr(&resources);
	return 0;
}

/*
 * Device rules are left as they are: containerd sends the whole of what the container was made with, and a program that was let in
 * since (as GPU tools do) must not lose its device. runc does the same.
 */
static int from_file(const char *path, json_t **out, struct err *e)
{
	int r = ct_config_load_at(AT_FDCWD, strcmp(path, "-") ? path : "/proc/self/fd/0", out, e);

	if (r < 0)
		return err_wrap(e, "--resources %s", path);
	if (json_object_del(*out, "devices") == 0)
		log_info("update: device rules stay as they are");
	return 0;
}

static bool has(const json_t *part, const char *member)
{
	const json_t *value = json_object_get(part, member);

	return json_is_integer(value) && json_integer_value(value) != 0;
}

/* Quota and period are one setting of the kernel's: the half that is not given stays. */
static int complete_cpu(json_t *cpu, const struct cg *cg, struct err *e)
{
	int64_t quota, period;

	if (has(cpu, "quota") == has(cpu, "period"))
		return 0;
	if (cg_cpu_now(cg, &quota, &period, e) < 0)
		return -e->no;
	return json_object_set_new(cpu, has(cpu, "quota") ? "period" : "quota",
				   json_integer(has(cpu, "quota") ? period : quota)) < 0
		       ? no_memory(e)
		       : 0;
}

/* OCI's swap is the sum of memory and swap: alone it is judged beside the memory limit that there is. */
static int complete_memory(json_t *memory, const struct cg *cg, struct err *e)
{
	struct cg_stat st;

	if (!has(memory, "swap") || has(memory, "limit"))
		return 0;
	if (cg_stat_read(cg, &st, e) < 0)
		return -e->no;
	if (!st.mem_max.valid || st.mem_max.v > INT64_MAX)
		return 0;
	return json_object_set_new(memory, "limit", json_integer((json_int_t)st.mem_max.v)) < 0
		       ? no_memory(e)
		       : 0;
}

static int apply(const json_t *resources, const struct ct *ct, const struct cg *cg, struct err *e)
{
	bool check = json_is_true(
		json_object_get(json_object_get(resources, "memory"), "checkBeforeUpdate"));
	struct ct_raw_limit *raw = NULL;
	struct cg_limits limits;
	size_t n_raw = 0;
	int r = ct_resources_from_json(resources, &limits, &raw, &n_raw, e);

	if (r >= 0)
		r = cg_limits_check(&limits, e);
	if (r >= 0 && check && limits.set[CG_LIMIT_MEM_MAX])
		r = cg_room_make(cg, limits.value[CG_LIMIT_MEM_MAX], e);
	/* Whoever made the group writes it again when it likes to: it is to know the same as the group. */
	if (r >= 0 && ct->s.scope[0])
		r = ct_scope_set(ct->s.scope, &limits, e);
	if (r >= 0)
		r = cg_limits_apply(cg, &limits, false, e);
	if (r >= 0)
		r = ct_raw_limits_apply(cg, raw, n_raw, e);
	ct_raw_limits_done(raw, n_raw);
	return r;
}

static void warn_flags(const struct ctl_line *line)
{
	if (ctl_flag(line, "kernel-memory") || ctl_flag(line, "kernel-memory-tcp"))
		log_warn("kernel memory has no limit of its own any more: left out");
}

/* Before the limits: when it cannot be had, nothing has changed. */
static int update_rdt(const struct ctl_line *line, const struct ct *ct, struct err *e)
{
	const char *l3 = ctl_value(line, "l3-cache-schema"), *mb = ctl_value(line, "mem-bw-schema");
	auto_spec struct ct_spec spec = {0};

	if (!l3 && !mb)
		return 0;
	if (mb && (strncmp(mb, "MB:", 3) != 0 || strchr(mb, '\n'))) {
		err_set(e, EINVAL, "--mem-bw-schema: must be one line that starts with MB:");
		return err_class(e, ERR_VALUE);
	}
	if (ct_spec_of(ct, -EBADF, &spec, e) < 0)
		return -e->no;
	return ct_rdt_update(ct, &spec, l3, mb, e);
}

static int run_update(struct ctl_line *line, struct err *e)
{
	const char *file = ctl_value(line, "resources");
	auto_json json_t *resources = NULL;
	auto_ct struct ct ct = CT_INIT;
	auto_cg struct cg cg = CG_INIT;
	int r;

	warn_flags(line);
	r = ctl_oci_open(line, "update", &ct, e);
	if (r >= 0)
		r = ct_may(&ct, CT_EVENT_UPDATE, NULL, e);
	if (r >= 0)
		r = file ? from_file(file, &resources, e) : from_flags(line, &resources, e);
	if (r >= 0)
		r = cg_open(ct.s.cgroup, &cg, e);
	if (r >= 0)
		r = complete_cpu(json_object_get(resources, "cpu"), &cg, e);
	if (r >= 0)
		r = complete_memory(json_object_get(resources, "memory"), &cg, e);
	if (r >= 0)
		r = update_rdt(line, &ct, e);
	return r < 0 ? r : apply(resources, &ct, &cg, e);
}

static const struct ctl_option update_options[] = {
	{.name = "resources",
	 .letter = 'r',
	 .arg = "FILE",
	 .help = "a JSON object as linux.resources of config.json, from FILE or - for the input; other options are then left out"},
	{.name = "memory", .arg = "BYTES", .help = "limit of memory, 512M; -1: none"},
	{.name = "memory-reservation",
	 .arg = "BYTES",
	 .help = "what it keeps when memory is short"},
	{.name = "memory-swap",
	 .arg = "BYTES",
	 .help = "limit of memory and swap together; -1: none"},
	{.name = "cpu-quota", .arg = "USEC", .help = "CPU time in a period; -1: no limit"},
	{.name = "cpu-period", .arg = "USEC", .help = "length of a period"},
	{.name = "cpu-burst", .arg = "USEC", .help = "unused CPU time that may be used later"},
	{.name = "cpu-share", .arg = "N", .help = "weight against others, 1024 is usual"},
	{.name = "cpu-idle", .arg = "0|1", .help = "1: only when nobody else wants the CPU"},
	{.name = "cpu-rt-period", .arg = "USEC", .help = "length of a period of realtime programs"},
	{.name = "cpu-rt-runtime", .arg = "USEC", .help = "their CPU time in that"},
	{.name = "cpuset-cpus", .arg = "LIST", .help = "CPUs it may use, 0-3,6"},
	{.name = "cpuset-mems", .arg = "LIST", .help = "memory nodes it may use"},
	{.name = "pids-limit", .arg = "N", .help = "most processes; -1: no limit"},
	{.name = "blkio-weight", .arg = "N", .help = "weight of its disk I/O, 10 to 1000"},
	{.name = "kernel-memory", .arg = "BYTES", .help = "left out with a warning"},
	{.name = "kernel-memory-tcp", .arg = "BYTES", .help = "left out with a warning"},
	{.name = "l3-cache-schema",
	 .arg = "SCHEMA",
	 .help = "its share of the L3 caches, of a container with intelRdt, L3:0=7f0;1=1f"},
	{.name = "mem-bw-schema",
	 .arg = "SCHEMA",
	 .help = "its share of the memory bandwidth, the same, MB:0=20;1=70"},
	{0},
};
static const struct ctl_option *const update_tables[] = {update_options, NULL};

const struct ctl_command ctl_oci_update = {
	.name = "update",
	.words = "CONTAINER",
	.summary = "change a container's limits",
	.examples = {"skep update --memory 512M --pids-limit 100 web",
		     "skep update --resources limits.json web"},
	.tables = update_tables,
	.least = 1,
	.most = 1,
	.run = run_update,
};
