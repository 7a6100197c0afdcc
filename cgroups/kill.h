/* SPDX-License-Identifier: GPL-2.0-only */
/* All processes of a container: listing, killing, waiting for their end. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct cg;
struct err;

/* SIGKILL to every process, forks included (cgroup.kill; freeze, signal and thaw on older kernels). Does not wait. */
int cg_kill(const struct cg *cg, struct err *e);

/* All pids in the group and below, as the host sees them. *pids is the caller's to free. Returns how many. */
int cg_pids(const struct cg *cg, pid_t **pids, struct err *e);

/* 1 if any process is in the group or below, 0 if none. */
int cg_populated(const struct cg *cg, struct err *e);

/* Waits for the last process to be gone; -ETIMEDOUT after wait_ms (< 0: no deadline). Children must be reaped by the parent. */
int cg_wait_empty(const struct cg *cg, int wait_ms, struct err *e);
