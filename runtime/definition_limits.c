// SPDX-License-Identifier: GPL-2.0-only
/* The limits of a definition as JSON. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "runtime/definition_json.h"
#include "runtime/own_disk.h"

#define OWN_DISK "own"

static const char *const limit_keys[] = {
	[CG_LIMIT_CPU_WEIGHT] = "cpu_weight",	 [CG_LIMIT_CPU_QUOTA] = "cpu_quota_milli",
	[CG_LIMIT_CPU_PERIOD] = "cpu_period_us", [CG_LIMIT_MEM_MAX] = "memory_max",
	[CG_LIMIT_MEM_HIGH] = "memory_high",	 [CG_LIMIT_MEM_LOW] = "memory_low",
	[CG_LIMIT_MEM_MIN] = "memory_min",	 [CG_LIMIT_SWAP_MAX] = "swap_max",
	[CG_LIMIT_PIDS_MAX] = "pids_max",	 [CG_LIMIT_IO_WEIGHT] = "io_weight",
};
_Static_assert(ARRAY_SIZE(limit_keys) == CG_LIMIT_COUNT, "a name for each limit");

static const struct {
	const char *key;
	size_t offset;
} io_rates[] = {
	{"read_bps", offsetof(struct cg_io_limit, rbps)},
	{"write_bps", offsetof(struct cg_io_limit, wbps)},
	{"read_iops", offsetof(struct cg_io_limit, riops)},
	{"write_iops", offsetof(struct cg_io_limit, wiops)},
};

/* A number, or "unlimited". */
static int get_amount(const json_t *j, const char *key, uint64_t *to, struct err *e)
{
	const json_t *v = json_object_get(j, key);
	int64_t n = 0;

	if (json_is_string(v) && !strcmp(json_string_value(v), "unlimited")) {
		*to = CG_UNLIMITED;
		return 1;
	}
	if (v && !json_is_integer(v))
		return ct_member_bad(e, key, "must be a whole number or \"unlimited\"");
	if (ct_member_number(j, key, 0, INT64_MAX, &n, e) <= 0)
		return -e->no;
	*to = (uint64_t)n;
	return 1;
}

static int get_io(const json_t *j, struct cg_io_limit *io, struct err *e)
{
	const char *device = NULL, *key;
	json_t *value;
	int end = 0;

	json_object_foreach ((json_t *)j, key, value) {
		size_t i = 0;

		while (i < ARRAY_SIZE(io_rates) && strcmp(key, io_rates[i].key) != 0)
			i++;
		if (i < ARRAY_SIZE(io_rates)) {
			if (get_amount(j, key, (uint64_t *)((char *)io + io_rates[i].offset), e) <
			    0)
				return -e->no;
		} else if (strcmp(key, "device") != 0) {
			return ct_member_unknown(e, key);
		}
	}
	if (json_get_str(j, "device", &device, e) < 0)
		return -e->no;
	if (device && !strcmp(device, OWN_DISK))
		return 1; /* 0:0, as it is */
	if (!device || sscanf(device, "%9u:%9u%n", &io->major, &io->minor, &end) != 2 ||
	    device[end] || ct_is_own_disk(io))
		return ct_member_bad(e, "device", "must be \"own\" or MAJOR:MINOR, as in \"8:0\"");
	return 1;
}

static int get_io_list(const json_t *j, struct cg_limits *l, struct err *e)
{
	json_t *list = NULL, *item;
	size_t i;

	if (json_get_array(j, "io", &list, e) <= 0)
		return -e->no;
	if (json_array_size(list) > CG_IO_LIMITS)
		return ct_member_bad(e, "io", "has more than 16 devices");
	json_array_foreach (list, i, item) {
		if (!json_is_object(item))
			return ct_member_bad(e, "io", "has an entry that is no object");
		if (get_io(item, &l->io[i], e) < 0)
			return err_wrap(e, "\"io\" entry %zu", i);
	}
	l->io_count = json_array_size(list);
	return 1;
}

static int get_limit(const json_t *j, const char *key, struct cg_limits *l, struct err *e)
{
	uint64_t v = 0;

	if (!strcmp(key, "cpus"))
		return ct_member_string(j, key, l->cpus, sizeof(l->cpus), e);
	if (!strcmp(key, "mems"))
		return ct_member_string(j, key, l->mems, sizeof(l->mems), e);
	if (!strcmp(key, "io"))
		return get_io_list(j, l, e);
	for (int i = 0; i < CG_LIMIT_COUNT; i++) {
		if (strcmp(key, limit_keys[i]) != 0)
			continue;
		if (get_amount(j, key, &v, e) <= 0)
			return -e->no;
		if (cg_limit_set(l, (enum cg_limit)i, v, e) < 0) {
			e->class = ERR_CONFIG;
			return err_wrap(e, "\"%s\"", key);
		}
		return 1;
	}
	return ct_member_unknown(e, key);
}

int ct_member_limits(const json_t *j, const char *key, struct cg_limits *l, struct err *e)
{
	json_t *o = NULL, *value;
	const char *name;

	if (json_get_object(j, key, &o, e) <= 0)
		return -e->no;
	json_object_foreach (o, name, value)
		if (get_limit(o, name, l, e) < 0)
			return err_wrap(e, "\"%s\"", key);
	return 1;
}

static json_t *amount(uint64_t v)
{
	return v == CG_UNLIMITED ? json_string("unlimited") : json_integer((json_int_t)v);
}

static int put_io(json_t *a, const struct cg_io_limit *io, struct err *e)
{
	json_t *o = json_object();

	if (ct_member_append(a, o, e) < 0 ||
	    ct_member_put(o, "device",
			  ct_is_own_disk(io) ? json_string(OWN_DISK)
					     : json_sprintf("%u:%u", io->major, io->minor),
			  e) < 0)
		return -e->no;
	for (size_t i = 0; i < ARRAY_SIZE(io_rates); i++) {
		uint64_t v = *(const uint64_t *)((const char *)io + io_rates[i].offset);

		if (v && ct_member_put(o, io_rates[i].key, amount(v), e) < 0)
			return -e->no;
	}
	return 0;
}

int ct_member_put_limits(json_t *j, const char *key, const struct cg_limits *l, struct err *e)
{
	json_t *o = json_object(), *io;

	if (ct_member_put(j, key, o, e) < 0)
		return -e->no;
	for (int i = 0; i < CG_LIMIT_COUNT; i++)
		if (l->set[i] && ct_member_put(o, limit_keys[i], amount(l->value[i]), e) < 0)
			return -e->no;
	if ((l->cpus[0] && ct_member_put(o, "cpus", json_string(l->cpus), e) < 0) ||
	    (l->mems[0] && ct_member_put(o, "mems", json_string(l->mems), e) < 0))
		return -e->no;
	if (!l->io_count)
		return 0;
	io = json_array();
	if (ct_member_put(o, "io", io, e) < 0)
		return -e->no;
	for (size_t i = 0; i < l->io_count; i++)
		if (put_io(io, &l->io[i], e) < 0)
			return -e->no;
	return 0;
}
