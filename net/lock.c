// SPDX-License-Identifier: GPL-2.0-only
// No packet in or out of a container while it is being moved.
#include "net/lock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "net/iface.h"
#include "net/nft.h"

static int lock_table(const char *host_name, char name[64], struct err *e)
{
	if (!net_link_name_ok(host_name))
		return err_set(e, EINVAL, "'%.15s' cannot name a link", host_name);
	snprintf(name, 64, "skep_lock_%s", host_name);
	return 0;
}

int net_lock(const char *host_name, struct err *e)
{
	char table[64], text[512];
	int r = lock_table(host_name, table, e);

	if (r < 0)
		return r;
	snprintf(
		text, sizeof(text),
		"table netdev %s {\n"
		"chain in { type filter hook ingress device \"%s\" priority -510; policy drop; }\n"
		"chain out { type filter hook egress device \"%s\" priority -510; policy drop; }\n}\n",
		table, host_name, host_name);
	return net_nft_run(text, "stop the container's traffic", e);
}

int net_unlock(const char *host_name, struct err *e)
{
	char table[64];
	int r = lock_table(host_name, table, e);

	return r < 0 ? r : net_nft_drop_table("netdev", table, e);
}

#define PRIORITY (-510) /* before the guard: what is dropped here need not be judged */
#define ANSWER_S 5

/* One transaction of nf_tables, written by hand: libnftables keeps its socket, and so the ownership, to itself. */
struct batch {
	char buf[4096];
	size_t used;
	uint32_t seq;
};

static struct nlmsghdr *begin(struct batch *b, uint16_t type, uint16_t flags, uint8_t family,
			      uint16_t resource)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(b->buf + b->used);
	struct nfgenmsg *g;

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = ++b->seq;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(resource);
	return h;
}

static void end(struct batch *b, const struct nlmsghdr *h)
{
	b->used += MNL_ALIGN(h->nlmsg_len);
}

static void put_table(struct batch *b, const char *table)
{
	struct nlmsghdr *h = begin(b, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWTABLE,
				   NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, NFPROTO_NETDEV, 0);

	mnl_attr_put_strz(h, NFTA_TABLE_NAME, table);
	mnl_attr_put_u32(h, NFTA_TABLE_FLAGS, htonl(NFT_TABLE_F_OWNER));
	end(b, h);
}

static void put_chain(struct batch *b, const char *table, const char *link, bool out)
{
	struct nlmsghdr *h = begin(b, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWCHAIN,
				   NLM_F_CREATE | NLM_F_ACK, NFPROTO_NETDEV, 0);
	struct nlattr *hook;
	char name[32];

	snprintf(name, sizeof(name), "%s_%s", out ? "out" : "in", link);
	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, table);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, name);
	hook = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(h, NFTA_HOOK_HOOKNUM, htonl(out ? NF_NETDEV_EGRESS : NF_NETDEV_INGRESS));
	mnl_attr_put_u32(h, NFTA_HOOK_PRIORITY, htonl((uint32_t)PRIORITY));
	mnl_attr_put_strz(h, NFTA_HOOK_DEV, link);
	mnl_attr_nest_end(h, hook);
	mnl_attr_put_u32(h, NFTA_CHAIN_POLICY, htonl(NF_DROP));
	mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, "filter");
	end(b, h);
}

/* Every message between the batch's two ends is answered; the first refusal undoes them all. */
static int hear_acks(int fd, unsigned wanted, struct err *e)
{
	char buf[8192];

	while (wanted > 0) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);
		int left = (int)n;

		if (n <= 0)
			return err_sys(e, "stop the container's traffic: hear the kernel");
		for (const struct nlmsghdr *h = (const void *)buf; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *answer = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_type != NLMSG_ERROR)
				continue;
			if (answer->error) {
				errno = -answer->error;
				return err_sys(e, "stop the container's traffic");
			}
			wanted--;
		}
	}
	return 0;
}

int net_lock_hold(const char *const names[], size_t count, struct err *e)
{
	struct batch b = {.used = 0};
	struct timeval patience = {.tv_sec = ANSWER_S};
	auto_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	char table[64];
	int r;

	if (fd < 0)
		return err_sys(e, "stop the container's traffic: open nf_tables");
	if (count == 0)
		return take_fd(&fd);
	if (count > 16)
		return err_set(e, E2BIG, "too many links to stop at once");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	for (size_t i = 0; i < count; i++)
		if (!net_link_name_ok(names[i]))
			return err_set(e, EINVAL, "'%.15s' cannot name a link", names[i]);
	snprintf(table, sizeof(table), "skep_hold_%s", names[0]);
	end(&b, begin(&b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
	put_table(&b, table);
	for (size_t i = 0; i < count; i++) {
		put_chain(&b, table, names[i], false);
		put_chain(&b, table, names[i], true);
	}
	end(&b, begin(&b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
	if (send(fd, b.buf, b.used, 0) != (ssize_t)b.used) {
		err_sys(e, "stop the container's traffic");
		return err_class(e, ERR_NETWORK);
	}
	r = hear_acks(fd, (unsigned)(1 + 2 * count), e);
	return r < 0 ? err_class(e, ERR_NETWORK) : take_fd(&fd);
}
