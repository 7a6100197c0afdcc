/* SPDX-License-Identifier: GPL-2.0-only */
/* A container's veth pair: born with one end in its namespace, configured with one batch. */
#pragma once

/*
 * Life: the caller notes host_name in its ledger, then net_veth_create(). When the container's namespace dies, the kernel
 * removes the pair by itself, 11-35 ms later. net_veth_destroy() is for undoing a failed start and for cleaning by name.
 */

#include "net/iface.h"

struct err;

/*
 * Host side. Makes the pair (one RTM_NEWLINK: peer born in netns, master, MTU, MAC, one queue), then in netns: lo up,
 * link up, addresses (IPv6 without DAD), routes; in ROUTED mode net_routed_add(), too. The bridge must be there
 * (net_bridge_ensure). netns: borrowed fd. Sets sysctls of the host end (accept_ra 0, rp_filter, arp_ignore ...). Guard, shape
 * and announcement are separate calls. On failure nothing remains. Class NETWORK.
 */
int net_veth_create(const struct net_if *ifc, int netns, struct err *e);

/* Removes the pair by its host name; gone already is success. Waits for the kernel (14-20 ms). */
int net_veth_destroy(const char *host_name, struct err *e);

/* Everything of the host end that outlives it: guard, shape, lock, forward hold. Then the link itself unless `leave` . */
int net_if_destroy(const char *host_name, bool leave_link, struct err *e);

/*
 * All of an interface in the right order: bridge and NAT are the caller's before; guard (before the link is up inside), veth,
 * shape. netns: borrowed fd.
 */
int net_if_create(const struct net_if *ifc, int netns, struct err *e);

/* lo up in netns: for a container without a network. */
int net_loopback_up(int netns, struct err *e);
/* Adds or removes one address of a running container (netns fd), live. Existing/gone already is success. */
int net_veth_addr_add(const struct net_if *ifc, int netns, const struct net_addr *addr, struct err *e);
int net_veth_addr_remove(const struct net_if *ifc, int netns, const struct net_addr *addr, struct err *e);
