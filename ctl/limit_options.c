// SPDX-License-Identifier: GPL-2.0-only
/* The options of create and set that limit and share: memory, processors, processes, disks. */
#include "ctl/limit_options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/size.h"
#include "ctl/words.h"
#include "runtime/own_disk.h"

#define LEAST_MEMORY	(1u << 20) /* under it no init comes up: a forgotten unit */
#define LEAST_IO_BYTES	4096
#define LEAST_UNITS	8
#define MOST_UNITS	500000 /* OpenVZ's range */
#define UNITS_A_WEIGHT	10
#define MOST_WEIGHT	10000
#define MOST_PERCENT	102400
#define MILLI_A_PERCENT 10

static int bad_value(const char *what, const char *value, const char *why, struct err *e)
{
	err_set(e, EINVAL, "%s: '%.64s' %s", what, value, why);
	return err_class(e, ERR_VALUE);
}

/* OpenVZ's barrier:limit: the limit is what holds. */
static const char *limit_part(const char *value)
{
	const char *colon = strchr(value, ':');

	return colon ? colon + 1 : value;
}

int ctl_limit_memory(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	uint64_t bytes;

	if (size_parse(what, limit_part(value), &bytes, e) < 0)
		return -e->no;
	if (bytes < LEAST_MEMORY) {
		bad_value(what, value, "is less than the 1M that any program needs", e);
		return isdigit((unsigned char)value[strlen(value) - 1])
			       ? err_hint(e, "did you mean %.32sM?", value)
			       : -e->no;
	}
	return cg_limit_set(&d->limits, CG_LIMIT_MEM_MAX, bytes, e);
}

int ctl_limit_swap(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	uint64_t bytes;

	if (size_parse(what, limit_part(value), &bytes, e) < 0)
		return -e->no;
	return cg_limit_set(&d->limits, CG_LIMIT_SWAP_MAX, bytes, e);
}

static bool means_unlimited(const char *value)
{
	return strcmp(value, "unlimited") == 0 || strcmp(value, "0") == 0;
}

int ctl_limit_cpus(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	uint32_t milli;

	if (means_unlimited(value))
		return cg_limit_set(&d->limits, CG_LIMIT_CPU_QUOTA, CG_UNLIMITED, e);
	if (size_parse_cpus(what, value, &milli, e) < 0)
		return -e->no;
	return cg_limit_set(&d->limits, CG_LIMIT_CPU_QUOTA, milli, e);
}

int ctl_limit_cpulimit(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	char number[24];
	size_t len = strlen(value);
	int64_t percent;

	if (means_unlimited(value) || strcmp(value, "0%") == 0)
		return cg_limit_set(&d->limits, CG_LIMIT_CPU_QUOTA, CG_UNLIMITED, e);
	if (len && value[len - 1] == '%')
		len--;
	if (len >= sizeof(number))
		return bad_value(what, value, "is not a percentage of one CPU, such as 150", e);
	memcpy(number, value, len);
	number[len] = '\0';
	if (size_parse_number(what, number, 1, MOST_PERCENT, &percent, e) < 0)
		return err_hint(e, "it is a percentage of one CPU: 150 is one CPU and a half");
	return cg_limit_set(&d->limits, CG_LIMIT_CPU_QUOTA, (uint64_t)percent * MILLI_A_PERCENT, e);
}

unsigned ctl_weight_from_units(unsigned units)
{
	unsigned weight = (units + UNITS_A_WEIGHT / 2) / UNITS_A_WEIGHT;

	return weight < 1 ? 1 : weight > MOST_WEIGHT ? MOST_WEIGHT : weight;
}

unsigned ctl_weight_to_units(unsigned weight)
{
	return weight * UNITS_A_WEIGHT;
}

int ctl_limit_cpuunits(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	int64_t units;

	if (size_parse_number(what, value, LEAST_UNITS, MOST_UNITS, &units, e) < 0)
		return -e->no;
	return cg_limit_set(&d->limits, CG_LIMIT_CPU_WEIGHT, ctl_weight_from_units((unsigned)units),
			    e);
}

static int set_weight(struct ct_definition *d, enum cg_limit which, const char *what,
		      const char *value, struct err *e)
{
	int64_t weight;

	if (size_parse_number(what, value, 1, MOST_WEIGHT, &weight, e) < 0)
		return -e->no;
	return cg_limit_set(&d->limits, which, (uint64_t)weight, e);
}

