/* SPDX-License-Identifier: GPL-2.0-only */
/* When and where a process gets its CPU and its disk: scheduling policy, I/O priority, affinity. */
#pragma once

/*
 * Host side, on a process that has not executed its program yet: in a user namespace of its own it has no right to most of it. Words
 * are those of runtime-spec, which are the kernel's.
 */

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* sched_setattr(2). */
struct ns_scheduler {
	int policy; /* SCHED_*; -1: as it is */
	int32_t nice, priority;
	uint64_t flags;			    /* SCHED_FLAG_* */
	uint64_t runtime, deadline, period; /* ns, SCHED_DEADLINE; INT64_MAX: that or more */
	bool has_runtime, has_deadline;	    /* given, were it as 0 */
};

/* "SCHED_FIFO" and "SCHED_FLAG_RESET_ON_FORK" to the kernel's numbers; -EINVAL with e filled. */
int ns_scheduler_policy(const char *word, int *policy, struct err *e);
int ns_scheduler_flag(const char *word, uint64_t *flag, struct err *e);

/* What sched(7) and the spec forbid together: -EINVAL, before there is a process. */
int ns_scheduler_check(const struct ns_scheduler *s, struct err *e);
int ns_scheduler_apply(pid_t pid, const struct ns_scheduler *s, struct err *e);

/* ioprio_set(2): "IOPRIO_CLASS_BE" to its number; priority 0..7, and the two as one word of the kernel's. */
int ns_ioprio_class(const char *word, int *class, struct err *e);
int ns_ioprio_apply(pid_t pid, int class, int priority, struct err *e);

/*
 * A list of numbers under 1024, "0-3,6", as a set: CPUs, as sched_setaffinity(2) takes them, or memory nodes. Spaces around a number and commas too many are
 * let pass, as runc does; a list without a number is an error. what: "CPUs", for errors.
 */
int ns_list_parse(const char *what, const char *list, cpu_set_t *set, struct err *e);
int ns_affinity_apply(pid_t pid, const cpu_set_t *set, struct err *e);

/* All CPUs that our control group allows, whatever our caller is bound to. */
void ns_affinity_reset(void);
