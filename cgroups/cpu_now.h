/* SPDX-License-Identifier: GPL-2.0-only */
/* The CPU bandwidth that is set now: who changes one half of it needs the other. */
#pragma once

#include <stdint.h>

struct cg;
struct err;

/* In microseconds; *quota_us -1: none. -EOPNOTSUPP, class LIMIT, without the controller. */
int cg_cpu_now(const struct cg *cg, int64_t *quota_us, int64_t *period_us, struct err *e);
