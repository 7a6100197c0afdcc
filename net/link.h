/* SPDX-License-Identifier: GPL-2.0-only */
/* Any link by name: index, flags, removal, MTU. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct net_nl;

struct net_link_info {
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
/* How many links have this master (index). */
int net_link_count_ports(struct net_nl *nl, int master, struct err *e);
/* Gone already is success. Synchronous: 14-20 ms for a veth. */
int net_link_destroy(struct net_nl *nl, const char *name, struct err *e);
