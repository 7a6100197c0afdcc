// SPDX-License-Identifier: GPL-2.0-only
// The host's bridge for containers: made when missing, adopted when the operator made it, removed only when ours and empty.
#include "net/bridge.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "net/addr.h"
#include "net/link.h"
#include "net/netns.h"

#define OURS "skep"

static void make(struct net_nl *nl, const char *name)
{
	struct nlattr *info, *data;
	struct ifinfomsg *m;
	struct nlmsghdr *h;
	uint8_t mac[6];
	char seed[64];

	net_nl_begin(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*m), "make the bridge");
	h = net_nl_msg(nl);
	/*
	 * A MAC of its own: without one the bridge takes the lowest of its ports', so it would change, and cut
	 * the containers off until their ARP entries expire, as containers come and go.
	 */
	snprintf(seed, sizeof(seed), "bridge %s", name);
	net_mac_from_seed(seed, mac);
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	mnl_attr_put(h, IFLA_ADDRESS, 6, mac);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "bridge");
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	mnl_attr_put_u32(h, IFLA_BR_FORWARD_DELAY, 0);
	mnl_attr_put_u32(h, IFLA_BR_STP_STATE, 0);
	mnl_attr_put_u8(h, IFLA_BR_MCAST_SNOOPING, 0);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);

	m = net_nl_begin(nl, RTM_SETLINK, 0, sizeof(*m), "name the bridge ours");
	m->ifi_flags = IFF_UP;
	m->ifi_change = IFF_UP;
	h = net_nl_msg(nl);
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	mnl_attr_put_strz(h, IFLA_IFALIAS, OURS);
}

/* What a bridge facing containers must not believe: router advertisements and redirects from them. */
static int set_sysctls(const char *name, struct err *e)
{
	static const char *const keys[][2] = {{"ipv6/conf/%s/accept_ra", "0"},
					      {"ipv6/conf/%s/accept_redirects", "0"},
					      {"ipv6/conf/%s/accept_dad", "0"},
					      {"ipv4/conf/%s/accept_redirects", "0"},
					      {"ipv4/conf/%s/rp_filter", "1"}};
	char key[96];

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		int r;

		snprintf(key, sizeof(key), keys[i][0], name);
		r = net_sysctl_write(-1, key, keys[i][1], e);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

int net_bridge_ensure(const char *name, const struct net_addr *addrs, size_t count, struct err *e)
{
	auto_nl struct net_nl nl = {0};
	struct net_link_info info;
	int made, r;

	if (!net_link_name_ok(name))
		return err_set(e, EINVAL, "'%.15s' cannot name a bridge", name);
	r = net_nl_open(&nl, -1, e);
	if (r < 0)
		return r;
	r = net_link_get(&nl, name, &info, e);
	made = r == -ENODEV;
	if (made) {
		make(&nl, name);
		r = net_nl_commit(&nl, e);
		if (r >= 0)
			r = set_sysctls(name, e);
		if (r >= 0)
			r = net_link_get(&nl, name, &info, e);
	}
	if (r < 0)
		return err_wrap(e, "bridge %s", name);
	if (strcmp(info.kind, "bridge")) {
		err_set(e, EEXIST, "link %s is there, but is no bridge", name);
		err_hint(e, "name another one with --bridge: it is made when it is missing");
		return err_class(e, ERR_NETWORK);
	}
	net_nl_link_up(&nl, info.index);
	for (size_t i = 0; i < count && !strcmp(info.alias, OURS); i++)
		if (addrs[i].family)
			net_nl_addr_add(&nl, info.index, &addrs[i], false);
	r = net_nl_commit(&nl, e);
	return r < 0 ? err_wrap(e, "bridge %s", name) : made;
}

int net_bridge_release(const char *name, struct err *e)
{
	auto_nl struct net_nl nl = {0};
	struct net_link_info info;
	int r = net_nl_open(&nl, -1, e);

	if (r < 0)
		return r;
	r = net_link_get(&nl, name, &info, e);
	if (r < 0)
		return r == -ENODEV ? 0 : r;
	if (strcmp(info.kind, "bridge") || strcmp(info.alias, OURS))
		return 0;
	r = net_link_count_ports(&nl, info.index, e);
	if (r)
		return r < 0 ? r : 0;
	r = net_link_destroy(&nl, name, e);
	return r < 0 ? r : 1;
}
