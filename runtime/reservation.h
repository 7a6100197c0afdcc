/* SPDX-License-Identifier: GPL-2.0-only */
/* What no two containers of a host may share: ids, addresses, MACs. Picked where not given, and checked against all others. */
#pragma once

#include "runtime/system.h"

struct err;

enum ct_reserve {
	CT_RESERVE_CREATE,  /* what is given must be free */
	CT_RESERVE_RECEIVE, /* an id range that is taken here is replaced by another one */
};

/*
 * Under the host lock; what is reserved must be on record (a definition under any of its names) before it is let go. Fills what d lacks, see
 * ct_system_create(). busy: further addresses that are not to be picked. Classes ADDR_IN_USE, VALUE; -ENOSPC, class NO_SPACE: no id range left.
 */
int ct_reserve(const struct ct_host *h, struct ct_definition *d, enum ct_reserve how,
	       const struct net_addr *busy, size_t n_busy, struct err *e);

/*
 * Asks on the wire (and this host itself) whether somebody has a, which would be on interface ifc. 1: yes, 2: this host
 * has it, 0: no. Where nobody could answer it does not wait.
 */
int ct_addr_busy(const struct net_if *ifc, const struct net_addr *a, struct err *e);

/* The refusal of an address for which ct_addr_busy() returned busy. Class ADDR_IN_USE. */
int ct_addr_refuse(const struct net_if *ifc, const struct net_addr *a, int busy, struct err *e);
