// SPDX-License-Identifier: GPL-2.0-only
/* linux.resources.unified: cgroup v2's own files. */
#include "runtime/spec_unified.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "cgroups/limits.h"
#include "net/move.h"

/* A whole number, or "max". */
static bool parse(const char *text, uint64_t *value)
{
	char *end;

	if (!strcmp(text, "max")) {
		*value = CG_UNLIMITED;
		return true;
	}
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return !*end && !errno && *value <= INT64_MAX;
}

static bool set(struct cg_limits *l, enum cg_limit which, uint64_t value)
{
	struct err e = {0};

	return cg_limit_set(l, which, value, &e) >= 0;
}

static bool set_one(struct cg_limits *l, enum cg_limit which, const char *text)
{
	uint64_t value;

	return parse(text, &value) && set(l, which, value);
}

/* "QUOTA PERIOD", either of them alone too. Not taken: what is no whole number of thousandths of a CPU. */
static bool set_cpu_max(struct cg_limits *l, const char *text)
{
	uint64_t quota, period = 100000;
	char first[24];
	const char *space = strchr(text, ' ');
	size_t n = space ? (size_t)(space - text) : strlen(text);

	if (n >= sizeof(first))
		return false;
	memcpy(first, text, n);
	first[n] = 0;
	if (!parse(first, &quota) || (space && !parse(space + 1, &period)))
		return false;
	if (period < 1000 || period > 1000000)
		return false;
	if (quota != CG_UNLIMITED) {
		if (quota > INT64_MAX / 1000 || quota * 1000 % period)
			return false;
		quota = quota * 1000 / period;
	}
	return set(l, CG_LIMIT_CPU_QUOTA, quota) && (!space || set(l, CG_LIMIT_CPU_PERIOD, period));
}

/* Also "default 100", as the file itself reads. */
static bool set_io_weight(struct cg_limits *l, const char *text)
{
	return set_one(l, CG_LIMIT_IO_WEIGHT, strncmp(text, "default ", 8) ? text : text + 8);
}

static bool set_rate(struct cg_io_limit *io, const char *word)
{
	static const struct {
		const char *name;
		size_t offset;
	} names[] = {{"rbps=", offsetof(struct cg_io_limit, rbps)},
		     {"wbps=", offsetof(struct cg_io_limit, wbps)},
		     {"riops=", offsetof(struct cg_io_limit, riops)},
		     {"wiops=", offsetof(struct cg_io_limit, wiops)}};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n = strlen(names[i].name);

		if (!strncmp(word, names[i].name, n))
			return parse(word + n, (uint64_t *)((char *)io + names[i].offset));
	}
	return false;
}

/* "8:0 rbps=1048576 wiops=max", one device. */
static bool set_io_max(struct cg_limits *l, const char *text)
{
	auto_free char *copy = strdup(text);
	char *rest = copy, *word = strsep(&rest, " ");
	struct cg_io_limit io = {0}, *to;
	struct err e = {0};
	int end = 0;

	if (!word || sscanf(word, "%4u:%7u%n", &io.major, &io.minor, &end) < 2 || word[end])
		return false;
	while ((word = strsep(&rest, " ")))
		if (*word && !set_rate(&io, word))
			return false;
	to = ct_io_limit(l, io.major, io.minor, "io.max", &e);
	if (!to)
		return false;
	*to = io;
	return true;
}

static bool set_list(char to[128], const char *text)
{
	struct err e = {0};

	return ct_set_cpu_list(to, text, "", &e) >= 0;
}

