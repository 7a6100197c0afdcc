// SPDX-License-Identifier: GPL-2.0-only
/* The spec's linux.resources: OCI's cgroup v1 words become our limits. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "runtime/spec_unified.h"

#define DEFAULT_PERIOD_US 100000u
#define LEAST_SHARES	  2
#define MOST_SHARES	  262144
#define NOT_GIVEN	  INT64_MIN

/* What one resources object becomes; rules are refused where the caller has no place for them. */
struct resources {
	struct cg_limits *limits;
	struct ct_raw_limit *raw;
	size_t n_raw;
	struct cg_device_rule *rules;
	size_t n_rules;
	bool takes_rules;
};

static int set(struct resources *r, enum cg_limit which, uint64_t value, const char *path,
	       struct err *e)
{
	return cg_limit_set(r->limits, which, value, e) < 0 ? ct_refuse_why(e, path) : 0;
}

struct cpu {
	int64_t shares, quota, period, burst, idle, rt_runtime, rt_period;
	char *cpus, *mems;
};

/* 2..262144 of cgroup v1 to 1..10000 of v2, so that 1024, what v1 begins with, is 100, what v2 begins with: a curve through the three points, which crun has from 1.23 on and runc from 1.4 on. */
static uint64_t shares_to_weight(int64_t shares)
{
	double l;

	if (shares < LEAST_SHARES)
		shares = LEAST_SHARES;
	if (shares > MOST_SHARES)
		shares = MOST_SHARES;
	l = log2((double)shares);
	return (uint64_t)ceil(pow(10, (l * l + 125 * l) / 612 - 7.0 / 34));
}

/* Our quota is in thousandths of a CPU; what does not fit is rounded up, so that nobody gets less than was asked for. */
static int set_quota(struct resources *r, const struct cpu *c, const char *path, struct err *e)
{
	uint64_t period = c->period ? (uint64_t)c->period : DEFAULT_PERIOD_US, quota, milli;

	if (c->quota < -1 || c->period < 0)
		return ct_refuse(e, path, "quota or period is negative");
	/* Kubernetes gives the usual period to all, and a quota to some. */
	if (!c->quota && (!c->period || period == DEFAULT_PERIOD_US))
		return 0;
	if (c->period && set(r, CG_LIMIT_CPU_PERIOD, period, path, e) < 0)
		return -e->no;
	if (c->quota == -1 || !c->quota)
		return set(r, CG_LIMIT_CPU_QUOTA, CG_UNLIMITED, path, e);
	if (c->quota > INT64_MAX / 2000)
		return ct_refuse(e, path, "quota %" PRId64 " is out of range", c->quota);
	quota = (uint64_t)c->quota;
	milli = (quota * 1000 + period - 1) / period;
	if (milli * period != quota * 1000)
		log_info("%s: quota %" PRIu64 " of %" PRIu64 " us becomes %" PRIu64 "/1000 CPU",
			 path, quota, period, milli);
	return set(r, CG_LIMIT_CPU_QUOTA, milli, path, e);
}

int ct_set_cpu_list(char to[128], const char *list, const char *path, struct err *e)
{
	if (strlen(list) >= 128 || list[strspn(list, "0123456789,-")])
		return ct_refuse(e, path, "'%s' is not a list like 0-3,6", list);
	memcpy(to, list, strlen(list) + 1);
	return 0;
}

/* What only cgroup v2 has, and our limits do not. */
static int set_cpu_files(struct resources *r, const struct cpu *c, const char *path, struct err *e)
{
	char text[24];

	if (c->burst < 0 && c->burst != NOT_GIVEN)
		return ct_refuse(e, path, "burst is negative");
	if (c->idle != NOT_GIVEN && (c->idle < 0 || c->idle > 1))
		return ct_refuse(e, path, "idle is not 0 or 1");
	snprintf(text, sizeof(text), "%" PRId64, c->burst);
	/* A new group has 0 of both; to an update it is a word like others. */
	if ((c->burst > 0 || (!c->burst && !r->takes_rules)) &&
	    ct_add_raw(&r->raw, &r->n_raw, "cpu.max.burst", text, e) < 0)
		return -e->no;
	/* Of cgroup v1 alone. The period first: the runtime is judged beside it. */
	snprintf(text, sizeof(text), "%" PRId64, c->rt_period);
	if (c->rt_period && ct_add_raw(&r->raw, &r->n_raw, "cpu.rt_period_us", text, e) < 0)
		return -e->no;
	snprintf(text, sizeof(text), "%" PRId64, c->rt_runtime);
	if (c->rt_runtime && ct_add_raw(&r->raw, &r->n_raw, "cpu.rt_runtime_us", text, e) < 0)
		return -e->no;
	if (c->idle == NOT_GIVEN || (!c->idle && r->takes_rules))
		return 0;
	return ct_add_raw(&r->raw, &r->n_raw, "cpu.idle", c->idle ? "1" : "0", e);
}

