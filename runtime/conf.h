/* SPDX-License-Identifier: GPL-2.0-only */
/* Defaults of this host: /etc/skep/skep.conf, a JSON object whose members are all optional. */
#pragma once

/*
 * Life: ct_conf_load() once a command; plain data. The file is written by the operator and read only. A member that we do not know is refused
 * by name, as in every file of ours: a misspelled one must not be a silent default.
 *
 * {"root": "/var/lib/skep", "state": "/run/skep", "bridge": "skep0", "pool4": "10.209.0.0/16", "pool6": "fd00:5ce9::/64",
 *  "nat": true, "uplink": "eth0", "dns": ["192.0.2.53"], "search": "example.org", "template": "debian-12"}
 */

#include <stdbool.h>

#include "net/iface.h"

struct err;

#define CT_CONF_FILE "/etc/skep/skep.conf"
#define CT_CONF_ENV  "SKEP_CONF" /* names another file; that one must exist */
#define CT_DNS_MAX   3

struct ct_conf {
	char root[256]; /* absolute */
	char state[256];
	char bridge[IFNAMSIZ];
	struct net_addr pool4; /* subnet of the bridge */
	struct net_addr pool6; /* family 0: none */
	bool nat;	       /* the pool's traffic leaves under the host's address */
	char uplink[IFNAMSIZ]; /* of ROUTED interfaces that name none; empty: none */
	struct net_addr
		dns[CT_DNS_MAX]; /* family 0 after the last; none: as the host's resolv.conf */
	char search[256];
	char template[65]; /* of `create` without one; empty: none */
};

/* The defaults without any file. */
void ct_conf_init(struct ct_conf *c);

/* A missing file (not named by SKEP_CONF) is all defaults. -EINVAL, class CONFIG, names the file and the member. */
int ct_conf_load(struct ct_conf *c, struct err *e);

/* path: absolute; -ENOENT when it is not there. */
int ct_conf_load_file(const char *path, struct ct_conf *c, struct err *e);
