/* SPDX-License-Identifier: GPL-2.0-only */
/* Routed mode, OpenVZ's venet: host routes to the container's addresses, the host answering ARP and NDP for them; no layer 2. */
#pragma once

/*
 * The host end of the veth carries 169.254.1.1/32 and fe80::1/64; the container's default route goes there. Container to container and to
 * the world is routing on the host, so net/forward.h is held. With an uplink, neighbours out there get the uplink's MAC for the addresses
 * (proxy entries one by one, never proxy_arp for everything).
 */

#include "net/iface.h"

struct err;

#define NET_ROUTED_GATEWAY4 "169.254.1.1/32"
#define NET_ROUTED_GATEWAY6 "fe80::1/64"

/* Gives the host end its gateway addresses and the host its routes; ifc->host_name exists and is up. Idempotent. */
int net_routed_add(const struct net_if *ifc, struct err *e);

/* Removes one host route and the proxy entry for it on uplink (may be empty). Gone already is success. */
int net_routed_remove(const char *host_name, const struct net_addr *addr, const char *uplink,
		      struct err *e);

/* Answers ARP/NDP for addr on uplink; needs forwarding. Both idempotent. */
int net_routed_proxy_add(const char *uplink, const struct net_addr *addr, struct err *e);
int net_routed_proxy_remove(const char *uplink, const struct net_addr *addr, struct err *e);
