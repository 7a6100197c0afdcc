// SPDX-License-Identifier: GPL-2.0-only
/* The spec's linux.resources.blockIO. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/own.h"
#include "runtime/spec_unified.h"

/* What it becomes. */
struct block_io {
	struct cg_limits *limits;
	struct ct_raw_limit **raw;
	size_t *n_raw;
};

#define LEAST_WEIGHT 10
#define MOST_WEIGHT  1000

struct throttle {
	int64_t major, minor, rate;
};

static int read_throttle(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"major", ct_read_i64, offsetof(struct throttle, major)},
		{"minor", ct_read_i64, offsetof(struct throttle, minor)},
		{"rate", ct_read_i64, offsetof(struct throttle, rate)},
	};
	struct throttle *t = into;

	*t = (struct throttle){-1, -1, -1};
	if (ct_read_members(value, path, members, ARRAY_SIZE(members), t, e) < 0)
		return -e->no;
	return t->major < 0 || t->minor < 0 || t->major > 0xfff || t->minor > 0xfffff || t->rate < 0
		       ? ct_refuse(e, path, "needs major, minor and rate")
		       : 0;
}

struct cg_io_limit *ct_io_limit(struct cg_limits *l, unsigned major, unsigned minor,
				const char *path, struct err *e)
{
	struct cg_io_limit *io = l->io;

	for (; io < l->io + l->io_count; io++)
		if (io->major == major && io->minor == minor)
			return io;
	if (l->io_count == CG_IO_LIMITS) {
		ct_refuse(e, path, "limits more than %d devices", CG_IO_LIMITS);
		return NULL;
	}
	l->io_count++;
	*io = (struct cg_io_limit){.major = major, .minor = minor};
	return io;
}

static int read_throttles(const json_t *value, const char *path, struct block_io *b, size_t member,
			  struct err *e)
{
	auto_free struct throttle *list = NULL;
	void *items = NULL;
	size_t n = 0;
	int ret = ct_read_list(value, path, read_throttle, sizeof(*list), &items, &n, e);

	list = items;
	for (size_t i = 0; ret >= 0 && i < n; i++) {
		struct cg_io_limit *io = ct_io_limit(b->limits, (unsigned)list[i].major,
						     (unsigned)list[i].minor, path, e);

		if (!io)
			return -e->no;
		/* Rate 0 lifts the limit, in v1's words. */
		*(uint64_t *)((char *)io + member) = list[i].rate ? (uint64_t)list[i].rate
								  : CG_UNLIMITED;
	}
	return ret;
}

static int read_rbps(const json_t *value, const char *path, void *into, struct err *e)
{
	return read_throttles(value, path, into, offsetof(struct cg_io_limit, rbps), e);
}

static int read_wbps(const json_t *value, const char *path, void *into, struct err *e)
{
	return read_throttles(value, path, into, offsetof(struct cg_io_limit, wbps), e);
}

static int read_riops(const json_t *value, const char *path, void *into, struct err *e)
{
	return read_throttles(value, path, into, offsetof(struct cg_io_limit, riops), e);
}

static int read_wiops(const json_t *value, const char *path, void *into, struct err *e)
{
	return read_throttles(value, path, into, offsetof(struct cg_io_limit, wiops), e);
}

/* 10..1000 with 100 as the kernel's default, in OCI, in v1's BFQ and in io.bfq.weight; io.weight has the same default. 0: not given. */
static int read_weight(const json_t *value, const char *path, int64_t *weight, struct err *e)
{
	if (ct_read_i64(value, path, weight, e) < 0)
		return -e->no;
	return *weight && (*weight < LEAST_WEIGHT || *weight > MOST_WEIGHT)
		       ? ct_refuse(e, path, "%" PRId64 " is not from %d to %d", *weight,
				   LEAST_WEIGHT, MOST_WEIGHT)
		       : 0;
}

static int read_io_weight(const json_t *value, const char *path, void *into, struct err *e)
{
	struct block_io *b = into;
	int64_t weight;

	if (read_weight(value, path, &weight, e) < 0)
		return -e->no;
	return weight && cg_limit_set(b->limits, CG_LIMIT_IO_WEIGHT, (uint64_t)weight, e) < 0
		       ? ct_refuse_why(e, path)
		       : 0;
}

static int add_weight(struct block_io *b, const char *file, const char *device, int64_t weight,
		      struct err *e)
{
	char line[64];

	snprintf(line, sizeof(line), "%s%" PRId64, device, weight);
	return weight ? ct_add_raw(b->raw, b->n_raw, file, line, e) : 0;
}

/* CFQ's, which Linux 5.0 dropped: a host that has no such file says so. */
static int read_leaf_weight(const json_t *value, const char *path, void *into, struct err *e)
{
	int64_t weight;

	if (read_weight(value, path, &weight, e) < 0)
		return -e->no;
	return add_weight(into, "blkio.leaf_weight", "", weight, e);
}

struct device_weight {
	int64_t major, minor, weight, leaf;
};

static int read_any_weight(const json_t *value, const char *path, void *into, struct err *e)
{
	return read_weight(value, path, into, e);
}

static int read_device(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"major", ct_read_i64, offsetof(struct device_weight, major)},
		{"minor", ct_read_i64, offsetof(struct device_weight, minor)},
		{"weight", read_any_weight, offsetof(struct device_weight, weight)},
		{"leafWeight", read_any_weight, offsetof(struct device_weight, leaf)},
	};
	struct device_weight *d = into;

	*d = (struct device_weight){-1, -1, 0, 0};
	if (ct_read_members(value, path, members, ARRAY_SIZE(members), d, e) < 0)
		return -e->no;
	return d->major < 0 || d->minor < 0 || d->major > 0xfff || d->minor > 0xfffff ||
			       (!d->weight && !d->leaf)
		       ? ct_refuse(e, path, "needs major, minor, and weight or leafWeight")
		       : 0;
}

static int read_devices(const json_t *value, const char *path, void *into, struct err *e)
{
	auto_free struct device_weight *list = NULL;
	void *items = NULL;
	size_t n = 0;
	int r = ct_read_list(value, path, read_device, sizeof(*list), &items, &n, e);

	list = items;
	for (size_t i = 0; r >= 0 && i < n; i++) {
		char device[32];

		snprintf(device, sizeof(device), "%" PRId64 ":%" PRId64 " ", list[i].major,
			 list[i].minor);
		r = add_weight(into, "blkio.weight_device", device, list[i].weight, e);
		if (r >= 0)
			r = add_weight(into, "blkio.leaf_weight_device", device, list[i].leaf, e);
	}
	return r;
}

int ct_read_block_io(const json_t *value, const char *path, struct cg_limits *limits,
		     struct ct_raw_limit **raw, size_t *n_raw, struct err *e)
{
	static const struct ct_member members[] = {
		{"weight", read_io_weight, 0},
		{"throttleReadBpsDevice", read_rbps, 0},
		{"throttleWriteBpsDevice", read_wbps, 0},
		{"throttleReadIOPSDevice", read_riops, 0},
		{"throttleWriteIOPSDevice", read_wiops, 0},
		{"leafWeight", read_leaf_weight, 0},
		{"weightDevice", read_devices, 0},
	};
	struct block_io b = {.limits = limits, .raw = raw, .n_raw = n_raw};

	return ct_read_members(value, path, members, ARRAY_SIZE(members), &b, e);
}
