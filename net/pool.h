/* SPDX-License-Identifier: GPL-2.0-only */
/* A free address out of a subnet, and whether somebody out there has it already. */
#pragma once

#include "net/iface.h"

struct err;

#define NET_POOL_DEFAULT4 "10.209.0.0/16"

/* The address the bridge has: the first one of the subnet, with its prefix. */
struct net_addr net_pool_gateway(const struct net_addr *subnet);

/*
 * The lowest free address of the subnet (with its prefix): not its network, gateway, broadcast, nor one of `taken`.
 * -EADDRNOTAVAIL, class ADDR_IN_USE, when there is none.
 */
int net_pool_pick(const struct net_addr *subnet, const struct net_addr *taken, size_t count,
		  struct net_addr *out, struct err *e);

/*
 * Asks on link `ifname` (bridge or uplink) by an ARP probe (RFC 5227) or a neighbour solicitation (RFC 4862) and waits at
 * most wait_ms (200 is good). 1: in use (or it is this host's own), 0: no answer, or the link is down or not there, -errno.
 */
int net_addr_in_use(const char *ifname, const struct net_addr *addr, int wait_ms, struct err *e);
