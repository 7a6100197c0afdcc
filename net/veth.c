// SPDX-License-Identifier: GPL-2.0-only
// A container's veth pair: born with one end in its namespace, configured with one batch.
#include "net/veth.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/own.h"
#include "net/addr.h"
#include "net/forward.h"
#include "net/guard.h"
#include "net/link.h"
#include "net/netns.h"
#include "net/nft.h"
#include "net/routed.h"
#include "net/shape.h"

/* What both ends have: MTU and a single queue (half of the time of the making goes into queues nobody uses). */
static void put_end(struct nlmsghdr *h, const struct net_if *ifc)
{
	if (ifc->mtu)
		mnl_attr_put_u32(h, IFLA_MTU, ifc->mtu);
	mnl_attr_put_u32(h, IFLA_NUM_TX_QUEUES, 1);
	mnl_attr_put_u32(h, IFLA_NUM_RX_QUEUES, 1);
}

/*
 * The container's end gets a number that no link of a host has: CRIU restores it by a request with that number, but in the namespace of the host, where a
 * link that has it, too, turns the making into a change ("couldn't restore veth interface", EOPNOTSUPP). The kernel's own numbers are small. It heeds
 * that of a veth's peer only if the first end comes with one (veth_newlink()): a random one, since the link of an earlier start may not be gone yet.
 */
static int put_numbers(struct ifinfomsg *host, struct ifinfomsg *inner, const struct net_if *ifc,
		       struct err *e)
{
	uint32_t r;

	if (getrandom(&r, sizeof(r), 0) != sizeof(r))
		return err_sys(e, "number the link");
	host->ifi_index = 0x20000000 | (int)(r & 0x0fffffff);
	inner->ifi_index = 0x10000000 | ifc->mac[3] << 16 | ifc->mac[4] << 8 | ifc->mac[5];
	return 0;
}

/*
 * An operator's bridge without a MAC of its own has the lowest of its ports', and so has the host. With the kernel's random ones a container that comes or goes changes it, and
 * all neighbours send to a dead address until they ask again: 8 to 50 s without the host. fe is above all others (libvirt does the same); the rest is of
 * the inner one, so that what a routed container knows of its gateway stays true when it moves to another host.
 */
static void put_host_mac(struct nlmsghdr *h, const struct net_if *ifc)
{
	uint8_t mac[6];

	if (net_mac_is_zero(ifc->mac))
		return;
	memcpy(mac, ifc->mac, sizeof(mac));
	/* A bridge takes what is for the MAC of a port for itself: the two must differ. */
	mac[5] ^= mac[0] == 0xfe;
	mac[0] = 0xfe;
	mnl_attr_put(h, IFLA_ADDRESS, sizeof(mac), mac);
}

static int put_pair(struct net_nl *nl, const struct net_if *ifc, int master, int netns,
		    struct err *e)
{
	struct ifinfomsg *m = net_nl_begin(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*m),
					   "make the link");
	struct ifinfomsg *theirs;
	struct nlmsghdr *h = net_nl_msg(nl);
	struct nlattr *info, *data, *peer;

	if (!m)
		return err_set(e, ENOBUFS, "the batch is full");
	mnl_attr_put_strz(h, IFLA_IFNAME, ifc->host_name);
	put_host_mac(h, ifc);
	put_end(h, ifc);
	if (master)
		mnl_attr_put_u32(h, IFLA_MASTER, (uint32_t)master);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(h, VETH_INFO_PEER);
	/* The peer's header; it cannot be IFF_UP yet: veth_open() gives ENOTCONN before the two are tied. */
	theirs = mnl_nlmsg_get_payload_tail(h);
	memset(theirs, 0, sizeof(*theirs));
	h->nlmsg_len += sizeof(*theirs);
	mnl_attr_put_strz(h, IFLA_IFNAME, ifc->name);
	if (!net_mac_is_zero(ifc->mac))
		mnl_attr_put(h, IFLA_ADDRESS, 6, ifc->mac);
	mnl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)netns);
	put_end(h, ifc);
	mnl_attr_nest_end(h, peer);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	return put_numbers(m, theirs, ifc, e);
}

