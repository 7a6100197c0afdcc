// SPDX-License-Identifier: GPL-2.0-only
/* The network links in a container's network namespaces that criu cannot make again. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "checkpoint/preflight_look.h"
#include "net/netlink.h"

struct links {
	struct cr_look *l;
	const struct cr_look_process *owner;
};

/* What criu's net.c knows: by type, kind and, of those that the kernel makes by itself, name. Its macvlan wants a parent outside, which nobody gives it. */
static bool is_known(unsigned type, const char *kind, const char *name)
{
	switch (type) {
	case ARPHRD_LOOPBACK:
		return true;
	case ARPHRD_ETHER:
		return !strcmp(kind, "veth") || !strcmp(kind, "tun") || !strcmp(kind, "bridge") ||
		       (!strcmp(kind, "gretap") && !strcmp(name, "gretap0"));
	case ARPHRD_NONE:
		return !strcmp(kind, "tun");
	case ARPHRD_VOID:
		return !strcmp(kind, "venet");
	case ARPHRD_IPGRE:
		return !strcmp(kind, "gre") && !strcmp(name, "gre0");
	case ARPHRD_SIT:
		return !strcmp(kind, "sit");
	default:
		return false;
	}
}

static int take(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	const struct links *links = arg;
	const char *name = "", *kind = "";
	const struct nlattr *a, *nested;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		if (mnl_attr_get_type(a) == IFLA_IFNAME)
			name = mnl_attr_get_str(a);
		if (mnl_attr_get_type(a) != IFLA_LINKINFO)
			continue;
		mnl_attr_for_each_nested(nested, a) if (mnl_attr_get_type(nested) == IFLA_INFO_KIND)
			kind = mnl_attr_get_str(nested);
	}
	if (!is_known(m->ifi_type, kind, name))
		cr_look_add(links->l, links->owner, "link", false, "remove it: ip link delete",
			    "has a network link %.16s of a kind that cannot be taken along (%.20s)",
			    name, kind[0] ? kind : "a device of the host");
	return MNL_CB_OK;
}

/* A namespace whose last process has just ended has nothing. */
static void look_at_namespace(struct cr_look *l, const struct cr_look_process *p)
{
	struct links links = {.l = l, .owner = p->pid == l->ct->s.pid ? NULL : p};
	auto_fd int net = openat(p->proc, "ns/net", O_RDONLY | O_CLOEXEC);
	auto_nl struct net_nl nl = {0};
	struct err ignored = {0};

	if (net < 0 || net_nl_open(&nl, net, &ignored) < 0 ||
	    !net_nl_begin(&nl, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg), "list the links"))
		return;
	(void)net_nl_query(&nl, take, &links, &ignored);
}

void cr_look_links(struct cr_look *l)
{
	const struct cr_look_process *init = cr_look_init(l);

	struct stat ours;

	/* The host's own (--network host) stays where it is. */
	if (stat("/proc/self/ns/net", &ours) < 0 || ours.st_ino != init->ns[CR_LOOK_NS_NET])
		look_at_namespace(l, init);
	for (size_t i = 0; i < l->process_count; i++) {
		const struct cr_look_process *p = &l->processes[i];
		bool have = !p->ns[CR_LOOK_NS_NET] ||
			    p->ns[CR_LOOK_NS_NET] == init->ns[CR_LOOK_NS_NET];

		for (size_t k = 0; !have && k < i; k++)
			have = l->processes[k].ns[CR_LOOK_NS_NET] == p->ns[CR_LOOK_NS_NET];
		if (!have)
			look_at_namespace(l, p);
	}
}