int ctl_limit_cpuweight(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	return set_weight(d, CG_LIMIT_CPU_WEIGHT, what, value, e);
}

int ctl_limit_io_weight(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	return set_weight(d, CG_LIMIT_IO_WEIGHT, what, value, e);
}

/* The disk under its files; the entry is made at the first word about it. */
static struct cg_io_limit *own_disk(struct ct_definition *d, const char *what, struct err *e)
{
	struct cg_limits *l = &d->limits;

	for (size_t i = 0; i < l->io_count; i++)
		if (ct_is_own_disk(&l->io[i]))
			return &l->io[i];
	if (l->io_count == CG_IO_LIMITS) {
		err_set(e, E2BIG, "%s: its definition limits %d disks already", what, CG_IO_LIMITS);
		err_class(e, ERR_VALUE);
		return NULL;
	}
	l->io[l->io_count] = (struct cg_io_limit){0};
	return &l->io[l->io_count++];
}

static int set_io_rate(struct ct_definition *d, const char *what, const char *value, uint64_t unit,
		       struct err *e)
{
	struct cg_io_limit *io;
	uint64_t bytes;

	if (means_unlimited(value))
		bytes = CG_UNLIMITED;
	else if (size_parse(what, value, &bytes, e) < 0)
		return -e->no;
	if (bytes != CG_UNLIMITED && (bytes > INT64_MAX / unit || bytes * unit < LEAST_IO_BYTES))
		return bad_value(what, value, "is no rate for a disk: 4K a second is the least", e);
	io = own_disk(d, what, e);
	if (!io)
		return -e->no;
	io->rbps = io->wbps = bytes == CG_UNLIMITED ? bytes : bytes * unit;
	return 0;
}

int ctl_limit_io_limit(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	return set_io_rate(d, what, value, 1, e);
}

/* OpenVZ counts megabytes a second unless a unit says otherwise. */
int ctl_limit_iolimit(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	return set_io_rate(d, what, value, value[strspn(value, "0123456789")] ? 1 : 1 << 20, e);
}

int ctl_limit_iops(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	struct cg_io_limit *io;
	int64_t n = 0;

	if (!means_unlimited(value) && size_parse_number(what, value, 1, UINT32_MAX, &n, e) < 0)
		return -e->no;
	io = own_disk(d, what, e);
	if (!io)
		return -e->no;
	io->riops = io->wiops = means_unlimited(value) ? CG_UNLIMITED : (uint64_t)n;
	return 0;
}

int ctl_limit_cpuset(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	if (strcmp(value, "all") == 0)
		value = "";
	else if (!*value)
		return bad_value(what, value, "is no CPU at all", e);
	if (ct_cpu_list_check(what, value, e) < 0)
		return -e->no;
	if (strlen(value) >= sizeof(d->limits.cpus))
		return bad_value(what, value, "is a longer list than can be kept", e);
	snprintf(d->limits.cpus, sizeof(d->limits.cpus), "%s", value);
	return 0;
}

int ctl_limit_pids(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	const char *limit = limit_part(value);
	int64_t n;

	if (strcmp(limit, "unlimited") == 0 || strcmp(limit, "max") == 0)
		return cg_limit_set(&d->limits, CG_LIMIT_PIDS_MAX, CG_UNLIMITED, e);
	if (size_parse_number(what, limit, 1, 4194304, &n, e) < 0)
		return -e->no;
	return cg_limit_set(&d->limits, CG_LIMIT_PIDS_MAX, (uint64_t)n, e);
}

static int set_disk_unit(struct ct_definition *d, const char *what, const char *value,
			 unsigned unit, struct err *e)
{
	uint64_t bytes;

	if (strcmp(value, "none") == 0 || strcmp(value, "unlimited") == 0) {
		d->disk_bytes = 0;
		return 0;
	}
	if (size_parse(what, value, &bytes, e) < 0)
		return -e->no;
	if (bytes == SIZE_UNLIMITED || bytes > INT64_MAX / unit)
		return bad_value(what, value, "is more than a disk can have", e);
	d->disk_bytes = bytes * unit;
	return 0;
}

int ctl_limit_disk(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	return set_disk_unit(d, what, value, 1, e);
}

/* OpenVZ counts disk space in KiB unless a unit says otherwise. */
int ctl_limit_diskspace(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	value = limit_part(value);
	return set_disk_unit(d, what, value, value[strspn(value, "0123456789")] ? 1 : 1024, e);
}
