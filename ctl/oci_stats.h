/* SPDX-License-Identifier: GPL-2.0-only */
/* A container's use of the machine as `runc events` writes it. */
#pragma once

#include "base/json.h"

struct cg;
struct err;

/* The "data" of a stats event (runc's types/events.go; times in nanoseconds). What this host does not count is left out. The caller owns *out. */
int ctl_oci_stats(const struct cg *cg, json_t **out, struct err *e);
