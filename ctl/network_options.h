/* SPDX-License-Identifier: GPL-2.0-only */
/* The network options of create and set, put into a definition: kind of network, addresses, and what one interface can have. */
#pragma once

/*
 * The command line speaks about the first interface, eth0. --network decides whether there is one and is applied first, whatever the order of the words; an
 * option that needs an interface is refused where there is none. "auto" is an address of the host's pool, picked when the container is made.
 */

#include "runtime/conf.h"
#include "runtime/definition.h"

struct err;

/* --network bridge|routed|none|host. */
int ctl_network_kind(struct ct_definition *d, const char *value, struct err *e);

/* What a new container has when nothing was said: one interface on the bridge. */
void ctl_network_default(struct ct_definition *d);

/* An interface without any address gets one of the pool: for create, at the end. */
int ctl_network_finish(struct ct_definition *d, const struct ct_conf *conf, struct err *e);

/* what: the option as it was typed, for the message. All of class VALUE. */
int ctl_network_ip_add(struct ct_definition *d, const struct ct_conf *conf, const char *what,
		       const char *value, struct err *e);
int ctl_network_ip_del(struct ct_definition *d, const char *what, const char *value, struct err *e);
int ctl_network_gateway(struct ct_definition *d, const char *what, const char *value,
			struct err *e);
int ctl_network_bridge(struct ct_definition *d, const char *what, const char *value, struct err *e);
int ctl_network_uplink(struct ct_definition *d, const char *what, const char *value, struct err *e);
int ctl_network_mac(struct ct_definition *d, const char *what, const char *value, struct err *e);
int ctl_network_mtu(struct ct_definition *d, const char *what, const char *value, struct err *e);
int ctl_network_rate(struct ct_definition *d, const char *what, const char *value, struct err *e);

/* "bridge", "routed", "none", "host": what --network would say. */
const char *ctl_network_to_str(const struct ct_definition *d);
