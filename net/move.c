// SPDX-License-Identifier: GPL-2.0-only
// A link that exists goes into another network namespace, with its addresses.
#include "net/move.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/err.h"
#include "base/own.h"
#include "net/link.h"
#include "net/netlink.h"
#include "net/netns.h"

/* The attributes of an address that are its own. Its label is made of the link's name; its lifetime is for ever; its other flags are the kernel's. */
#define KEPT_FLAGS                                                                      \
	(IFA_F_NOPREFIXROUTE | IFA_F_MANAGETEMPADDR | IFA_F_NODAD | IFA_F_HOMEADDRESS | \
	 IFA_F_MCAUTOJOIN)
#define BATCH 16

struct address {
	uint8_t family, prefix;
	uint32_t flags, metric;
	uint8_t n_local, n_address, n_broadcast; /* bytes; 0: not there */
	uint8_t local[16], address[16], broadcast[16];
};

struct addresses {
	int index;
	bool no_memory;
	size_t n;
	struct address *list;
};

bool net_link_may_be(const char *name, bool template)
{
	size_t len = strlen(name);
	const char *percent = strchr(name, '%');

	if (!len || len >= IFNAMSIZ || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (const char *c = name; *c; c++)
		if (*c == '/' || *c == ':' || isspace((unsigned char)*c))
			return false;
	if (!percent)
		return true;
	return template && percent[1] == 'd' && !strchr(percent + 1, '%');
}

static uint8_t take(const struct nlattr *a, uint8_t to[16])
{
	size_t len = mnl_attr_get_payload_len(a);

	if (len != 4 && len != 16)
		return 0;
	memcpy(to, mnl_attr_get_payload(a), len);
	return (uint8_t)len;
}

static int take_address(const struct nlmsghdr *h, void *data)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	struct addresses *all = data;
	struct address *list,
		one = {.family = m->ifa_family, .prefix = m->ifa_prefixlen, .flags = m->ifa_flags};
	const struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWADDR || (int)m->ifa_index != all->index ||
	    m->ifa_scope != RT_SCOPE_UNIVERSE)
		return 0;
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		switch (mnl_attr_get_type(a)) {
		case IFA_LOCAL:
			one.n_local = take(a, one.local);
			break;
		case IFA_ADDRESS:
			one.n_address = take(a, one.address);
			break;
		case IFA_BROADCAST:
			one.n_broadcast = take(a, one.broadcast);
			break;
		case IFA_FLAGS:
			one.flags = mnl_attr_get_u32(a);
			break;
		case IFA_RT_PRIORITY:
			one.metric = mnl_attr_get_u32(a);
			break;
		}
	}
	if (!(one.flags & IFA_F_PERMANENT))
		return 0;
	list = realloc(all->list, (all->n + 1) * sizeof(*list));
	all->no_memory |= !list;
	if (!list)
		return 0;
	all->list = list;
	list[all->n++] = one;
	return 0;
}

static int list_addresses(struct net_nl *nl, struct addresses *all, struct err *e)
{
	int r;

	if (!net_nl_begin(nl, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg),
			  "list the addresses"))
		return err_set(e, ENOBUFS, "the batch is full");
	r = net_nl_query(nl, take_address, all, e);
	if (r >= 0 && nl->inconsistent)
		return err_set(e, EAGAIN, "list the addresses: they come and go all the time");
	return r >= 0 && all->no_memory ? err_set(e, ENOMEM, "out of memory for addresses") : r;
}

static void put_address(struct net_nl *nl, int index, const struct address *a)
{
	struct ifaddrmsg *m = net_nl_begin(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE,
					   sizeof(*m), "add its address");
	struct nlmsghdr *h = net_nl_msg(nl);

	if (!m)
		return;
	m->ifa_family = a->family;
	m->ifa_prefixlen = a->prefix;
	m->ifa_index = (unsigned)index;
	m->ifa_scope = RT_SCOPE_UNIVERSE;
	if (a->n_local)
		mnl_attr_put(h, IFA_LOCAL, a->n_local, a->local);
	if (a->n_address)
		mnl_attr_put(h, IFA_ADDRESS, a->n_address, a->address);
	if (a->n_broadcast)
		mnl_attr_put(h, IFA_BROADCAST, a->n_broadcast, a->broadcast);
	if (a->metric)
		mnl_attr_put_u32(h, IFA_RT_PRIORITY, a->metric);
	mnl_attr_put_u32(h, IFA_FLAGS, a->flags & KEPT_FLAGS);
}

/* Of another namespace, and called `name` there from then on. */
static int send_away(struct net_nl *nl, int index, int to, const char *name, struct err *e)
{
	struct ifinfomsg *m = net_nl_begin(nl, RTM_NEWLINK, 0, sizeof(*m), "move the link");

	if (!m)
		return err_set(e, ENOBUFS, "the batch is full");
	m->ifi_index = index;
	mnl_attr_put_u32(net_nl_msg(nl), IFLA_NET_NS_FD, (uint32_t)to);
	mnl_attr_put_strz(net_nl_msg(nl), IFLA_IFNAME, name);
	return net_nl_commit(nl, e);
}

static int set_link(struct net_nl *nl, int index, const char *name, bool up, struct err *e)
{
	struct ifinfomsg *m = net_nl_begin(nl, RTM_NEWLINK, 0, sizeof(*m),
					   name ? "name the link" : "set the link up");

	if (!m)
		return err_set(e, ENOBUFS, "the batch is full");
	m->ifi_index = index;
	m->ifi_flags = up ? IFF_UP : 0;
	m->ifi_change = up ? IFF_UP : 0;
	if (name)
		mnl_attr_put_strz(net_nl_msg(nl), IFLA_IFNAME, name);
	return net_nl_commit(nl, e);
}

