/* SPDX-License-Identifier: GPL-2.0-only */
/* Anti-spoofing at the host end of a veth: only the container's own MAC and addresses pass; works bridged and routed. */
#pragma once

#include "net/iface.h"

struct err;

/*
 * Table netdev skep_guard_HOSTNAME, ingress of the host end, which container root cannot reach; policy drop. Passes: own MAC with own IPv4/IPv6, ARP whose sender is own (or a
 * probe), own link-local IPv6, NDP for own targets, MLD. Drops first: VLAN tags, router advertisements, redirects, DHCP server
 * answers; then ARP over 100 a second. STP, LLDP and all other EtherTypes fall to the policy. One transaction: replacing
 * it (new addresses) leaves no gap. Needs ifc->mac.
 */
int net_guard_set(const struct net_if *ifc, struct err *e);

/* By name alone; gone already is success. */
int net_guard_remove(const char *host_name, struct err *e);
