/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages for addresses and routes: put into a batch, not sent. */
#pragma once

#include <stdbool.h>

#include "net/iface.h"
#include "net/netlink.h"

/* Address on link index: prefix of a; link scope if `local`; IPv6 without DAD. An existing one is success. */
void net_nl_addr_add(struct net_nl *nl, int index, const struct net_addr *a, bool local);
/* Gone already is success. */
void net_nl_addr_remove(struct net_nl *nl, int index, const struct net_addr *a);

/* Default route through gateway on link index; onlink: the gateway is in no subnet of the link. */
void net_nl_default_route(struct net_nl *nl, int index, const struct net_addr *gateway,
			  bool onlink);

/* Host route to an address by link index (IPv4 link scope). Existing or (remove) gone is success. */
void net_nl_host_route(struct net_nl *nl, int index, const struct net_addr *a, bool remove);

/* Proxy neighbour entry for a on link index. */
void net_nl_proxy(struct net_nl *nl, int index, const struct net_addr *a, bool remove);

/* Sets links up. */
void net_nl_link_up(struct net_nl *nl, int index);