/* True when our limits hold it. */
static bool take(struct cg_limits *l, const char *file, const char *text)
{
	static const struct {
		const char *file;
		enum cg_limit which;
	} plain[] = {
		{"cpu.weight", CG_LIMIT_CPU_WEIGHT},	{"memory.max", CG_LIMIT_MEM_MAX},
		{"memory.high", CG_LIMIT_MEM_HIGH},	{"memory.low", CG_LIMIT_MEM_LOW},
		{"memory.min", CG_LIMIT_MEM_MIN},	{"pids.max", CG_LIMIT_PIDS_MAX},
		{"memory.swap.max", CG_LIMIT_SWAP_MAX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (!strcmp(file, plain[i].file)) {
			if (!set_one(l, plain[i].which, text))
				return false;
			/* It comes after linux.resources.cpu.shares and is what counts, also where v1 writes those. */
			if (plain[i].which == CG_LIMIT_CPU_WEIGHT)
				l->shares = 0;
			return true;
		}
	if (!strcmp(file, "cpu.max"))
		return set_cpu_max(l, text);
	if (!strcmp(file, "io.weight"))
		return set_io_weight(l, text);
	if (!strcmp(file, "io.max"))
		return set_io_max(l, text);
	if (!strcmp(file, "cpuset.cpus"))
		return set_list(l->cpus, text);
	if (!strcmp(file, "cpuset.mems"))
		return set_list(l->mems, text);
	return false;
}

static bool is_limit(const char *file)
{
	return strchr(file, '.') && !strchr(file, '/') && strncmp(file, "cgroup.", 7) != 0 &&
	       file[0] != '.';
}

int ct_add_raw(struct ct_raw_limit **raw, size_t *n_raw, const char *file, const char *value,
	       struct err *e)
{
	struct ct_raw_limit *list = realloc(*raw, (*n_raw + 1) * sizeof(*list)), *to;

	if (!list)
		return ct_no_memory(e);
	*raw = list;
	to = &list[*n_raw];
	*to = (struct ct_raw_limit){.file = strdup(file), .value = strdup(value)};
	(*n_raw)++;
	return to->file && to->value ? 0 : ct_no_memory(e);
}

int ct_read_unified(const json_t *value, const char *path, struct cg_limits *limits,
		    struct ct_raw_limit **raw, size_t *n_raw, struct err *e)
{
	const char *file;
	json_t *v;

	if (!json_is_object(value))
		return ct_refuse(e, path, "must be an object");
	json_object_foreach ((json_t *)value, file, v) {
		if (!json_is_string(v))
			return ct_refuse(e, path, "'%s' must be a string", file);
		if (!is_limit(file))
			return ct_refuse(
				e, path,
				"the specified key has not the form CONTROLLER.VALUE `%s`: not a limit of a control group",
				file);
		if (take(limits, file, json_string_value(v)))
			continue;
		if (ct_add_raw(raw, n_raw, file, json_string_value(v), e) < 0)
			return -e->no;
	}
	return 0;
}

struct hugepages {
	char *size;
	int64_t limit;
};

static int set_hugepages(const struct hugepages *h, const char *path, struct ct_raw_limit **raw,
			 size_t *n_raw, struct err *e)
{
	size_t digits = h->size ? strspn(h->size, "0123456789") : 0;
	char file[48], value[24];

	/* As the files of the controller have it: hugetlb.2MB.max. */
	if (!digits || digits > 8 || !h->size[digits] || !strchr("KMG", h->size[digits]) ||
	    strcmp(h->size + digits + 1, "B") != 0)
		return ct_refuse(e, path, "pageSize must be like 2MB or 1GB");
	if (h->limit < -1)
		return ct_refuse(e, path, "limit is negative");
	snprintf(file, sizeof(file), "hugetlb.%s.max", h->size);
	snprintf(value, sizeof(value), "%" PRId64, h->limit);
	if (h->limit < 0)
		snprintf(value, sizeof(value), "max");
	if (ct_add_raw(raw, n_raw, file, value, e) < 0)
		return -e->no;
	/* "Reservations (if supported) or usage" (runtime-spec): who may reserve without end gets its signal only when it uses it. */
	snprintf(file, sizeof(file), "hugetlb.%s.rsvd.max", h->size);
	if (ct_add_raw(raw, n_raw, file, value, e) < 0)
		return -e->no;
	(*raw)[*n_raw - 1].optional = true;
	return 0;
}

int ct_read_hugepages(const json_t *value, const char *path, struct ct_raw_limit **raw,
		      size_t *n_raw, struct err *e)
{
	static const struct ct_member members[] = {
		{"pageSize", ct_read_str, offsetof(struct hugepages, size)},
		{"limit", ct_read_i64, offsetof(struct hugepages, limit)},
	};

	if (!json_is_array(value))
		return ct_refuse(e, path, "must be an array");
	for (size_t i = 0; i < json_array_size(value); i++) {
		struct hugepages h = {0};
		char below[CT_PATH_MOST];
		int r;

		snprintf(below, sizeof(below), "%s[%zu]", path, i);
		r = ct_read_members(json_array_get(value, i), below, members, ARRAY_SIZE(members),
				    &h, e);
		if (r >= 0)
			r = set_hugepages(&h, below, raw, n_raw, e);
		free(h.size);
		if (r < 0)
			return r;
	}
	return 0;
}

struct rdma {
	uint32_t handles, objects;
	bool has_handles, has_objects;
};

/* A device name that rdma.max takes for one word. */
static int add_rdma(const char *device, const json_t *value, const char *path,
		    struct ct_raw_limit **raw, size_t *n_raw, struct err *e)
{
	static const struct ct_member members[] = {
		{"hcaHandles", ct_read_u32, offsetof(struct rdma, handles)},
		{"hcaObjects", ct_read_u32, offsetof(struct rdma, objects)},
	};
	struct rdma l = {0};
	char line[160];

	if (ct_read_members(value, path, members, ARRAY_SIZE(members), &l, e) < 0)
		return -e->no;
	l.has_handles = json_is_integer(json_object_get(value, "hcaHandles"));
	l.has_objects = json_is_integer(json_object_get(value, "hcaObjects"));
	if (!l.has_handles && !l.has_objects)
		return ct_refuse(e, path, "'%s' needs hcaHandles or hcaObjects", device);
	if (!device[0] || strlen(device) > 64 || device[strcspn(device, " \t\n=")])
		return ct_refuse(e, path, "'%s' is not the name of a device", device);
	snprintf(line, sizeof(line), "%s", device);
	if (l.has_handles)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), " hca_handle=%" PRIu32,
			 l.handles);
	if (l.has_objects)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), " hca_object=%" PRIu32,
			 l.objects);
	return ct_add_raw(raw, n_raw, "rdma.max", line, e);
}

