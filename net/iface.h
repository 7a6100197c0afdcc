/* SPDX-License-Identifier: GPL-2.0-only */
/* What a container's network interface is: plain data, its text forms, and where its MAC and host name come from. */
#pragma once

#include <net/if.h> /* the C library's: that is why ours is not named so */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define NET_ADDRS_MAX	   8
#define NET_ADDR_STR_MAX   64
#define NET_MAC_STR_MAX	   18
#define NET_DEFAULT_BRIDGE "skep0"

/* An address with a prefix length; family 0: none. bytes are in network order. */
struct net_addr {
	uint8_t family; /* AF_INET, AF_INET6, 0 */
	uint8_t prefix; /* 0..32, 0..128 */
	uint8_t bytes[16];
};

#define NET_MODES(X)        \
	X(BRIDGE, "bridge") \
	X(ROUTED, "routed")

enum net_mode {
#define X(name, text) NET_MODE_##name,
	NET_MODES(X)
#undef X
};

/* One interface; zero it, then fill. Empty or 0 means: the default, or none. */
struct net_if {
	char name[IFNAMSIZ];	  /* inside: "eth0" */
	char host_name[IFNAMSIZ]; /* outside, from net_if_host_name() */
	char alias[128]; /* the container's name, kept in the host link's ifalias as "skep:NAME" */
	uint8_t mac[6];	 /* inside; all zero: the kernel's choice (no guard possible then) */
	enum net_mode mode;
	char bridge[IFNAMSIZ]; /* BRIDGE: "skep0" */
	char uplink[IFNAMSIZ]; /* ROUTED: answer ARP/NDP for the addresses here; empty: nowhere */
	unsigned mtu;	       /* 0: the kernel's 1500 */
	struct net_addr addrs[NET_ADDRS_MAX];
	size_t addr_count;
	struct net_addr gateway4,
		gateway6;   /* BRIDGE; family 0: no default route. ROUTED needs none */
	uint64_t rate_bits; /* a second, each way; 0: no limit */
	bool guard;	    /* only own MAC and addresses may be sent */
	bool isolated;	    /* BRIDGE: no traffic to other isolated ports */
};

const char *net_mode_to_str(enum net_mode mode);
/* "bridge", "routed"; others are -EINVAL, class VALUE. */
int net_mode_parse(const char *text, enum net_mode *mode, struct err *e);

/* "10.0.0.5/24", "fd00::5/64"; without a prefix it is the whole length. -EINVAL, class VALUE. */
int net_addr_parse(const char *text, struct net_addr *addr, struct err *e);
/* With the prefix, without it. buf has NET_ADDR_STR_MAX bytes; return buf. */
const char *net_addr_to_str(const struct net_addr *addr, char *buf);
const char *net_addr_to_host_str(const struct net_addr *addr, char *buf);
/* Bytes of an address of this family: 4, 16. */
size_t net_addr_len(const struct net_addr *addr);
/* The same host, whatever the prefix. */
bool net_addr_same(const struct net_addr *a, const struct net_addr *b);
/* Whether the subnet (its prefix) holds the address. */
bool net_addr_within(const struct net_addr *subnet, const struct net_addr *addr);
/* 10.1.2.3/16 -> 10.1.0.0/16. */
struct net_addr net_addr_network(const struct net_addr *addr);

/* "02:00:00:00:00:05"; group and all-zero addresses are refused. -EINVAL, class VALUE. */
int net_mac_parse(const char *text, uint8_t mac[6], struct err *e);
const char *net_mac_to_str(const uint8_t mac[6], char buf[NET_MAC_STR_MAX]);
bool net_mac_is_zero(const uint8_t mac[6]);
/* A locally administered unicast MAC that depends on the seed alone (host id + container name + index). */
void net_mac_from_seed(const char *seed, uint8_t mac[6]);
/* The link-local IPv6 address that the kernel makes from a MAC (EUI-64), prefix 64. */
struct net_addr net_mac_link_local(const uint8_t mac[6]);

/*
 * Makes the host side's name: "sk" + 6 characters of the seed's hash + 6 that differ at each call. The old link of
 * a stopped container lives on for tens of ms after its namespace is gone, so a name must never be used twice.
 */
void net_if_host_name(const char *seed, char out[IFNAMSIZ]);
/* Whether a call with that seed made this name. */
bool net_if_host_name_is(const char *host_name, const char *seed);

/* [A-Za-z0-9][A-Za-z0-9_.-]*, at most 15 bytes: what may go into netlink, sysctl paths and rules. */
bool net_link_name_ok(const char *name);
/* All of ifc that can be judged without the kernel: names, counts, prefixes, MTU. Class VALUE. */
int net_if_check(const struct net_if *ifc, struct err *e);
