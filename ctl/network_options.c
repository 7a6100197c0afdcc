// SPDX-License-Identifier: GPL-2.0-only
/* The network options of create and set. */
#include "ctl/network_options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/size.h"

#define LEAST_MTU 576 /* RFC 791: what every IPv4 host must take */
#define MOST_MTU  65535

static int bad_value(struct err *e, const char *what, const char *value, const char *why)
{
	err_set(e, EINVAL, "%s: '%.64s' %s", what, value, why);
	return err_class(e, ERR_VALUE);
}

const char *ctl_network_to_str(const struct ct_definition *d)
{
	if (d->network == CT_NETWORK_HOST)
		return "host";
	return d->net_count ? net_mode_to_str(d->nets[0].mode) : "none";
}

void ctl_network_default(struct ct_definition *d)
{
	struct net_if *eth = &d->nets[0];

	d->network = CT_NETWORK_PRIVATE;
	d->net_count = 1;
	memset(eth, 0, sizeof(*eth));
	snprintf(eth->name, sizeof(eth->name), "eth0");
	eth->mode = NET_MODE_BRIDGE;
	eth->guard = true;
}

int ctl_network_kind(struct ct_definition *d, const char *value, struct err *e)
{
	bool host = strcmp(value, "host") == 0;
	enum net_mode mode;

	if (host || strcmp(value, "none") == 0) {
		d->network = host ? CT_NETWORK_HOST : CT_NETWORK_PRIVATE;
		d->net_count = 0;
		memset(d->nets, 0, sizeof(d->nets));
		return 0;
	}
	if (strcmp(value, "bridge") == 0)
		mode = NET_MODE_BRIDGE;
	else if (strcmp(value, "routed") == 0)
		mode = NET_MODE_ROUTED;
	else
		return bad_value(e, "--network", value, "is not one of bridge, routed, none, host");
	if (d->network == CT_NETWORK_HOST || !d->net_count)
		ctl_network_default(d);
	if (d->nets[0].mode == mode)
		return 0;
	/* Address and MAC stay; what only the other mode has goes. */
	d->nets[0].mode = mode;
	d->nets[0].bridge[0] = '\0';
	d->nets[0].uplink[0] = '\0';
	memset(&d->nets[0].gateway4, 0, sizeof(d->nets[0].gateway4));
	memset(&d->nets[0].gateway6, 0, sizeof(d->nets[0].gateway6));
	return 0;
}

static struct net_if *interface(struct ct_definition *d, const char *what, struct err *e)
{
	if (d->network == CT_NETWORK_PRIVATE && d->net_count)
		return &d->nets[0];
	err_set(e, EINVAL, "%s needs an interface, and network '%s' has none", what,
		ctl_network_to_str(d));
	err_hint(e, "add --network bridge, or leave %s out", what);
	err_class(e, ERR_VALUE);
	return NULL;
}

static int add(struct net_if *eth, const char *what, const struct net_addr *a, struct err *e)
{
	char text[NET_ADDR_STR_MAX];

	for (size_t i = 0; i < eth->addr_count; i++) {
		if (!net_addr_same(&eth->addrs[i], a))
			continue;
		err_set(e, EEXIST, "%s: it has %s%s already", what,
			ct_addr_unpicked(a) ? "an address of the pool" : "the address ",
			ct_addr_unpicked(a) ? "" : net_addr_to_str(a, text));
		return err_class(e, ERR_VALUE);
	}
	if (eth->addr_count == NET_ADDRS_MAX) {
		err_set(e, E2BIG, "%s: an interface takes at most %d addresses", what,
			NET_ADDRS_MAX);
		return err_class(e, ERR_VALUE);
	}
	eth->addrs[eth->addr_count++] = *a;
	return 0;
}

/* The wildcard, with the pool's prefix: whoever makes the container picks one. */
static int add_of_pool(struct net_if *eth, const char *what, const struct net_addr *pool,
		       struct err *e)
{
	struct net_addr any = {.family = pool->family, .prefix = pool->prefix};

	return add(eth, what, &any, e);
}

/* On a bridge an address without its subnet's prefix would see no neighbour: the pool's addresses have the pool's. */
static int complete_prefix(const struct net_if *eth, const struct ct_conf *conf, const char *what,
			   const char *value, struct net_addr *a, struct err *e)
{
	const struct net_addr *pool = a->family == AF_INET6 ? &conf->pool6 : &conf->pool4;
	char text[NET_ADDR_STR_MAX];

	if (eth->mode != NET_MODE_BRIDGE || strchr(value, '/'))
		return 0;
	if (pool->family && net_addr_within(pool, a)) {
		a->prefix = pool->prefix;
		return 0;
	}
	err_set(e, EINVAL, "%s: '%.64s' needs the length of its subnet's prefix", what, value);
	err_hint(e, "write %.64s/%d, or take an address of this host's pool %s", value,
		 a->family == AF_INET6 ? 64 : 24,
		 pool->family ? net_addr_to_str(pool, text) : "(which has none of that kind)");
	return err_class(e, ERR_VALUE);
}