static int set_cpu(struct resources *r, const struct cpu *c, const char *path, struct err *e)
{
	if (c->shares < 0)
		return ct_refuse(e, path, "shares is negative");
	if (c->shares && set(r, CG_LIMIT_CPU_WEIGHT, shares_to_weight(c->shares), path, e) < 0)
		return -e->no;
	r->limits->shares = (uint64_t)c->shares;
	if (set_quota(r, c, path, e) < 0)
		return -e->no;
	if (set_cpu_files(r, c, path, e) < 0)
		return -e->no;
	if (c->cpus && ct_set_cpu_list(r->limits->cpus, c->cpus, path, e) < 0)
		return -e->no;
	return c->mems ? ct_set_cpu_list(r->limits->mems, c->mems, path, e) : 0;
}

static int read_cpu(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"shares", ct_read_i64, offsetof(struct cpu, shares)},
		{"quota", ct_read_i64, offsetof(struct cpu, quota)},
		{"period", ct_read_i64, offsetof(struct cpu, period)},
		{"cpus", ct_read_str, offsetof(struct cpu, cpus)},
		{"mems", ct_read_str, offsetof(struct cpu, mems)},
		{"burst", ct_read_i64, offsetof(struct cpu, burst)},
		{"idle", ct_read_i64, offsetof(struct cpu, idle)},
		{"realtimeRuntime", ct_read_i64, offsetof(struct cpu, rt_runtime)},
		{"realtimePeriod", ct_read_i64, offsetof(struct cpu, rt_period)},
	};
	struct cpu c = {.burst = NOT_GIVEN, .idle = NOT_GIVEN};
	int r = ct_read_members(value, path, members, ARRAY_SIZE(members), &c, e);

	if (r >= 0)
		r = set_cpu(into, &c, path, e);
	free(c.cpus);
	free(c.mems);
	return r;
}

struct memory {
	int64_t limit, reservation, swap;
	int64_t swappiness;
	bool hierarchy, check, no_killer;
	bool no_swap; /* swap is 0, and limit is not there */
};

/* Of cgroup v1 alone. */
static int set_memory_files(struct resources *r, const struct memory *m, const char *path,
			    struct err *e)
{
	char text[24];

	if (m->swappiness != NOT_GIVEN && (m->swappiness < 0 || m->swappiness > 100))
		return ct_refuse(e, path, "swappiness is not from 0 to 100");
	snprintf(text, sizeof(text), "%" PRId64, m->swappiness);
	if (m->swappiness != NOT_GIVEN &&
	    ct_add_raw(&r->raw, &r->n_raw, "memory.swappiness", text, e) < 0)
		return -e->no;
	return m->no_killer ? ct_add_raw(&r->raw, &r->n_raw, "memory.oom_control", "1", e) : 0;
}

/*
 * 0: not given (podman and Docker write it so); -1: unlimited. A swap of 0 without any word of a limit is none of theirs: it is what the spec says, a sum of 0, so that no swap may be used, as crun reads it, too.
 */
