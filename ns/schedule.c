// SPDX-License-Identifier: GPL-2.0-only
/* sched_setattr(2), ioprio_set(2), sched_setaffinity(2). */
#include "ns/schedule.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/sys.h"

struct word {
	const char *text;
	uint64_t value;
};

static int find(const struct word *words, size_t n, const char *text, uint64_t *value,
		struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(words[i].text, text)) {
			*value = words[i].value;
			return 0;
		}
	return err_set(e, EINVAL, "'%.40s' is not one of this kernel's", text);
}

int ns_scheduler_policy(const char *text, int *policy, struct err *e)
{
	/* SCHED_ISO has a number and was never implemented. */
	static const struct word words[] = {
		{"SCHED_OTHER", SCHED_OTHER}, {"SCHED_FIFO", SCHED_FIFO},
		{"SCHED_RR", SCHED_RR},	      {"SCHED_BATCH", SCHED_BATCH},
		{"SCHED_IDLE", SCHED_IDLE},   {"SCHED_DEADLINE", SCHED_DEADLINE},
	};
	uint64_t value = 0;

	if (find(words, ARRAY_SIZE(words), text, &value, e) < 0)
		return -e->no;
	*policy = (int)value;
	return 0;
}

int ns_scheduler_flag(const char *text, uint64_t *flag, struct err *e)
{
	/* The two of utilization clamping say that values follow, which the spec has no place for. */
	static const struct word words[] = {
		{"SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK},
		{"SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM},
		{"SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN},
		{"SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY},
		{"SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS},
	};

	return find(words, ARRAY_SIZE(words), text, flag, e);
}

int ns_scheduler_check(const struct ns_scheduler *s, struct err *e)
{
	bool real_time = s->policy == SCHED_FIFO || s->policy == SCHED_RR;
	bool ordinary = s->policy == SCHED_OTHER || s->policy == SCHED_BATCH;

	/* With the others the kernel takes it (sched_copy_attr() clamps it) and makes nothing of it; so do runc and crun. */
	if (ordinary && (s->nice < -20 || s->nice > 19))
		return err_set(e, EINVAL, "nice %d is not from -20 to 19", s->nice);
	if (s->priority && !real_time)
		return err_set(e, EINVAL, "priority is for SCHED_FIFO and SCHED_RR");
	if (real_time && (s->priority < 1 || s->priority > 99))
		return err_set(e, EINVAL, "priority %d is not from 1 to 99", s->priority);
	if ((s->runtime || s->deadline || s->period) && s->policy != SCHED_DEADLINE)
		return err_set(e, EINVAL, "runtime, deadline, period are for SCHED_DEADLINE");
	return 0;
}

#define DEADLINE "sched_setattr: `SCHED_DEADLINE` "

static int out_of_range(const char *name, uint64_t ns, struct err *e)
{
	return err_set(e, EINVAL, DEADLINE "%s %llu must be between 1024 and 2^63 - 1 ns", name,
		       (unsigned long long)ns);
}

/* sched(7), "SCHED_DEADLINE": the kernel has one EINVAL for all of it. The words are crun's, too: there are tests that look for them. */
static int explain_deadline(const struct ns_scheduler *s, struct err *e)
{
	const uint64_t least = 1024, most = INT64_MAX - 1;
	unsigned long long runtime = s->runtime, deadline = s->deadline, period = s->period;

	if (!s->has_runtime)
		return err_set(e, EINVAL, DEADLINE "requires `runtime`");
	if (!s->has_deadline)
		return err_set(e, EINVAL, DEADLINE "requires `deadline`");
	if (!runtime)
		return err_set(e, EINVAL, DEADLINE "runtime must be greater than 0");
	if (runtime > deadline)
		return err_set(e, EINVAL, DEADLINE "runtime %llu must be <= deadline %llu", runtime,
			       deadline);
	if (period && deadline > period)
		return err_set(e, EINVAL, DEADLINE "deadline %llu must be <= period %llu", deadline,
			       period);
	if (runtime < least || runtime > most)
		return out_of_range("runtime", runtime, e);
	if (deadline > most)
		return out_of_range("deadline", deadline, e);
	if (period > most)
		return out_of_range("period", period, e);
	err_set(e, EINVAL,
		DEADLINE
		"is refused with runtime %llu, deadline %llu, period %llu, or with these flags",
		runtime, deadline, period);
	return err_hint(e, "see kernel.sched_deadline_period_{min,max}_us");
}

int ns_scheduler_apply(pid_t pid, const struct ns_scheduler *s, struct err *e)
{
	struct sys_sched_attr a = {.size = sizeof(a),
				   .policy = (uint32_t)s->policy,
				   .flags = s->flags,
				   .nice = s->nice,
				   .priority = (uint32_t)s->priority,
				   .runtime = s->runtime,
				   .deadline = s->deadline,
				   .period = s->period};

	if (s->policy < 0 || syscall(SYS_sched_setattr, pid, &a, 0) == 0)
		return 0;
	if (errno == EINVAL && s->policy == SCHED_DEADLINE)
		return explain_deadline(s, e);
	err_sys(e, "set the scheduling policy");
	if (e->no == EPERM)
		err_hint(
			e,
			"a cgroup v1 group without cpu.rt_runtime_us, or a missing CAP_SYS_NICE, forbids it");
	return -e->no;
}

int ns_ioprio_class(const char *text, int *class, struct err *e)
{
	static const struct word words[] = {{"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
					    {"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
					    {"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE}};
	uint64_t value = 0;

	if (find(words, ARRAY_SIZE(words), text, &value, e) < 0)
		return -e->no;
	*class = (int)value;
	return 0;
}

int ns_ioprio_apply(pid_t pid, int class, int priority, struct err *e)
{
	if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid, IOPRIO_PRIO_VALUE(class, priority)) <
	    0)
		return err_sys(e, "set the I/O priority");
	return 0;
}

/* At *at: "3" or "3-5". */
static bool parse_range(const char **at, cpu_set_t *set)
{
	char *end;
	unsigned long from = strtoul(*at, &end, 10), to = from;

	if (**at < '0' || **at > '9')
		return false;
	if (*end == '-') {
		const char *second = end + 1;

		if (*second < '0' || *second > '9')
			return false;
		to = strtoul(second, &end, 10);
	}
	if (to < from || to >= CPU_SETSIZE)
		return false;
	for (; from <= to; from++)
		CPU_SET(from, set);
	*at = end + strspn(end, " ");
	return !**at || **at == ',';
}

int ns_list_parse(const char *what, const char *list, cpu_set_t *set, struct err *e)
{
	const char *at = list + strspn(list, ", ");
	bool fine = true;

	CPU_ZERO(set);
	for (; fine && *at; at += strspn(at, ", "))
		fine = parse_range(&at, set);
	return fine && CPU_COUNT(set) > 0
		       ? 0
		       : err_set(e, EINVAL, "'%.60s' is not a list of %s like 0-3,6", list, what);
}

void ns_affinity_reset(void)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	/* The kernel leaves out what the control group does not have. EBUSY, EPERM of SCHED_DEADLINE, or of a sandbox: it stays as it is. */
	if (sched_setaffinity(0, sizeof(all), &all) < 0)
		return;
}

int ns_affinity_apply(pid_t pid, const cpu_set_t *set, struct err *e)
{
	return sched_setaffinity(pid, sizeof(*set), set) < 0 ? err_sys(e, "set the CPU affinity")
							     : 0;
}
