/* SPDX-License-Identifier: GPL-2.0-only */
/* The processes of a container, as the host sees them. */
#pragma once

#include <sys/types.h>

struct ct;
struct err;

/*
 * All processes in the container's control group; of one without a group, those in init's pid namespace, which must be the container's own (class UNSUPPORTED else). *pids is the
 * caller's to free. Returns how many.
 */
int ct_members(const struct ct *ct, pid_t **pids, struct err *e);
