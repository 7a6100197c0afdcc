/* SPDX-License-Identifier: GPL-2.0-only */
/* Limits, addresses and rates of a running container, changed from one definition to another. */
#pragma once

#include "runtime/definition.h"
#include "runtime/state.h"

struct err;

/*
 * Writes what differs between the two. Both directions are alike, so that the way back after a failure is the same call with the
 * definitions swapped. What one of them limits and the other does not goes to the kernel's default.
 */
int ct_live_limits(const struct ct *ct, const struct cg_limits *from, const struct cg_limits *to,
		   bool best_effort, struct err *e);

/* Addresses, default routes and rates; the interfaces are the same ones in both. New addresses are made known. */
int ct_live_network(struct ct *ct, const struct ct_definition *from, const struct ct_definition *to,
		    struct err *e);

/* to minus from: what has to be written. */
void ct_live_limits_diff(const struct cg_limits *from, const struct cg_limits *to,
			 struct cg_limits *diff);
