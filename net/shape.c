// SPDX-License-Identifier: GPL-2.0-only
// Bandwidth of a container: token bucket towards it, policing from it, both at the host end of its veth.
#include "net/shape.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "net/iface.h"
#include "net/link.h"
#include "net/netlink.h"
#include "net/nft.h"

#define SHAPE_HANDLE	0x534b0000u /* "SK": so that we remove no queue but ours */
#define RATE_BITS_LEAST 8000u

/*
 * The bucket holds 10 ms of traffic, but at least one 64 KiB super-packet: veth carries whole TSO packets, and a smaller
 * bucket of the policer could never pass one.
 */
static uint32_t burst_bytes(uint64_t rate_bytes)
{
	uint64_t b = rate_bytes / 100;

	return b < 70000 ? 70000 : b > 16u << 20 ? 16u << 20 : (uint32_t)b;
}

/* tc-tbf(8): the rate in bytes a second, a queue of 50 ms behind the bucket. */
static int set_queue(struct net_nl *nl, int index, uint64_t rate, struct err *e)
{
	uint32_t burst = burst_bytes(rate);
	uint64_t limit = burst + rate / 20;
	struct tc_tbf_qopt q = {.rate = {.linklayer = TC_LINKLAYER_ETHERNET,
					 .rate = rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate},
				.limit = limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit};
	struct tcmsg *t = net_nl_begin(nl, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*t),
				       "limit the bandwidth to the container");
	struct nlmsghdr *h = net_nl_msg(nl);
	struct nlattr *options;

	if (!t)
		return err_set(e, ENOBUFS, "the batch is full");
	t->tcm_ifindex = index;
	t->tcm_handle = SHAPE_HANDLE;
	t->tcm_parent = TC_H_ROOT;
	mnl_attr_put_strz(h, TCA_KIND, "tbf");
	options = mnl_attr_nest_start(h, TCA_OPTIONS);
	mnl_attr_put(h, TCA_TBF_PARMS, sizeof(q), &q);
	mnl_attr_put_u32(h, TCA_TBF_BURST, burst);
	if (rate > UINT32_MAX)
		mnl_attr_put_u64(h, TCA_TBF_RATE64, rate);
	mnl_attr_nest_end(h, options);
	return net_nl_commit(nl, e);
}

/*
 * An nftables limit is a policer that needs no ifb device and is named after the link, so it is found again after a crash. Its bucket holds the rate's unit (a
 * second is the least) besides the burst (nft_limit_init() in the kernel): who was quiet may send a second's worth at once.
 */
static int set_policer(const char *host_name, uint64_t rate, struct err *e)
{
	char text[512], table[64];

	snprintf(table, sizeof(table), "skep_shape_%s", host_name);
	snprintf(text, sizeof(text),
		 "chain in { type filter hook ingress device \"%s\" priority -450; policy accept;\n"
		 "limit rate over %" PRIu64 " bytes/second burst %" PRIu32 " bytes drop\n}\n",
		 host_name, rate, burst_bytes(rate));
	return net_nft_set_table("netdev", table, text, "limit the bandwidth from the container",
				 e);
}

int net_shape_set(const char *host_name, uint64_t rate_bits, struct err *e)
{
	auto_nl struct net_nl nl = {0};
	struct net_link_info info;
	int r;

	if (!rate_bits)
		return net_shape_remove(host_name, e);
	if (rate_bits < RATE_BITS_LEAST || !net_link_name_ok(host_name)) {
		err_set(e, EINVAL, "rate of %s: at least %u bits a second", host_name,
			RATE_BITS_LEAST);
		return err_class(e, ERR_VALUE);
	}
	r = net_nl_open(&nl, -1, e);
	if (r < 0)
		return r;
	r = net_link_get(&nl, host_name, &info, e);
	if (r == -ENODEV)
		err_set(e, ENODEV, "limit the bandwidth of %s: no such link", host_name);
	if (r >= 0)
		r = set_queue(&nl, info.index, rate_bits / 8, e);
	return r < 0 ? r : set_policer(host_name, rate_bits / 8, e);
}

int net_shape_remove(const char *host_name, struct err *e)
{
	auto_nl struct net_nl nl = {0};
	struct net_link_info info;
	char table[64];
	struct tcmsg *t;
	int r;

	if (!net_link_name_ok(host_name))
		return err_set(e, EINVAL, "'%.15s' cannot name a link", host_name);
	snprintf(table, sizeof(table), "skep_shape_%s", host_name);
	r = net_nft_drop_table("netdev", table, e);
	if (r < 0)
		return r;
	r = net_nl_open(&nl, -1, e);
	if (r < 0)
		return r;
	r = net_link_get(&nl, host_name, &info, e);
	if (r < 0)
		return r == -ENODEV ? 0 : r;
	t = net_nl_begin(&nl, RTM_DELQDISC, 0, sizeof(*t), "lift the bandwidth limit");
	if (!t)
		return err_set(e, ENOBUFS, "the batch is full");
	t->tcm_ifindex = info.index;
	t->tcm_handle = SHAPE_HANDLE;
	t->tcm_parent = TC_H_ROOT;
	net_nl_forgive(&nl, EINVAL); /* sch_api.c, tc_get_qdisc(): another handle, so not ours */
	r = net_nl_commit(&nl, e);
	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	return r;
}
