// SPDX-License-Identifier: GPL-2.0-only
// Routed mode, OpenVZ's venet: host routes to the container's addresses, the host answering ARP and NDP for them.
#include "net/routed.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/err.h"
#include "net/addr.h"
#include "net/forward.h"
#include "net/link.h"
#include "net/netns.h"

/* Opens nl and finds the link; -ENODEV leaves e untouched. Returns its index. */
static int open_at(struct net_nl *nl, const char *link, struct err *e)
{
	struct net_link_info info;
	int r = net_nl_open(nl, -1, e);

	if (r >= 0)
		r = net_link_get(nl, link, &info, e);
	return r < 0 ? r : info.index;
}

int net_routed_proxy_add(const char *uplink, const struct net_addr *addr, struct err *e)
{
	auto_nl struct net_nl nl = {0};
	char key[64];
	int r, index = open_at(&nl, uplink, e);

	if (index == -ENODEV) {
		err_set(e, ENODEV, "uplink %s: no such link", uplink);
		return err_hint(e,
				"--uplink is the host's link to its network: `ip link` lists them");
	}
	if (index < 0)
		return index;
	if (addr->family == AF_INET6) {
		/* Without it the kernel ignores IPv6 proxy entries; IPv4's need forwarding only. It answers for listed addresses alone. */
		snprintf(key, sizeof(key), "ipv6/conf/%s/proxy_ndp", uplink);
		r = net_sysctl_write(-1, key, "1", e);
		if (r < 0)
			return r == -ENOENT ? err_set(e, ENOENT, "no IPv6 on %s", uplink) : r;
	}
	net_nl_proxy(&nl, index, addr, false);
	return net_nl_commit(&nl, e);
}

int net_routed_proxy_remove(const char *uplink, const struct net_addr *addr, struct err *e)
{
	auto_nl struct net_nl nl = {0};
	int index = open_at(&nl, uplink, e);

	if (index < 0)
		return index == -ENODEV ? 0 : index;
	net_nl_proxy(&nl, index, addr, true);
	return net_nl_commit(&nl, e);
}

int net_routed_add(const struct net_if *ifc, struct err *e)
{
	auto_nl struct net_nl nl = {0};
	struct net_addr gw4, gw6;
	bool v4 = false, v6 = false;
	int r, index;

	for (size_t i = 0; i < ifc->addr_count; i++) {
		v4 |= ifc->addrs[i].family == AF_INET;
		v6 |= ifc->addrs[i].family == AF_INET6;
	}
	r = net_addr_parse(NET_ROUTED_GATEWAY4, &gw4, e);
	if (r >= 0)
		r = net_addr_parse(NET_ROUTED_GATEWAY6, &gw6, e);
	if (r >= 0)
		r = net_forward_hold(ifc->host_name, v6, e);
	if (r < 0)
		return r;
	index = open_at(&nl, ifc->host_name, e);
	if (index < 0)
		return index == -ENODEV ? err_set(e, ENODEV, "link %s is gone", ifc->host_name)
					: index;
	if (v4)
		net_nl_addr_add(&nl, index, &gw4, true);
	if (v6)
		net_nl_addr_add(&nl, index, &gw6, true);
	for (size_t i = 0; i < ifc->addr_count; i++)
		net_nl_host_route(&nl, index, &ifc->addrs[i], false);
	r = net_nl_commit(&nl, e);
	for (size_t i = 0; i < ifc->addr_count && *ifc->uplink && r >= 0; i++)
		r = net_routed_proxy_add(ifc->uplink, &ifc->addrs[i], e);
	return r;
}

int net_routed_remove(const char *host_name, const struct net_addr *addr, const char *uplink,
		      struct err *e)
{
	auto_nl struct net_nl nl = {0};
	int r = 0, index = open_at(&nl, host_name, e);

	if (index >= 0) {
		net_nl_host_route(&nl, index, addr, true);
		r = net_nl_commit(&nl, e);
	} else if (index != -ENODEV) {
		return index;
	}
	return r < 0 || !uplink || !*uplink ? r : net_routed_proxy_remove(uplink, addr, e);
}
