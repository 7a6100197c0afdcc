/* SPDX-License-Identifier: GPL-2.0-only */
/* What the operator wants a container to be: ROOT/ct/NAME/definition.json, read, judged and written in one place. */
#pragma once

/*
 * Life: ct_definition_init(), then filled by options or ct_definition_load(); judged by ct_definition_check() on every way in and out
 * (load, save, receive from another host call it themselves); written atomically; turned into a bundle by ct_compile(). Plain
 * data without pointers: it is copied by assignment.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "cgroups/limits.h"
#include "net/iface.h"

struct err;

#define CT_DEFINITION_VERSION  1
#define CT_DEFINITION_FILE     "definition.json"
#define CT_DEFINITION_INCOMING "definition.incoming" /* of a migration that is not finished */
#define CT_DEFINITION_CREATING \
	"definition.creating" /* names and numbers that a create has reserved */
#define CT_WORDS_MAX 32
#define CT_NETS_MAX  4
#define CT_ID_COUNT  65536

/* How the network namespace is made. PRIVATE: own one with the interfaces of nets[], which may be none. */
#define CT_NETWORKS(X)        \
	X(PRIVATE, "private") \
	X(HOST, "host")

enum ct_network {
#define X(name, text) CT_NETWORK_##name,
	CT_NETWORKS(X)
#undef X
};

/*
 * What of netfilter it reaches: nftables, ipset, conntrack, iptables and their like. OpenVZ's words; its "stateless" and "stateful" were its own kernel's: a rule asks for connection
 * tracking or NAT in a message of netlink, which no filter of system calls reads, and a network namespace has no switch for either.
 */
#define CT_NETFILTERS(X) \
	X(FULL, "full")  \
	X(DISABLED, "disabled")

enum ct_netfilter {
#define X(name, text) CT_NETFILTER_##name,
	CT_NETFILTERS(X)
#undef X
};

const char *ct_netfilter_to_str(enum ct_netfilter netfilter);
/* Class VALUE for another word; OpenVZ's other two have a reason of their own. */
int ct_netfilter_parse(const char *text, enum ct_netfilter *out, struct err *e);

struct ct_definition {
	char name[65];
	char uuid[37];
	char template[65];
	char description[256];
	char hostname[65];	      /* empty: the name */
	char init[CT_WORDS_MAX][256]; /* empty: the template's init_path */
	char env[CT_WORDS_MAX][512];  /* "NAME=value" */
	uint32_t id_base;	      /* first host id of CT_ID_COUNT; 0: none allocated yet */
	struct cg_limits limits;
	enum ct_network network;
	struct net_if nets[CT_NETS_MAX]; /* host_name and alias are made at each start, not kept */
	unsigned net_count;
	uint64_t disk_bytes; /* 0: no image, the upper layer is a directory */
	bool autostart;
	int order; /* lower starts first */
	bool nesting;
	enum ct_netfilter netfilter;
	char cap_add[CT_WORDS_MAX][32]; /* "CAP_NET_ADMIN" */
	char cap_drop[CT_WORDS_MAX][32];
	char stop_signal[32]; /* empty: the template's */
	int stop_timeout_s;
	char preset[32]; /* empty: none; see preset.h */
};

/* Defaults: a new uuid, stop timeout 120 s (OpenVZ's), private network. */
void ct_definition_init(struct ct_definition *d, const char *name);

/*
 * The one judge: names, ranges, forms, no control characters. Class VALUE; the message names the field. What a create still has to fill may be
 * missing: uuid, id_base, MACs, bridges, and addresses given as 0.0.0.0 or :: ("pick one").
 */
int ct_definition_check(const struct ct_definition *d, struct err *e);

/* Whether nothing of that is missing, as in every file. Class VALUE. */
int ct_definition_check_complete(const struct ct_definition *d, struct err *e);

/* CPUs or memory nodes as numbers and ranges, "0-3,6"; "" is none. Class VALUE. what: for the message. */
int ct_cpu_list_check(const char *what, const char *text, struct err *e);

/* 0.0.0.0 or ::, of whatever prefix: to be picked by the create. */
bool ct_addr_unpicked(const struct net_addr *a);

/* To and from JSON, complete ones only; from_json refuses unknown members, newer versions, wrong types (class CONFIG), and then checks. */
int ct_definition_to_json(const struct ct_definition *d, json_t **out, struct err *e);
int ct_definition_from_json(const json_t *j, struct ct_definition *d, struct err *e);

/* dir: a descriptor of ROOT/ct/NAME. */
int ct_definition_load_as(int dir, const char *file, struct ct_definition *d, struct err *e);
int ct_definition_load(int dir, struct ct_definition *d, struct err *e);
int ct_definition_save(int dir, const struct ct_definition *d, struct err *e);