/* Host end: alias, isolation, up or not yet. A link takes its alias only after birth, and isolation only as a bridge's port. */
static void put_host_end(struct net_nl *nl, const struct net_if *ifc, bool up)
{
	struct ifinfomsg *m = net_nl_begin(nl, RTM_NEWLINK, 0, sizeof(*m), "set the host's end up");
	struct nlmsghdr *h = net_nl_msg(nl);
	struct nlattr *info, *data;
	char alias[160];

	if (!m)
		return;
	m->ifi_flags = up ? IFF_UP : 0;
	m->ifi_change = IFF_UP;
	mnl_attr_put_strz(h, IFLA_IFNAME, ifc->host_name);
	snprintf(alias, sizeof(alias), "skep:%s", ifc->alias);
	mnl_attr_put_strz(h, IFLA_IFALIAS, alias);
	if (ifc->mode != NET_MODE_BRIDGE || !ifc->isolated)
		return;
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_SLAVE_KIND, "bridge");
	data = mnl_attr_nest_start(h, IFLA_INFO_SLAVE_DATA);
	mnl_attr_put_u8(h, IFLA_BRPORT_ISOLATED, 1);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
}

/* The host end listens to nothing a container could tell the host about routing. Before the link is up. */
static int set_sysctls(const struct net_if *ifc, struct err *e)
{
	static const char *const routed[][2] = {
		{"ipv6/conf/%s/accept_ra", "0"},      {"ipv6/conf/%s/accept_redirects", "0"},
		{"ipv6/conf/%s/accept_dad", "0"},     {"ipv4/conf/%s/accept_redirects", "0"},
		{"ipv4/conf/%s/send_redirects", "0"}, {"ipv4/conf/%s/rp_filter", "1"},
		{"ipv4/conf/%s/arp_ignore", "1"}};
	static const char *const port[][2] = {{"ipv6/conf/%s/disable_ipv6", "1"}};
	bool is_port = ifc->mode == NET_MODE_BRIDGE;
	size_t n = is_port ? 1 : sizeof(routed) / sizeof(routed[0]);
	char key[96];

	for (size_t i = 0; i < n; i++) {
		const char *const *s = is_port ? port[i] : routed[i];
		int r;

		snprintf(key, sizeof(key), s[0], ifc->host_name);
		r = net_sysctl_write(-1, key, s[1], e);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

static int find_bridge(struct net_nl *nl, const char *name, struct err *e)
{
	struct net_link_info info;
	int r = net_link_get(nl, name, &info, e);

	if (r == -ENODEV) {
		err_set(e, ENODEV, "bridge %s does not exist", name);
		return err_class(e, ERR_NETWORK);
	}
	if (r >= 0 && strcmp(info.kind, "bridge")) {
		err_set(e, EINVAL, "%s is no bridge", name);
		return err_class(e, ERR_NETWORK);
	}
	return r < 0 ? r : info.index;
}

/* Undoes on the way out of a failure; the first cause stays in e. */
static void undo(const char *host_name)
{
	struct err ignored = {0};

	(void)net_if_destroy(host_name, false, &ignored);
}

int net_veth_pair(const struct net_if *ifc, int netns, struct err *e)
{
	auto_nl struct net_nl nl = {0};
	int r, master = 0;

	r = net_if_check(ifc, e);
	if (r >= 0)
		r = net_nl_open(&nl, -1, e);
	if (r >= 0 && ifc->mode == NET_MODE_BRIDGE)
		r = master = find_bridge(&nl, ifc->bridge, e);
	if (r >= 0)
		r = put_pair(&nl, ifc, master, netns, e);
	if (r >= 0)
		r = net_nl_commit(&nl, e);
	if (r < 0)
		return r;
	r = set_sysctls(ifc, e);
	if (r >= 0) {
		put_host_end(&nl, ifc, true);
		r = net_nl_commit(&nl, e);
	}
	if (r < 0)
		undo(ifc->host_name);
	return r;
}

/* Whether some address of the interface has the gateway in its subnet. */
static bool reaches(const struct net_if *ifc, const struct net_addr *gateway)
{
	static const uint8_t link_local[2] = {0xfe, 0x80};

	if (gateway->family == AF_INET6 && !memcmp(gateway->bytes, link_local, 2))
		return true;
	for (size_t i = 0; i < ifc->addr_count; i++)
		if (net_addr_within(&ifc->addrs[i], gateway))
			return true;
	return false;
}

static void put_routes(struct net_nl *nl, const struct net_if *ifc, int index)
{
	struct net_addr gw[2] = {ifc->gateway4, ifc->gateway6};
	struct err never = {0};

	if (ifc->mode == NET_MODE_ROUTED) {
		gw[0].family = gw[1].family = 0;
		for (size_t i = 0; i < ifc->addr_count; i++) {
			bool four = ifc->addrs[i].family == AF_INET;

			(void)net_addr_parse(four ? NET_ROUTED_GATEWAY4 : NET_ROUTED_GATEWAY6,
					     &gw[four ? 0 : 1], &never);
		}
	}
	for (int i = 0; i < 2; i++)
		if (gw[i].family)
			net_nl_default_route(nl, index, &gw[i], !reaches(ifc, &gw[i]));
}

/* Inside, an address alone in routed mode: there is no subnet to be in. */
static struct net_addr inner_addr(const struct net_if *ifc, const struct net_addr *addr)
{
	struct net_addr a = *addr;

	if (ifc->mode == NET_MODE_ROUTED)
		a.prefix = (uint8_t)(8 * net_addr_len(&a));
	return a;
}

/* The MAC and addresses are ours alone by the guard: waiting a second for duplicates would only delay the container. */
static int calm_ipv6(const struct net_if *ifc, int netns, struct err *e)
{
	char key[96];
	int r;

	snprintf(key, sizeof(key), "ipv6/conf/%s/accept_dad", ifc->name);
	r = net_sysctl_write(netns, key, "0", e);
	if (r >= 0) {
		snprintf(key, sizeof(key), "ipv6/conf/%s/accept_ra", ifc->name);
		r = net_sysctl_write(
			netns, key,
			ifc->gateway6.family || ifc->mode == NET_MODE_ROUTED ? "0" : "1", e);
	}
	return r == -ENOENT ? 0 : r;
}

static int inner_index(struct net_nl *nl, const char *name, struct err *e)
{
	struct net_link_info info;
	int r = net_link_get(nl, name, &info, e);

	if (r == -ENODEV)
		return err_set(e, ENODEV, "no link %s in the container", name);
	return r < 0 ? r : info.index;
}

int net_veth_configure(const struct net_if *ifc, int netns, struct err *e)
{
	auto_nl struct net_nl nl = {0};
	int r = calm_ipv6(ifc, netns, e), index;

	if (r >= 0)
		r = net_nl_open(&nl, netns, e);
	if (r < 0)
		return r;
	index = inner_index(&nl, ifc->name, e);
	if (index < 0)
		return index;
	net_nl_link_up(
		&nl,
		1); /* lo is born with index 1 in every namespace (net/core/dev.c, loopback_net_init) */
	net_nl_link_up(&nl, index);
	for (size_t i = 0; i < ifc->addr_count; i++) {
		struct net_addr a = inner_addr(ifc, &ifc->addrs[i]);

		net_nl_addr_add(&nl, index, &a, false);
	}
	put_routes(&nl, ifc, index);
	r = net_nl_commit(&nl, e);
	return r < 0 ? err_wrap(e, "configure %s in the container", ifc->name) : r;
}

int net_veth_create(const struct net_if *ifc, int netns, struct err *e)
{
	int r = net_veth_pair(ifc, netns, e);

	if (r < 0)
		return r;
	r = ifc->mode == NET_MODE_ROUTED ? net_routed_add(ifc, e) : 0;
	if (r >= 0)
		r = net_veth_configure(ifc, netns, e);
	if (r < 0)
		undo(ifc->host_name);
	return r;
}

int net_if_create(const struct net_if *ifc, int netns, struct err *e)
{
	int r = net_veth_pair(ifc, netns, e);

	if (r < 0)
		return r;
	if (ifc->mode == NET_MODE_ROUTED)
		r = net_routed_add(ifc, e);
	if (r >= 0 && ifc->guard)
		r = net_guard_set(ifc, e);
	if (r >= 0 && ifc->rate_bits)
		r = net_shape_set(ifc->host_name, ifc->rate_bits, e);
	if (r >= 0)
		r = net_veth_configure(ifc, netns, e);
	if (r < 0)
		undo(ifc->host_name);
	return r;
}

static void put_master(struct net_nl *nl, const char *name, int master)
{
	if (!net_nl_begin(nl, RTM_NEWLINK, 0, sizeof(struct ifinfomsg), "join the bridge"))
		return;
	mnl_attr_put_strz(net_nl_msg(nl), IFLA_IFNAME, name);
	mnl_attr_put_u32(net_nl_msg(nl), IFLA_MASTER, (uint32_t)master);
}

int net_if_adopt(const struct net_if *ifc, struct err *e)
{
	auto_nl struct net_nl nl = {0};
	int master = 0, r = net_if_check(ifc, e);

	if (r >= 0)
		r = net_nl_open(&nl, -1, e);
	if (r >= 0 && ifc->mode == NET_MODE_BRIDGE)
		r = master = find_bridge(&nl, ifc->bridge, e);
	if (r >= 0)
		r = set_sysctls(ifc, e);
	if (r < 0)
		return r;
	if (master)
		put_master(&nl, ifc->host_name, master);
	put_host_end(&nl, ifc, false);
	r = net_nl_commit(&nl, e);
	if (r >= 0 && ifc->guard)
		r = net_guard_set(ifc, e);
	if (r >= 0 && ifc->rate_bits)
		r = net_shape_set(ifc->host_name, ifc->rate_bits, e);
	return r;
}

int net_veth_destroy(const char *host_name, struct err *e)
{
	auto_nl struct net_nl nl = {0};
	int r = net_nl_open(&nl, -1, e);

	return r < 0 ? r : net_link_destroy(&nl, host_name, e);
}

/* All rules that a host end can have, in one transaction. leave_link: but a lock, and then 1 is returned. */
static int drop_rules(const char *host_name, bool leave_link, struct err *e)
{
	char guard[48], shape[48], lock[48];
	auto_free char *there = NULL;
	int r = net_nft_tables("netdev", &there, e);

	snprintf(guard, sizeof(guard), "skep_guard_%s", host_name);
	snprintf(shape, sizeof(shape), "skep_shape_%s", host_name);
	snprintf(lock, sizeof(lock), "skep_lock_%s", host_name);
	if (r < 0 || (leave_link && net_nft_has_table(there, "netdev", lock)))
		return r < 0 ? r : 1;
	return net_nft_drop_listed(there, "netdev", (const char *[]){guard, shape, lock}, 3, e);
}

/* Goes on after a failure, so that one stuck thing does not keep the others; the first cause is returned. */
int net_if_destroy(const char *host_name, bool leave_link, struct err *e)
{
	int link = 0, rules, forward;

	if (!net_link_name_ok(host_name))
		return err_set(e, EINVAL, "'%.15s' cannot name a link", host_name);
	/* With the link its queue goes as well. */
	if (!leave_link)
		link = net_veth_destroy(host_name, e);
	rules = drop_rules(host_name, leave_link, e);
	/*
	 * A locked one is not left: it runs elsewhere under the same address. Its network is still there for a moment, without the sockets, and a frame that the switches bring
	 * here, since they have not heard of the other place yet, would be answered with a reset.
	 */
	if (rules > 0) {
		link = net_veth_destroy(host_name, e);
		rules = drop_rules(host_name, false, e);
	}
	forward = net_forward_drop(host_name, e);
	return link < 0 ? link : rules < 0 ? rules : forward < 0 ? forward : 0;
}

int net_loopback_up(int netns, struct err *e)
{
	auto_nl struct net_nl nl = {0};
	int r = net_nl_open(&nl, netns, e);

	if (r < 0)
		return r;
	net_nl_link_up(&nl, 1);
	return net_nl_commit(&nl, e);
}

/* Without it the kernel takes all other IPv4 addresses of a subnet away with the first (ip-sysctl: promote_secondaries). */
static int keep_others(const struct net_if *ifc, int netns, struct err *e)
{
	char key[96];
	int r;

	snprintf(key, sizeof(key), "ipv4/conf/%s/promote_secondaries", ifc->name);
	r = net_sysctl_write(netns, key, "1", e);
	return r == -ENOENT ? 0 : r;
}

/* One address, inside. */
static int change_addr(const struct net_if *ifc, int netns, const struct net_addr *addr, bool add,
		       struct err *e)
{
	auto_nl struct net_nl nl = {0};
	struct net_addr a = inner_addr(ifc, addr);
	int index, r = net_nl_open(&nl, netns, e);

	if (r < 0)
		return r;
	index = inner_index(&nl, ifc->name, e);
	if (index < 0)
		return index;
	if (!add && a.family == AF_INET)
		r = keep_others(ifc, netns, e);
	if (r < 0)
		return r;
	if (add)
		net_nl_addr_add(&nl, index, &a, false);
	else
		net_nl_addr_remove(&nl, index, &a);
	return net_nl_commit(&nl, e);
}

int net_veth_addr_add(const struct net_if *ifc, int netns, const struct net_addr *addr,
		      struct err *e)
{
	return change_addr(ifc, netns, addr, true, e);
}

int net_veth_addr_remove(const struct net_if *ifc, int netns, const struct net_addr *addr,
			 struct err *e)
{
	return change_addr(ifc, netns, addr, false, e);
}
