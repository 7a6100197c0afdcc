/* SPDX-License-Identifier: GPL-2.0-only */
/* One container's values for the columns of `list`, and what the kernel says it uses. */
#pragma once

#include "cgroups/stat.h"
#include "ctl/columns.h"
#include "runtime/system.h"

struct err;

/*
 * Fills a row from the definition and, as far as the columns of t (shown or sorted by) need it, from the running container. What cannot be found
 * out has no value. broken: why the definition cannot be read, or NULL.
 */
void ctl_row_fill(struct ctl_row *row, const struct ct_system *s, enum ct_system_status status,
		  const struct err *broken, const struct ctl_table *t);

/* What the operator asked for: the columns that a stopped container has. */
void ctl_row_fill_definition(struct ctl_row *row, const struct ct_definition *d);

/* Memory that cannot be given back at once: charged, without the cache that goes first. */
struct cg_value ctl_memory_used(const struct cg_stat *st);

/* Seconds since the start of ct's init; !valid when there is none. */
struct cg_value ctl_uptime(const struct ct *ct);

/* "10.0.0.2,fd00::2", "host" or "": the addresses of all interfaces, without prefixes. */
void ctl_addresses(const struct ct_definition *d, char *out, size_t size);
