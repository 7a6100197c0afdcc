// SPDX-License-Identifier: GPL-2.0-only
// Any link by name: index, flags, removal.
#include "net/link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "net/netlink.h"

/* How often links may come or go while they are listed. */
#define TRIES 64

static void read_kind(const struct nlattr *nest, struct net_link_info *info)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, nest)
	{
		if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
			snprintf(info->kind, sizeof(info->kind), "%s", mnl_attr_get_str(a));
	}
}

static int read_link(const struct nlmsghdr *h, void *data)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	struct net_link_info *info = data;
	const struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWLINK)
		return 0;
	memset(info, 0, sizeof(*info));
	info->index = m->ifi_index;
	info->flags = m->ifi_flags;
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		switch (mnl_attr_get_type(a)) {
		case IFLA_IFNAME:
			snprintf(info->name, sizeof(info->name), "%s", mnl_attr_get_str(a));
			break;
		case IFLA_MTU:
			info->mtu = mnl_attr_get_u32(a);
			break;
		case IFLA_MASTER:
			info->master = (int)mnl_attr_get_u32(a);
			break;
		case IFLA_ADDRESS:
			if (mnl_attr_get_payload_len(a) == 6)
				memcpy(info->mac, mnl_attr_get_payload(a), 6);
			break;
		case IFLA_IFALIAS:
			snprintf(info->alias, sizeof(info->alias), "%s", mnl_attr_get_str(a));
			break;
		case IFLA_LINKINFO:
			read_kind(a, info);
			break;
		}
	}
	return 0;
}

int net_link_get(struct net_nl *nl, const char *name, struct net_link_info *info, struct err *e)
{
	char what[64];

	memset(info, 0, sizeof(*info));
	snprintf(what, sizeof(what), "look up link %.15s", name);
	if (!net_nl_begin(nl, RTM_GETLINK, 0, sizeof(struct ifinfomsg), what))
		return err_set(e, ENOBUFS, "%s: the batch is full", what);
	mnl_attr_put_strz(net_nl_msg(nl), IFLA_IFNAME, name);
	net_nl_forgive(nl, ENODEV);
	return net_nl_query(nl, read_link, info, e);
}

int net_link_by_index(struct net_nl *nl, int index, struct net_link_info *info, struct err *e)
{
	struct ifinfomsg *m =
		net_nl_begin(nl, RTM_GETLINK, 0, sizeof(*m), "look up a link by its number");

	memset(info, 0, sizeof(*info));
	if (!m)
		return err_set(e, ENOBUFS, "look up a link: the batch is full");
	m->ifi_index = index;
	net_nl_forgive(nl, ENODEV);
	return net_nl_query(nl, read_link, info, e);
}

struct port_walk {
	int master;
	void (*fn)(const struct net_link_info *port, void *arg);
	void *arg;
};

static int take_port(const struct nlmsghdr *h, void *data)
{
	struct port_walk *w = data;
	struct net_link_info info = {0};

	read_link(h, &info);
	if (info.master == w->master)
		w->fn(&info, w->arg);
	return 0;
}

int net_link_each_port(struct net_nl *nl, int master,
		       void (*fn)(const struct net_link_info *port, void *arg), void *arg,
		       struct err *e)
{
	struct port_walk w = {.master = master, .fn = fn, .arg = arg};

	net_nl_begin(nl, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg), "list links");
	return net_nl_query(nl, take_port, &w, e);
}

static void count_port(const struct net_link_info *port, void *arg)
{
	(void)port;
	++*(int *)arg;
}

int net_link_count_ports(struct net_nl *nl, int master, struct err *e)
{
	/* A wrong "none" would have a bridge removed under somebody. */
	for (int i = 0; i < TRIES; i++) {
		int found = 0;
		int r = net_link_each_port(nl, master, count_port, &found, e);

		if (r < 0 || found || !nl->inconsistent)
			return r < 0 ? r : found;
	}
	return err_set(e, EAGAIN, "list links: they come and go all the time");
}

int net_link_destroy(struct net_nl *nl, const char *name, struct err *e)
{
	char what[64];

	snprintf(what, sizeof(what), "remove link %.15s", name);
	if (!net_nl_begin(nl, RTM_DELLINK, 0, sizeof(struct ifinfomsg), what))
		return err_set(e, ENOBUFS, "%s: the batch is full", what);
	mnl_attr_put_strz(net_nl_msg(nl), IFLA_IFNAME, name);
	net_nl_forgive(nl, ENODEV);
	return net_nl_commit(nl, e);
}
