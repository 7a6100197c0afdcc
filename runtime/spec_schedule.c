// SPDX-License-Identifier: GPL-2.0-only
/* The spec's process: scheduler, ioPriority, execCPUAffinity. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "runtime/spec_read.h"

static int read_policy(const json_t *value, const char *path, void *into, struct err *e)
{
	if (!json_is_string(value))
		return ct_refuse(e, path, "must be a string");
	return ns_scheduler_policy(json_string_value(value), into, e) < 0 ? ct_refuse_why(e, path)
									  : 0;
}

static int read_i32(const json_t *value, const char *path, void *into, struct err *e)
{
	int64_t n;

	if (ct_read_i64(value, path, &n, e) < 0)
		return -e->no;
	if (n < INT32_MIN || n > INT32_MAX)
		return ct_refuse(e, path, "is out of range");
	*(int32_t *)into = (int32_t)n;
	return 0;
}

static int read_flag(const json_t *value, const char *path, void *into, struct err *e)
{
	if (!json_is_string(value))
		return ct_refuse(e, path, "must be a string");
	return ns_scheduler_flag(json_string_value(value), into, e) < 0 ? ct_refuse_why(e, path)
									: 0;
}

static int read_flags(const json_t *value, const char *path, void *into, struct err *e)
{
	auto_free uint64_t *flags = NULL;
	uint64_t *all = into;
	void *items = NULL;
	size_t n = 0;
	int r = ct_read_list(value, path, read_flag, sizeof(*flags), &items, &n, e);

	flags = items;
	for (size_t i = 0; r >= 0 && i < n; i++)
		*all |= flags[i];
	return r;
}

/* Nanoseconds without a sign; what is over INT64_MAX was folded by ct_config_load_at(). */
static int read_ns(const json_t *value, const char *path, void *into, struct err *e)
{
	return ct_read_i64(value, path, into, e);
}

int ct_read_scheduler(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"policy", read_policy, offsetof(struct ns_scheduler, policy)},
		{"nice", read_i32, offsetof(struct ns_scheduler, nice)},
		{"priority", read_i32, offsetof(struct ns_scheduler, priority)},
		{"flags", read_flags, offsetof(struct ns_scheduler, flags)},
		{"runtime", read_ns, offsetof(struct ns_scheduler, runtime)},
		{"deadline", read_ns, offsetof(struct ns_scheduler, deadline)},
		{"period", read_ns, offsetof(struct ns_scheduler, period)},
	};
	struct ct_process *p = into;
	struct ns_scheduler *s = &p->scheduler;

	*s = (struct ns_scheduler){.policy = -1};
	if (ct_read_members(value, path, members, ARRAY_SIZE(members), s, e) < 0)
		return -e->no;
	/* {} is written by those who have nothing to say. */
	if (s->policy < 0)
		return json_object_size(value) ? ct_refuse(e, path, "policy is missing") : 0;
	p->has_scheduler = true;
	s->has_runtime = json_object_get(value, "runtime") != NULL;
	s->has_deadline = json_object_get(value, "deadline") != NULL;
	return ns_scheduler_check(s, e) < 0 ? ct_refuse_why(e, path) : 0;
}

static int read_class(const json_t *value, const char *path, void *into, struct err *e)
{
	if (!json_is_string(value))
		return ct_refuse(e, path, "must be a string");
	return ns_ioprio_class(json_string_value(value), into, e) < 0 ? ct_refuse_why(e, path) : 0;
}

int ct_read_ioprio(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"class", read_class, offsetof(struct ct_process, io_class)},
		{"priority", read_i32, offsetof(struct ct_process, io_priority)},
	};
	struct ct_process *p = into;

	if (ct_read_members(value, path, members, ARRAY_SIZE(members), p, e) < 0)
		return -e->no;
	if (!p->io_class && json_object_size(value))
		return ct_refuse(e, path, "class is missing");
	return p->io_priority < 0 || p->io_priority > 7
		       ? ct_refuse(e, path, "priority %d is not from 0 to 7", p->io_priority)
		       : 0;
}

static int read_cpus(const json_t *value, const char *path, void *into, struct err *e)
{
	cpu_set_t **set = into;

	if (!json_is_string(value))
		return ct_refuse(e, path, "must be a string");
	if (!json_string_length(value))
		return 0;
	*set = malloc(sizeof(**set));
	if (!*set)
		return ct_no_memory(e);
	return ns_list_parse("CPUs", json_string_value(value), *set, e) < 0 ? ct_refuse_why(e, path)
									    : 0;
}

int ct_read_exec_affinity(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"initial", read_cpus, offsetof(struct ct_process, exec_cpus_first)},
		{"final", read_cpus, offsetof(struct ct_process, exec_cpus)},
	};

	return ct_read_members(value, path, members, ARRAY_SIZE(members), into, e);
}
