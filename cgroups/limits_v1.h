/* SPDX-License-Identifier: GPL-2.0-only */
/* Limits that v1 keeps in two files whose order of writing matters. */
#pragma once

#include <stdint.h>

#include "cgroups/limits.h"

/* Writes one v1 file; CG_UNLIMITED in v1's words. what names the limit in messages, all of class LIMIT. */
int cg_limit_write_v1(const char *what, const struct cg *cg, enum cg_controller c, const char *file,
		      uint64_t value, struct err *e);

/* quota_us CG_UNLIMITED: none. */
int cg_v1_cpu_quota(const struct cg *cg, uint64_t quota_us, uint64_t period_us, struct err *e);

/* Memory and swap; NULL: as it is. v1 limits memory and the sum of both, so swap alone is kept by moving the sum along. */
int cg_v1_memory(const struct cg *cg, const uint64_t *memory, const uint64_t *swap, struct err *e);
