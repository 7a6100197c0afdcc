/* SPDX-License-Identifier: GPL-2.0-only */
/* A container's veth pair: born with one end in its namespace, configured with one batch. */
#pragma once

/*
 * Life: the caller notes host_name in its ledger, then net_veth_create(). When the container's namespace dies, the kernel
 * removes the pair by itself, 11-35 ms later. net_veth_destroy() is for undoing a failed start and for cleaning by name.
 */

#include "net/iface.h"

#include <stdbool.h>

struct err;

/*
 * All of an interface in the right order: pair, routes (ROUTED), guard, shape, and only then the link up inside. The bridge and NAT are
 * the caller's, before. netns: borrowed fd. On failure nothing remains. Class NETWORK.
 */
int net_if_create(const struct net_if *ifc, int netns, struct err *e);

/*
 * For a pair that somebody else made (criu): gives the host's end all that net_if_create gives it, guard and shape included, but leaves it down, so that no packet
 * passes. net_if_open then lets them pass: the end goes up, and in ROUTED mode gets its routes. What the inner end (in netns) asked its neighbours until then
 * in vain is forgotten: the kernel would ask again only a second later.
 */
int net_if_adopt(const struct net_if *ifc, struct err *e);
int net_if_open(const struct net_if *ifc, int netns, struct err *e);

/*
 * Undoes net_if_create by the host name alone (all but ROUTED proxy entries on an uplink: net_routed_proxy_remove): guard, shape, lock, forward hold, and the
 * link. leave_link: the container's namespace is gone or about to go, and the kernel removes the link by itself, without our waiting 14-20 ms for it; one under
 * net_lock() is removed all the same, before its lock.
 */
int net_if_destroy(const char *host_name, bool leave_link, struct err *e);

/*
 * The pair alone (one RTM_NEWLINK: peer born in netns, master, MTU, MAC, one queue), host end up with its sysctls (no IPv6 on a bridge
 * port; rp_filter, arp_ignore, accept_ra 0 routed), inner end down.
 */
int net_veth_pair(const struct net_if *ifc, int netns, struct err *e);

/* In netns: lo up, link up, addresses (without DAD), routes. One batch. */
int net_veth_configure(const struct net_if *ifc, int netns, struct err *e);

/* Pair and configuration, without guard and shape. */
int net_veth_create(const struct net_if *ifc, int netns, struct err *e);

/* Removes the pair by its host name; gone already is success. Waits for the kernel (14-20 ms). */
int net_veth_destroy(const char *host_name, struct err *e);

/* lo up in netns: for a container without a network. */
int net_loopback_up(int netns, struct err *e);

/*
 * Adds or removes one address of a running container (netns fd), live, inside only: set the guard again with the new list, and
 * in ROUTED mode net_routed_add / net_routed_remove. Existing/gone already is success.
 */
int net_veth_addr_add(const struct net_if *ifc, int netns, const struct net_addr *addr,
		      struct err *e);
int net_veth_addr_remove(const struct net_if *ifc, int netns, const struct net_addr *addr,
			 struct err *e);