int ct_read_rdma(const json_t *value, const char *path, struct ct_raw_limit **raw, size_t *n_raw,
		 struct err *e)
{
	const char *device;
	json_t *v;

	if (!json_is_object(value))
		return ct_refuse(e, path, "must be an object");
	json_object_foreach ((json_t *)value, device, v)
		if (add_rdma(device, v, path, raw, n_raw, e) < 0)
			return -e->no;
	return 0;
}

struct priority {
	char *name;
	uint32_t value;
};

static int add_priority(const json_t *value, const char *path, struct ct_raw_limit **raw,
			size_t *n_raw, struct err *e)
{
	static const struct ct_member members[] = {
		{"name", ct_read_str, offsetof(struct priority, name)},
		{"priority", ct_read_u32, offsetof(struct priority, value)},
	};
	struct priority p = {0};
	auto_free char *name = NULL;
	char line[48];
	int r = ct_read_members(value, path, members, ARRAY_SIZE(members), &p, e);

	name = p.name;
	if (r < 0)
		return r;
	if (!name || !net_link_may_be(name, false) || !json_object_get(value, "priority"))
		return ct_refuse(e, path, "needs name, of a network interface, and priority");
	snprintf(line, sizeof(line), "%s %" PRIu32, name, p.value);
	return ct_add_raw(raw, n_raw, "net_prio.ifpriomap", line, e);
}

struct network {
	uint32_t class;
	const json_t *priorities;
};

static int read_array(const json_t *value, const char *path, void *into, struct err *e)
{
	*(const json_t **)into = value;
	return json_is_array(value) ? 0 : ct_refuse(e, path, "must be an array");
}

int ct_read_network(const json_t *value, const char *path, struct ct_raw_limit **raw, size_t *n_raw,
		    struct err *e)
{
	static const struct ct_member members[] = {
		{"classID", ct_read_u32, offsetof(struct network, class)},
		{"priorities", read_array, offsetof(struct network, priorities)},
	};
	struct network n = {0};
	char text[16];

	if (ct_read_members(value, path, members, ARRAY_SIZE(members), &n, e) < 0)
		return -e->no;
	/* 0 is what a new group has. */
	snprintf(text, sizeof(text), "%" PRIu32, n.class);
	if (n.class && ct_add_raw(raw, n_raw, "net_cls.classid", text, e) < 0)
		return -e->no;
	for (size_t i = 0; i < json_array_size(n.priorities); i++) {
		char below[CT_PATH_MOST];

		snprintf(below, sizeof(below), "%s.priorities[%zu]", path, i);
		if (add_priority(json_array_get(n.priorities, i), below, raw, n_raw, e) < 0)
			return -e->no;
	}
	return 0;
}

int ct_raw_limits_apply(const struct cg *cg, const struct ct_raw_limit *raw, size_t n,
			struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		int r = cg_set_raw(cg, raw[i].file, raw[i].value, e);

		if (r == -EOPNOTSUPP && raw[i].optional)
			err_clear(e);
		else if (r < 0)
			return r;
	}
	return 0;
}

void ct_raw_limits_done(struct ct_raw_limit *raw, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(raw[i].file);
		free(raw[i].value);
	}
	free(raw);
}
