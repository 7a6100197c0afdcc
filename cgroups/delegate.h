/* SPDX-License-Identifier: GPL-2.0-only */
/* What of its control groups a container may write to. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct cg;
struct err;

/*
 * Gives PATH/ct with the files that /sys/kernel/cgroup/delegate lists to a user of the container's (gid -1: the group stays); the limits one level up stay ours. init: a container with an init of its own
 * gets PATH of name=systemd, too.
 */
int cg_delegate(const struct cg *cg, uid_t uid, gid_t gid, bool init, struct err *e);
