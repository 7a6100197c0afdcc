// SPDX-License-Identifier: GPL-2.0-only
// Counters of a container's interface, read at the host end but named from the container's side.
#include "net/stat.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/err.h"
#include "net/netlink.h"

static int read_stats(const struct nlmsghdr *h, void *data)
{
	struct rtnl_link_stats64 *s = data;
	const struct nlattr *a;

	mnl_attr_for_each(a, h, sizeof(struct ifinfomsg))
	{
		size_t len = mnl_attr_get_payload_len(a);

		if (mnl_attr_get_type(a) == IFLA_STATS64)
			memcpy(s, mnl_attr_get_payload(a), len < sizeof(*s) ? len : sizeof(*s));
	}
	return 0;
}

int net_stat_read(const char *host_name, struct net_stat *st, struct err *e)
{
	auto_nl struct net_nl nl = {0};
	struct rtnl_link_stats64 s = {0};
	int r = net_nl_open(&nl, -1, e);

	if (r < 0)
		return r;
	net_nl_begin(&nl, RTM_GETLINK, 0, sizeof(struct ifinfomsg), "read the link's counters");
	mnl_attr_put_strz(net_nl_msg(&nl), IFLA_IFNAME, host_name);
	r = net_nl_query(&nl, read_stats, &s, e);
	if (r < 0)
		return err_wrap(e, "%s", host_name);
	/* What the host end receives, the container has sent. */
	*st = (struct net_stat){.rx_bytes = s.tx_bytes,
				.rx_packets = s.tx_packets,
				.rx_dropped = s.tx_dropped,
				.tx_bytes = s.rx_bytes,
				.tx_packets = s.rx_packets,
				.tx_dropped = s.rx_dropped};
	return 0;
}
