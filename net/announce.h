/* SPDX-License-Identifier: GPL-2.0-only */
/* "This address is here now": gratuitous ARP and unsolicited neighbour advertisements. */
#pragma once

#include "net/iface.h"

struct err;

/*
 * Sends one for each address of ifc from inside netns (fd; < 0: ours) on ifc->name, with the MAC it has. To be called when the link is up, after a
 * start and after a migration. In ROUTED mode neighbours must hear the uplink: use net_announce_on. The socket's close costs an RCU
 * grace period (5-20 ms): call it after the container runs, never while it is frozen.
 */
int net_announce(const struct net_if *ifc, int netns, struct err *e);

/* The same on a link of this host with that link's own MAC. */
int net_announce_on(const char *ifname, const struct net_addr *addrs, size_t count, struct err *e);

/* The sending half of both: returns the socket, which the caller closes when it has the time. addrs: of the link ifname in netns. */
int net_announce_open(int netns, const char *ifname, const struct net_addr *addrs, size_t count,
		      struct err *e);
