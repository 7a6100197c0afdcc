/* SPDX-License-Identifier: GPL-2.0-only */
/* Any link by name: index, flags, removal, MTU. */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct net_nl;

struct net_link_info {
	char name[IFNAMSIZ];
	int index;
	int master; /* index of the bridge, 0: none */
	unsigned mtu;
	unsigned flags; /* IFF_* */
	uint8_t mac[6];
	char kind[16]; /* "veth", "bridge", "" */
	char alias[256];
};

/* -ENODEV leaves e untouched. nl: an open, empty socket. */
int net_link_get(struct net_nl *nl, const char *name, struct net_link_info *info, struct err *e);
int net_link_by_index(struct net_nl *nl, int index, struct net_link_info *info, struct err *e);
/* How many links have this master (index). */
int net_link_count_ports(struct net_nl *nl, int master, struct err *e);
/* Calls fn for each link that has this master. nl is in use meanwhile: fn must not send. */
int net_link_each_port(struct net_nl *nl, int master,
		       void (*fn)(const struct net_link_info *port, void *arg), void *arg,
		       struct err *e);
/* Gone already is success. Synchronous: 14-20 ms for a veth. */
int net_link_destroy(struct net_nl *nl, const char *name, struct err *e);
