// SPDX-License-Identifier: GPL-2.0-only
// Messages for addresses and routes: put into a batch, not sent.
#include "net/addr.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

/* A batch that is full gives NULL here and -ENOBUFS at commit. */

void net_nl_link_up(struct net_nl *nl, int index)
{
	struct ifinfomsg *m = net_nl_begin(nl, RTM_SETLINK, 0, sizeof(*m), "set the link up");

	if (!m)
		return;
	m->ifi_index = index;
	m->ifi_flags = IFF_UP;
	m->ifi_change = IFF_UP;
}

void net_nl_addr_add(struct net_nl *nl, int index, const struct net_addr *a, bool local)
{
	struct ifaddrmsg *m = net_nl_begin(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*m),
					   "add the address");
	struct nlmsghdr *h = net_nl_msg(nl);

	if (!m)
		return;
	m->ifa_family = a->family;
	m->ifa_prefixlen = a->prefix;
	m->ifa_index = (unsigned)index;
	m->ifa_scope = local ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	mnl_attr_put(h, IFA_LOCAL, net_addr_len(a), a->bytes);
	if (a->family == AF_INET6) {
		mnl_attr_put_u32(h, IFA_FLAGS, IFA_F_NODAD);
	} else {
		mnl_attr_put(h, IFA_ADDRESS, 4, a->bytes);
		if (a->prefix < 31) {
			uint8_t all[4];

			for (int i = 0; i < 4; i++) {
				int bits = a->prefix - 8 * i;

				all[i] = a->bytes[i] | (uint8_t)(bits <= 0   ? 0xff
								 : bits >= 8 ? 0
									     : 0xff >> bits);
			}
			mnl_attr_put(h, IFA_BROADCAST, 4, all);
		}
	}
	net_nl_forgive(nl, EEXIST);
}

void net_nl_addr_remove(struct net_nl *nl, int index, const struct net_addr *a)
{
	struct ifaddrmsg *m = net_nl_begin(nl, RTM_DELADDR, 0, sizeof(*m), "remove the address");

	if (!m)
		return;
	m->ifa_family = a->family;
	m->ifa_prefixlen = a->prefix;
	m->ifa_index = (unsigned)index;
	mnl_attr_put(net_nl_msg(nl), IFA_LOCAL, net_addr_len(a), a->bytes);
	net_nl_forgive(nl, EADDRNOTAVAIL);
}

void net_nl_default_route(struct net_nl *nl, int index, const struct net_addr *gateway, bool onlink)
{
	struct rtmsg *m = net_nl_begin(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*m),
				       "set the default route");
	struct nlmsghdr *h = net_nl_msg(nl);

	if (!m)
		return;
	m->rtm_family = gateway->family;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	m->rtm_flags = onlink ? RTNH_F_ONLINK : 0;
	mnl_attr_put(h, RTA_GATEWAY, net_addr_len(gateway), gateway->bytes);
	mnl_attr_put_u32(h, RTA_OIF, (uint32_t)index);
}

void net_nl_host_route(struct net_nl *nl, int index, const struct net_addr *a, bool remove)
{
	struct rtmsg *m =
		remove ? net_nl_begin(nl, RTM_DELROUTE, 0, sizeof(*m), "remove the host route")
		       : net_nl_begin(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*m),
				      "set the host route");
	struct nlmsghdr *h = net_nl_msg(nl);

	if (!m)
		return;
	m->rtm_family = a->family;
	m->rtm_dst_len = (uint8_t)(8 * net_addr_len(a));
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = a->family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	mnl_attr_put(h, RTA_DST, net_addr_len(a), a->bytes);
	mnl_attr_put_u32(h, RTA_OIF, (uint32_t)index);
	if (remove)
		net_nl_forgive(nl, ESRCH);
}

void net_nl_proxy(struct net_nl *nl, int index, const struct net_addr *a, bool remove)
{
	struct ndmsg *m = remove ? net_nl_begin(nl, RTM_DELNEIGH, 0, sizeof(*m),
						"stop answering for the address")
				 : net_nl_begin(nl, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE,
						sizeof(*m), "answer for the address");

	if (!m)
		return;
	m->ndm_family = a->family;
	m->ndm_ifindex = index;
	m->ndm_state = NUD_PERMANENT;
	m->ndm_flags = NTF_PROXY;
	mnl_attr_put(net_nl_msg(nl), NDA_DST, net_addr_len(a), a->bytes);
	if (remove)
		net_nl_forgive(nl, ENOENT);
}
