// SPDX-License-Identifier: GPL-2.0-only
// Anti-spoofing at the host end of a veth: only the container's own MAC and addresses pass.
#include "net/guard.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/own.h"
#include "net/nft.h"

/* What is never allowed, whatever follows: the drops stand before every accept. */
static void put_drops(FILE *f, const char *mac)
{
	/*
	 * The tag test comes first: for a tagged frame "ip saddr" below would look at the inner packet, since
	 * the kernel strips the tag before this hook; "ether type" sees the frame as it was sent.
	 */
	fprintf(f, "ether type { 0x8100, 0x88a8 } drop\n");
	fprintf(f, "ether saddr != %s drop\n", mac);
	fprintf(f, "icmpv6 type { nd-router-advert, nd-redirect } drop\n");
	fprintf(f, "icmp type redirect drop\n");
	fprintf(f, "udp sport 67 udp dport 68 drop\nudp sport 547 udp dport 546 drop\n");
	fprintf(f, "ether type arp limit rate over 100/second burst 200 packets drop\n");
}

static void put_ipv4(FILE *f, const struct net_if *ifc, const char *mac)
{
	char text[NET_ADDR_STR_MAX];

	for (size_t i = 0; i < ifc->addr_count; i++) {
		if (ifc->addrs[i].family != AF_INET)
			continue;
		net_addr_to_host_str(&ifc->addrs[i], text);
		fprintf(f, "ip saddr %s accept\n", text);
		fprintf(f,
			"arp operation { request, reply } arp saddr ether %s arp saddr ip %s accept\n",
			mac, text);
		/* A probe for its own address (RFC 5227). */
		fprintf(f,
			"arp operation request arp saddr ether %s arp saddr ip 0.0.0.0 arp daddr ip %s accept\n",
			mac, text);
	}
}

static void put_ipv6_target(FILE *f, const struct net_addr *a)
{
	fprintf(f, "icmpv6 type nd-neighbor-advert @th,64,128 0x");
	for (int i = 0; i < 16; i++)
		fprintf(f, "%02x", a->bytes[i]);
	fprintf(f, " goto own6\n");
}

/* Neighbour advertisements must be for an own target; everything must have an own source. */
static void put_ipv6(FILE *f, const struct net_if *ifc)
{
	struct net_addr local = net_mac_link_local(ifc->mac);

	put_ipv6_target(f, &local);
	for (size_t i = 0; i < ifc->addr_count; i++)
		if (ifc->addrs[i].family == AF_INET6)
			put_ipv6_target(f, &ifc->addrs[i]);
	fprintf(f, "icmpv6 type nd-neighbor-advert drop\n");
	fprintf(f,
		"ip6 saddr :: icmpv6 type { nd-neighbor-solicit, mld-listener-report, mld2-listener-report } accept\n");
	fprintf(f, "ether type ip6 goto own6\n");
}

static void put_own6(FILE *f, const struct net_if *ifc)
{
	struct net_addr local = net_mac_link_local(ifc->mac);
	char text[NET_ADDR_STR_MAX];

	fprintf(f, "ip6 saddr %s accept\n", net_addr_to_host_str(&local, text));
	for (size_t i = 0; i < ifc->addr_count; i++)
		if (ifc->addrs[i].family == AF_INET6)
			fprintf(f, "ip6 saddr %s accept\n",
				net_addr_to_host_str(&ifc->addrs[i], text));
	fprintf(f, "drop\n");
}

int net_guard_set(const struct net_if *ifc, struct err *e)
{
	auto_free char *text = NULL;
	char mac[NET_MAC_STR_MAX], table[64];
	const char *h = ifc->host_name;
	size_t len;
	FILE *f;

	if (!net_link_name_ok(h) || net_mac_is_zero(ifc->mac)) {
		err_set(e, EINVAL, "anti-spoofing of '%.15s' needs a link name and a MAC address",
			h);
		return err_class(e, ERR_VALUE);
	}
	f = open_memstream(&text, &len);
	if (!f)
		return err_sys(e, "compose the anti-spoofing rules");
	net_mac_to_str(ifc->mac, mac);
	fprintf(f, "chain own6 {\n");
	put_own6(f, ifc);
	fprintf(f,
		"}\nchain in { type filter hook ingress device \"%s\" priority -500; policy drop;\n",
		h);
	put_drops(f, mac);
	put_ipv4(f, ifc, mac);
	put_ipv6(f, ifc);
	fprintf(f, "}\n");
	if (fclose(f))
		return err_sys(e, "compose the anti-spoofing rules");
	snprintf(table, sizeof(table), "skep_guard_%s", h);
	return net_nft_set_table("netdev", table, text, "set up anti-spoofing", e);
}

int net_guard_remove(const char *host_name, struct err *e)
{
	char table[64];

	if (!net_link_name_ok(host_name))
		return err_set(e, EINVAL, "'%.15s' cannot name a link", host_name);
	snprintf(table, sizeof(table), "skep_guard_%s", host_name);
	return net_nft_drop_table("netdev", table, e);
}