/* Under a name that nobody has, on the way. */
static int passing_name(char name[IFNAMSIZ], struct err *e)
{
	uint32_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return err_sys(e, "get a random number");
	snprintf(name, IFNAMSIZ, "skmv%08x", random);
	return 0;
}

/* It has come to nl's namespace as `passing`. now: its name, in the end. */
static int land(struct net_nl *nl, const char *passing, const char *wanted, bool up,
		const struct addresses *all, char now[IFNAMSIZ], int *number, struct err *e)
{
	struct net_link_info info;
	int r = net_link_get(nl, passing, &info, e);
	int index = info.index;

	*number = index;
	if (r >= 0)
		r = set_link(nl, index, wanted, false, e);
	if (r >= 0)
		r = net_link_by_index(nl, index, &info, e);
	if (r == -ENODEV && !e->no)
		return err_set(e, ENODEV, "it has gone again");
	if (r >= 0)
		snprintf(now, IFNAMSIZ, "%s", info.name);
	for (size_t i = 0; r >= 0 && i < all->n; i++) {
		put_address(nl, index, &all->list[i]);
		if ((i + 1) % BATCH == 0 || i + 1 == all->n)
			r = net_nl_commit(nl, e);
	}
	return r >= 0 && up ? set_link(nl, index, NULL, true, e) : r;
}

/* Both ends of a way, and what comes along. */
struct way {
	struct net_nl here, there;
	int from, to; /* namespaces, as fds */
	struct addresses all;
	char passing[IFNAMSIZ];
	int index; /* of the link where it has come to, as soon as that is known; 0 */
};

static int open_way(struct way *w, int from, int to, struct err *e)
{
	w->from = from < 0 ? net_netns_open(0, e) : fcntl(from, F_DUPFD_CLOEXEC, 3);
	w->to = to < 0 ? net_netns_open(0, e) : fcntl(to, F_DUPFD_CLOEXEC, 3);
	if (w->from < 0 || w->to < 0)
		return e->no ? -e->no : err_sys(e, "copy a descriptor");
	if (net_nl_open(&w->here, from, e) < 0 || net_nl_open(&w->there, to, e) < 0)
		return -e->no;
	return passing_name(w->passing, e);
}

static void way_done(struct way *w)
{
	net_nl_close(&w->here);
	net_nl_close(&w->there);
	own_close_fd(&w->from);
	own_close_fd(&w->to);
	free(w->all.list);
	free(w);
}

/* From `there`. By its number, if we have learnt that: of what it is called we have been told by nobody when it was the answer to a new name that was lost. */
static int go_back(struct way *w, const char *name, bool was_up, struct err *e)
{
	struct net_link_info info;
	char now[IFNAMSIZ];
	int r = w->index ? net_link_by_index(&w->there, w->index, &info, e)
			 : net_link_get(&w->there, w->passing, &info, e);

	if (r >= 0)
		r = passing_name(w->passing, e);
	if (r >= 0)
		r = send_away(&w->there, info.index, w->from, w->passing, e);
	return r < 0 ? r : land(&w->here, w->passing, name, was_up, &w->all, now, &w->index, e);
}

/* Although we were told of a failure: the kernel's answer can get lost on its way to us, for want of memory (netlink(7)), when it has done what it was asked. */
static bool has_come(struct way *w)
{
	struct net_link_info info;
	struct err ignored = {0};

	return net_link_get(&w->there, w->passing, &info, &ignored) >= 0;
}

static int move(struct way *w, const char *name, const char *wanted, bool up, struct net_moved *out,
		struct err *e)
{
	struct net_link_info info;
	struct err ignored = {0};
	int r = net_link_get(&w->here, name, &info, e);

	if (r == -ENODEV && !e->no)
		return err_set(e, ENODEV, "there is no such link");
	w->all.index = info.index;
	if (r >= 0)
		r = list_addresses(&w->here, &w->all, e);
	if (r < 0)
		return r;
	out->was_up = info.flags & IFF_UP;
	/*
	 * The kernel moves first and names then: IFLA_IFNAME counts in the move only when the link's old name is taken there, and one that is taken itself is an EEXIST about a link that
	 * has gone (do_setlink(), net/core/rtnetlink.c). So it goes under a name that is certainly free.
	 */
	r = send_away(&w->here, info.index, w->to, w->passing, e);
	if (r < 0 && !has_come(w))
		return r;
	if (r >= 0)
		r = land(&w->there, w->passing, wanted, up, &w->all, out->name, &w->index, e);
	if (r < 0 && go_back(w, name, out->was_up, &ignored) < 0)
		err_hint(e, "and it could not be brought back: %s", ignored.text);
	return r;
}

int net_link_move(int from, const char *name, int to, const char *wanted, bool up,
		  struct net_moved *out, struct err *e)
{
	/* Two batches of netlink are too much for a stack. */
	struct way *w = calloc(1, sizeof(*w));
	int r;

	*out = (struct net_moved){0};
	snprintf(out->was, sizeof(out->was), "%s", name);
	if (!w)
		return err_set(e, ENOMEM, "out of memory for a network device");
	w->from = w->to = -EBADF;
	r = open_way(w, from, to, e);
	if (r >= 0)
		r = move(w, name, wanted, up, out, e);
	way_done(w);
	if (r >= 0)
		return 0;
	err_wrap(e, "move network device %s, to be called %s", name, wanted);
	return err_class(e, ERR_NETWORK);
}
