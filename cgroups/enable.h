/* SPDX-License-Identifier: GPL-2.0-only */
/* Controllers of the unified hierarchy for the children of a group (cgroup.subtree_control). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct cg;
struct cg_host;

/* Each controller that skep sets limits of itself and that is unified here. dir, and where for the words: the group. What cannot be is a log_warn. */
void cg_enable_usual(const struct cg_host *host, int dir, const char *where);

/*
 * The controller of that name (len bytes of it, as "hugetlb"), which the usual ones are not: in every group above cg's, when the hierarchy has it at all. It stays so,
 * as other runtimes leave it. Returns whether cg has it now.
 */
bool cg_enable(const struct cg *cg, const char *name, size_t len);

/* The same for what is below the group dir alone, if it can be had. */
void cg_enable_below(int dir, const char *name, size_t len);

/* Whether the unified group dir has the controller of that name. */
bool cg_has_unified(int dir, const char *name, size_t len);
