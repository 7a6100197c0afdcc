/* SPDX-License-Identifier: GPL-2.0-only */
/* Masquerading of a bridge's subnets to the outside, in an nftables table of our own: inet skep_nat_BRIDGE. */
#pragma once

#include "net/iface.h"

struct err;

/*
 * Replaces the table in one transaction (idempotent) and holds forwarding. subnets: the pools (10.209.0.0/16, fd..::/64).
 * An accept in our table does not undo a drop in somebody else's: a host firewall that drops forwarded traffic must
 * allow the bridge itself.
 */
int net_nat_ensure(const char *bridge, const struct net_addr *subnets, size_t count, struct err *e);

/* Removes the table and lets forwarding go. Gone already is success. */
int net_nat_release(const char *bridge, struct err *e);
