/* SPDX-License-Identifier: GPL-2.0-only */
/* Hierarchies of control groups in which a container has no group. */
#pragma once

/*
 * Of each hierarchy that a task is in (proc_pid_cgroup(5)) criu dumps the whole tree below the
 * task's group (collect_cgroups() in criu/cgroup.c), and a restore wants each group of it to be
 * there (prepare_cgroup_dirs()), below --cgroup-root. Where we have made no group, of a v1
 * controller that we do not use or that is mounted nowhere in our namespace (a container in which
 * only cgroup2 is mounted), the task's group is the one that skep was in, and what is below it is
 * the host's: none of it is there at a restore ("Cgroup dir pids//GROUP doesn't exist"). So criu is
 * to leave these hierarchies out, by naming all others: what is restored is in criu's own group
 * there then, as a new container is in skep's.
 */

#include <sys/types.h>

struct cr_criu;
struct err;

/*
 * Adds the words for a dump of the container whose init is pid and whose group is `cgroup` ("a/b"):
 * none where each hierarchy has such a group. 0, or -errno with e: that /proc/PID/cgroup cannot be
 * read.
 */
int cr_strangers_add(struct cr_criu *c, pid_t pid, const char *cgroup, struct err *e);