static int set_memory(struct resources *r, const struct memory *m, const char *path, struct err *e)
{
	uint64_t limit = m->limit == -1 ? CG_UNLIMITED : (uint64_t)m->limit;
	uint64_t low = m->reservation == -1 ? CG_UNLIMITED : (uint64_t)m->reservation;

	if (m->limit < -1 || m->reservation < -1 || m->swap < -1)
		return ct_refuse(e, path, "a size is negative");
	if (m->limit && set(r, CG_LIMIT_MEM_MAX, limit, path, e) < 0)
		return -e->no;
	if (m->reservation && set(r, CG_LIMIT_MEM_LOW, low, path, e) < 0)
		return -e->no;
	if (!m->swap)
		return m->no_swap ? set(r, CG_LIMIT_SWAP_MAX, 0, path, e) : 0;
	if (m->swap == -1)
		return set(r, CG_LIMIT_SWAP_MAX, CG_UNLIMITED, path, e);
	/* OCI's swap is memory and swap together, ours is swap alone. */
	if (m->limit <= 0)
		return ct_refuse(e, path, "swap (memory and swap together) needs limit");
	if (m->swap < m->limit)
		return ct_refuse(e, path, "swap (memory and swap together) is under limit");
	return set(r, CG_LIMIT_SWAP_MAX, (uint64_t)(m->swap - m->limit), path, e);
}

/* The spec itself calls it "NOT RECOMMENDED", and kernels have dropped it: docker still sends it. runc leaves it out, too. */
static int leave_out_kernel(const json_t *value, const char *path, void *into, struct err *e)
{
	int64_t n;

	(void)into;
	if (ct_read_i64(value, path, &n, e) < 0)
		return -e->no;
	if (n > 0)
		log_warn("%s: kernel memory has no limit of its own any more: left out", path);
	return 0;
}

static int read_memory(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"limit", ct_read_i64, offsetof(struct memory, limit)},
		{"reservation", ct_read_i64, offsetof(struct memory, reservation)},
		{"swap", ct_read_i64, offsetof(struct memory, swap)},
		/* Every kernel we run on accounts hierarchically and no other way. */
		{"useHierarchy", ct_read_bool, offsetof(struct memory, hierarchy)},
		{"kernel", leave_out_kernel, 0},
		{"kernelTCP", leave_out_kernel, 0},
		{"swappiness", ct_read_i64, offsetof(struct memory, swappiness)},
		{"disableOOMKiller", ct_read_bool, offsetof(struct memory, no_killer)},
		/* Nothing is in use yet; ctl/oci_update.c asks. */
		{"checkBeforeUpdate", ct_read_bool, offsetof(struct memory, check)},
	};
	struct memory m = {.swappiness = NOT_GIVEN, .swap = NOT_GIVEN};

	if (ct_read_members(value, path, members, ARRAY_SIZE(members), &m, e) < 0 ||
	    set_memory_files(into, &m, path, e) < 0)
		return -e->no;
	m.no_swap = !m.swap && !json_object_get(value, "limit");
	m.swap = m.swap == NOT_GIVEN ? 0 : m.swap;
	return set_memory(into, &m, path, e);
}

/* runc reads 0 as "not given" and -1 as unlimited. */
static int read_pids(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {{"limit", ct_read_i64, 0}};
	int64_t limit = 0;

	if (ct_read_members(value, path, members, ARRAY_SIZE(members), &limit, e) < 0)
		return -e->no;
	if (!limit)
		return 0;
	return set(into, CG_LIMIT_PIDS_MAX, limit < 0 ? CG_UNLIMITED : (uint64_t)limit, path, e);
}

static int read_block_io(const json_t *value, const char *path, void *into, struct err *e)
{
	struct resources *r = into;

	return ct_read_block_io(value, path, r->limits, &r->raw, &r->n_raw, e);
}

static int read_network(const json_t *value, const char *path, void *into, struct err *e)
{
	struct resources *r = into;

	return ct_read_network(value, path, &r->raw, &r->n_raw, e);
}

struct rule {
	bool allow;
	char *type, *access;
	int64_t major, minor;
};

static int judge_rule(const struct rule *r, const char *path, struct err *e)
{
	if (r->type && r->type[0] && (strlen(r->type) != 1 || !strchr("abcu", r->type[0])))
		return ct_refuse(e, path, "type must be a, b or c");
	if (r->access && r->access[strspn(r->access, "rwm")])
		return ct_refuse(e, path, "access must be of r, w and m");
	if (r->major < -1 || r->minor < -1 || r->major > 0xfff || r->minor > 0xfffff)
		return ct_refuse(e, path, "major or minor is out of range");
	return 0;
}

