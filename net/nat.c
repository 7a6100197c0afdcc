// SPDX-License-Identifier: GPL-2.0-only
// Masquerading of a bridge's subnets to the outside, in an nftables table of our own.
#include "net/nat.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/own.h"
#include "net/forward.h"
#include "net/nft.h"

static void put_masquerade(FILE *f, const char *bridge, const struct net_addr *subnet)
{
	struct net_addr net = net_addr_network(subnet);
	const char *ip = net.family == AF_INET ? "ip" : "ip6";
	char text[NET_ADDR_STR_MAX];

	net_addr_to_str(&net, text);
	fprintf(f, "%s saddr %s %s daddr != %s oifname != \"%s\" masquerade\n", ip, text, ip, text,
		bridge);
}

static int set_table(const char *bridge, const struct net_addr *subnets, size_t count,
		     struct err *e)
{
	auto_free char *text = NULL;
	char table[64];
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return err_sys(e, "compose the NAT rules");
	fprintf(f, "chain postrouting { type nat hook postrouting priority 100; policy accept;\n");
	for (size_t i = 0; i < count; i++)
		if (subnets[i].family)
			put_masquerade(f, bridge, &subnets[i]);
	/* From outside only answers come in; what the host itself sends does not pass here. */
	fprintf(f,
		"}\nchain forward { type filter hook forward priority 0; policy accept;\n"
		"ct state invalid iifname \"%s\" drop\niifname \"%s\" accept\n"
		"oifname \"%s\" ct state established,related accept\n}\n",
		bridge, bridge, bridge);
	if (fclose(f))
		return err_sys(e, "compose the NAT rules");
	snprintf(table, sizeof(table), "skep_nat_%s", bridge);
	return net_nft_set_table("inet", table, text, "set up NAT", e);
}

int net_nat_ensure(const char *bridge, const struct net_addr *subnets, size_t count, struct err *e)
{
	bool ipv6 = false;
	int r;

	if (!net_link_name_ok(bridge))
		return err_set(e, EINVAL, "'%.15s' cannot name a bridge", bridge);
	for (size_t i = 0; i < count; i++)
		ipv6 |= subnets[i].family == AF_INET6;
	r = net_forward_hold(bridge, ipv6, e);
	if (r < 0)
		return r;
	r = set_table(bridge, subnets, count, e);
	if (r < 0) {
		struct err ignored = {0};

		(void)net_forward_drop(bridge, &ignored); /* the first cause is in e */
	}
	return r;
}

int net_nat_release(const char *bridge, struct err *e)
{
	char table[64];
	int r;

	if (!net_link_name_ok(bridge))
		return err_set(e, EINVAL, "'%.15s' cannot name a bridge", bridge);
	snprintf(table, sizeof(table), "skep_nat_%s", bridge);
	r = net_nft_drop_table("inet", table, e);
	return r < 0 ? r : net_forward_drop(bridge, e);
}
