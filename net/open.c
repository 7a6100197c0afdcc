// SPDX-License-Identifier: GPL-2.0-only
// The moment from which packets pass an adopted pair: nothing of the time before may hold them up.
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "net/link.h"
#include "net/netlink.h"
#include "net/netns.h"
#include "net/routed.h"
#include "net/veth.h"

/* Neighbours of one link that have not answered. */
struct unanswered {
	int index;
	int count;
	struct {
		uint8_t family, len, dst[16];
	} all[NET_NL_BATCH_MAX];
};

static int note_unanswered(const struct nlmsghdr *h, void *arg)
{
	const struct ndmsg *m = mnl_nlmsg_get_payload(h);
	struct unanswered *u = arg;
	const struct nlattr *a;

	if (m->ndm_ifindex != u->index || !(m->ndm_state & (NUD_INCOMPLETE | NUD_FAILED)))
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		uint16_t len = mnl_attr_get_payload_len(a);

		if (mnl_attr_get_type(a) != NDA_DST || len > 16 || u->count >= NET_NL_BATCH_MAX)
			continue;
		u->all[u->count].family = m->ndm_family;
		u->all[u->count].len = (uint8_t)len;
		memcpy(u->all[u->count++].dst, mnl_attr_get_payload(a), len);
	}
	return MNL_CB_OK;
}

static int forget_unanswered(const struct net_if *ifc, int netns, struct err *e)
{
	auto_nl struct net_nl nl = {0};
	struct unanswered u = {0};
	struct net_link_info link;
	int r = net_nl_open(&nl, netns, e);

	if (r >= 0)
		r = net_link_get(&nl, ifc->name, &link, e);
	if (r < 0)
		return r;
	u.index = link.index;
	if (!net_nl_begin(&nl, RTM_GETNEIGH, NLM_F_DUMP, sizeof(struct ndmsg), "list neighbours"))
		return err_set(e, ENOBUFS, "the batch is full");
	r = net_nl_query(&nl, note_unanswered, &u, e);
	for (int i = 0; r >= 0 && i < u.count; i++) {
		struct ndmsg *m =
			net_nl_begin(&nl, RTM_DELNEIGH, 0, sizeof(*m), "forget a neighbour");

		if (!m)
			break;
		m->ndm_family = u.all[i].family;
		m->ndm_ifindex = u.index;
		mnl_attr_put(net_nl_msg(&nl), NDA_DST, u.all[i].len, u.all[i].dst);
		net_nl_forgive(&nl, ENOENT);
	}
	return r >= 0 && u.count ? net_nl_commit(&nl, e) : r;
}

/*
 * An end sends nothing, and a bridge takes nothing from it, before a worker of the kernel has seen that there is a carrier now (linkwatch): what is sent until then is lost
 * without a word, and an ARP request that is lost costs a second. To ask for the link's state by ethtool does that work at once (linkwatch_sync_dev()).
 */
static int await_carrier(int netns, const char *name, struct err *e)
{
	auto_fd int s = net_netns_socket(netns, AF_INET, SOCK_DGRAM, 0, e);
	struct ethtool_value link = {.cmd = ETHTOOL_GLINK};
	struct ifreq r = {.ifr_data = (char *)&link};

	if (s < 0)
		return s;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	return ioctl(s, SIOCETHTOOL, &r) < 0 ? err_sys(e, "ask for the carrier of %s", name) : 0;
}

int net_if_open(const struct net_if *ifc, int netns, struct err *e)
{
	auto_nl struct net_nl nl = {0};
	struct ifinfomsg *m;
	struct err vain = {0};
	int r = net_nl_open(&nl, -1, e);

	if (r < 0)
		return r;
	m = net_nl_begin(&nl, RTM_NEWLINK, 0, sizeof(*m), "set the host's end up");
	if (!m)
		return err_set(e, ENOBUFS, "the batch is full");
	m->ifi_flags = IFF_UP;
	m->ifi_change = IFF_UP;
	mnl_attr_put_strz(net_nl_msg(&nl), IFLA_IFNAME, ifc->host_name);
	r = net_nl_commit(&nl, e);
	if (r < 0)
		return r;
	if (await_carrier(-1, ifc->host_name, &vain) < 0 ||
	    await_carrier(netns, ifc->name, &vain) < 0 || forget_unanswered(ifc, netns, &vain) < 0)
		log_info("%s: %s", ifc->host_name, vain.text);
	return ifc->mode == NET_MODE_ROUTED ? net_routed_add(ifc, e) : 0;
}