static int read_rule(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"allow", ct_read_bool, offsetof(struct rule, allow)},
		{"type", ct_read_str, offsetof(struct rule, type)},
		{"major", ct_read_i64, offsetof(struct rule, major)},
		{"minor", ct_read_i64, offsetof(struct rule, minor)},
		{"access", ct_read_str, offsetof(struct rule, access)},
	};
	auto_free char *type = NULL, *access = NULL;
	struct rule r = {.major = -1, .minor = -1};
	int ret = ct_read_members(value, path, members, ARRAY_SIZE(members), &r, e);
	const char *a;

	type = r.type;
	access = r.access;
	if (ret < 0 || judge_rule(&r, path, e) < 0)
		return -e->no;
	a = access && access[0] ? access : "rwm";
	*(struct cg_device_rule *)into = (struct cg_device_rule){.type = !type || !type[0] ? 'a'
									 : type[0] == 'u'  ? 'c'
											  : type[0],
								 .major = r.major,
								 .minor = r.minor,
								 .r = strchr(a, 'r') != NULL,
								 .w = strchr(a, 'w') != NULL,
								 .m = strchr(a, 'm') != NULL,
								 .allow = r.allow};
	return 0;
}

static bool denies_all(const struct cg_device_rule *r)
{
	return !r->allow && r->type == 'a' && r->major < 0 && r->minor < 0 && r->r && r->w && r->m;
}

/*
 * Every config begins with "deny all", and every container has /dev/null all the same: so a rule that denies everything takes
 * back the rules before it, and not cg_device_default[], behind which the rest is put.
 */
static int read_rules(const json_t *value, const char *path, void *into, struct err *e)
{
	struct resources *r = into;
	void *items = NULL;
	size_t n = 0;
	int ret;

	if (!r->takes_rules)
		return json_array_size(value) ? ct_refuse(e, path, "cannot be changed now") : 0;
	ret = ct_read_list(value, path, read_rule, sizeof(*r->rules), &items, &n, e);
	r->rules = items;
	for (size_t i = 0; ret >= 0 && i < n; i++) {
		if (denies_all(&r->rules[i]))
			r->n_rules = 0;
		else
			r->rules[r->n_rules++] = r->rules[i];
	}
	return ret;
}

static int read_hugepages(const json_t *value, const char *path, void *into, struct err *e)
{
	struct resources *r = into;

	return ct_read_hugepages(value, path, &r->raw, &r->n_raw, e);
}

static int read_unified(const json_t *value, const char *path, void *into, struct err *e)
{
	struct resources *r = into;

	return ct_read_unified(value, path, r->limits, &r->raw, &r->n_raw, e);
}

static int read_rdma(const json_t *value, const char *path, void *into, struct err *e)
{
	struct resources *r = into;

	return ct_read_rdma(value, path, &r->raw, &r->n_raw, e);
}

static int read_resources(const json_t *value, const char *path, struct resources *r, struct err *e)
{
	/* unified comes last: it is the more exact word for the same thing. */
	static const struct ct_member members[] = {
		{"cpu", read_cpu, 0},
		{"memory", read_memory, 0},
		{"pids", read_pids, 0},
		{"blockIO", read_block_io, 0},
		{"hugepageLimits", read_hugepages, 0},
		{"devices", read_rules, 0},
		{"unified", read_unified, 0},
		{"network", read_network, 0},
		{"rdma", read_rdma, 0},
	};

	return ct_read_members(value, path, members, ARRAY_SIZE(members), r, e);
}

int ct_read_spec_resources(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ct_spec *spec = into;
	struct resources r = {.limits = &spec->limits, .takes_rules = true};
	int ret = read_resources(value, path, &r, e);

	spec->raw_limits = r.raw;
	spec->n_raw_limits = r.n_raw;
	spec->device_rules = r.rules;
	spec->n_device_rules = r.n_rules;
	return ret;
}

int ct_resources_from_json(const json_t *resources, struct cg_limits *limits,
			   struct ct_raw_limit **raw, size_t *n_raw, struct err *e)
{
	struct resources r = {.limits = limits};

	*limits = (struct cg_limits){0};
	*raw = NULL;
	*n_raw = 0;
	if (read_resources(resources, "resources", &r, e) < 0) {
		ct_raw_limits_done(r.raw, r.n_raw);
		return -e->no;
	}
	*raw = r.raw;
	*n_raw = r.n_raw;
	return 0;
}