int ctl_network_ip_add(struct ct_definition *d, const struct ct_conf *conf, const char *what,
		       const char *value, struct err *e)
{
	struct net_if *eth = interface(d, what, e);
	struct net_addr a;

	if (!eth)
		return -e->no;
	if (strcmp(value, "auto") == 0)
		return add_of_pool(eth, what, &conf->pool4, e);
	if (strcmp(value, "auto6") == 0 && !conf->pool6.family) {
		bad_value(e, what, value, "needs a pool, and this host has none for IPv6");
		return err_hint(e, "set \"pool6\" in " CT_CONF_FILE ", such as fd00:5ce9::/64");
	}
	if (strcmp(value, "auto6") == 0)
		return add_of_pool(eth, what, &conf->pool6, e);
	if (net_addr_parse(value, &a, e) < 0) {
		err_hint(e, "write 10.0.0.5/24 or fd00::5/64, or auto for one of the pool");
		return err_wrap(e, "%s", what);
	}
	if (complete_prefix(eth, conf, what, value, &a, e) < 0)
		return -e->no;
	return add(eth, what, &a, e);
}

int ctl_network_ip_del(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	struct net_if *eth = interface(d, what, e);
	struct net_addr a;

	if (!eth)
		return -e->no;
	if (strcmp(value, "all") == 0) {
		eth->addr_count = 0;
		return 0;
	}
	if (net_addr_parse(value, &a, e) < 0)
		return err_wrap(e, "%s", what);
	for (size_t i = 0; i < eth->addr_count; i++) {
		if (!net_addr_same(&eth->addrs[i], &a))
			continue;
		eth->addr_count--;
		memmove(eth->addrs + i, eth->addrs + i + 1,
			(eth->addr_count - i) * sizeof(eth->addrs[0]));
		return 0;
	}
	bad_value(e, what, value, "is not one of its addresses");
	return err_hint(e, "skepctl info %s lists them", d->name);
}

int ctl_network_gateway(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	struct net_if *eth = interface(d, what, e);
	struct net_addr a;

	if (!eth)
		return -e->no;
	if (eth->mode != NET_MODE_BRIDGE)
		return bad_value(e, what, value,
				 "has no use: in routed mode the host is the gateway");
	if (net_addr_parse(value, &a, e) < 0)
		return err_wrap(e, "%s", what);
	*(a.family == AF_INET6 ? &eth->gateway6 : &eth->gateway4) = a;
	return 0;
}

static int link_name(char *out, const char *what, const char *value, struct err *e)
{
	if (!net_link_name_ok(value))
		return bad_value(e, what, value, "is not the name of a link");
	snprintf(out, IFNAMSIZ, "%s", value);
	return 0;
}

int ctl_network_bridge(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	struct net_if *eth = interface(d, what, e);

	if (!eth)
		return -e->no;
	if (eth->mode != NET_MODE_BRIDGE)
		return bad_value(e, what, value, "has no use: the network is routed");
	return link_name(eth->bridge, what, value, e);
}

int ctl_network_uplink(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	struct net_if *eth = interface(d, what, e);

	if (!eth)
		return -e->no;
	if (eth->mode != NET_MODE_ROUTED)
		return bad_value(e, what, value, "has no use without --network routed");
	return link_name(eth->uplink, what, value, e);
}

int ctl_network_mac(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	struct net_if *eth = interface(d, what, e);

	if (!eth)
		return -e->no;
	return net_mac_parse(value, eth->mac, e) < 0 ? err_wrap(e, "%s", what) : 0;
}

int ctl_network_mtu(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	struct net_if *eth = interface(d, what, e);
	int64_t n;

	if (!eth || size_parse_number(what, value, LEAST_MTU, MOST_MTU, &n, e) < 0)
		return -e->no;
	eth->mtu = (unsigned)n;
	return 0;
}

int ctl_network_rate(struct ct_definition *d, const char *what, const char *value, struct err *e)
{
	struct net_if *eth = interface(d, what, e);

	if (!eth)
		return -e->no;
	if (strcmp(value, "0") == 0 || strcmp(value, "unlimited") == 0) {
		eth->rate_bits = 0;
		return 0;
	}
	return size_parse_rate(what, value, &eth->rate_bits, e);
}

int ctl_network_finish(struct ct_definition *d, const struct ct_conf *conf, struct err *e)
{
	if (d->network == CT_NETWORK_HOST || !d->net_count || d->nets[0].addr_count)
		return 0;
	if (conf->pool4.family && add_of_pool(&d->nets[0], "--network", &conf->pool4, e) < 0)
		return -e->no;
	if (conf->pool6.family && add_of_pool(&d->nets[0], "--network", &conf->pool6, e) < 0)
		return -e->no;
	return 0;
}
