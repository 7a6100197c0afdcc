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

/* Behind net_lock_prepare()'s chains, which may still keep what this would drop. */
int net_lock(const char *host_name, struct err *e)
{
	char table[64], text[512];
	int r = lock_table(host_name, table, e);

	if (r < 0)
		return r;
	snprintf(
		text, sizeof(text),
		"table netdev %s {\n"
		"chain in { type filter hook ingress device \"%s\" priority -505; policy drop; }\n"
		"chain out { type filter hook egress device \"%s\" priority -505; policy drop; }\n}\n",
		table, host_name, host_name);
	return net_nft_run(text, "stop the container's traffic", e);
}

int net_unlock(const char *host_name, struct err *e)
{
	char table[64];
	int r = lock_table(host_name, table, e);

	return r < 0 ? r : net_nft_drop_table("netdev", table, e);
}

#define PRIORITY  (-510) /* before the guard: what is dropped here need not be judged */
#define ANSWER_S  5
#define LINKS_MAX 16

/* One transaction of nf_tables, written by hand: libnftables keeps its socket, and so the ownership, to itself. */
struct batch {
	char buf[8192];
	size_t used;
	unsigned wanted; /* acks */
};

static struct nlmsghdr *begin(struct batch *b, uint16_t type, uint16_t flags, uint8_t family,
			      uint16_t resource)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(b->buf + b->used);
	struct nfgenmsg *g;

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(resource);
	return h;
}

static void end(struct batch *b, const struct nlmsghdr *h)
{
	b->used += MNL_ALIGN(h->nlmsg_len);
	b->wanted += !!(h->nlmsg_flags & NLM_F_ACK);
}

static struct nlmsghdr *begin_nft(struct batch *b, uint16_t type, uint16_t flags)
{
	return begin(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), (uint16_t)(flags | NLM_F_ACK),
		     NFPROTO_NETDEV, 0);
}

static void put_table(struct batch *b, const char *table)
{
	struct nlmsghdr *h = begin_nft(b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);

	mnl_attr_put_strz(h, NFTA_TABLE_NAME, table);
	mnl_attr_put_u32(h, NFTA_TABLE_FLAGS, htonl(NFT_TABLE_F_OWNER));
	end(b, h);
}

/* out: of the host, to the container. */
static void chain_name(char name[32], const char *link, bool out)
{
	snprintf(name, 32, "%s_%s", out ? "out" : "in", link);
}

static void put_chain(struct batch *b, const char *table, const char *link, bool out)
{
	struct nlmsghdr *h = begin_nft(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	struct nlattr *hook;
	char name[32];

	chain_name(name, link, out);
	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, table);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, name);
	hook = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(h, NFTA_HOOK_HOOKNUM, htonl(out ? NF_NETDEV_EGRESS : NF_NETDEV_INGRESS));
	mnl_attr_put_u32(h, NFTA_HOOK_PRIORITY, htonl((uint32_t)PRIORITY));
	mnl_attr_put_strz(h, NFTA_HOOK_DEV, link);
	mnl_attr_nest_end(h, hook);
	mnl_attr_put_u32(h, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
	mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, "filter");
	end(b, h);
}

static void put_policy_drop(struct batch *b, const char *table, const char *link, bool out)
{
	struct nlmsghdr *h = begin_nft(b, NFT_MSG_NEWCHAIN, 0);
	char name[32];

	chain_name(name, link, out);
	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, table);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, name);
	mnl_attr_put_u32(h, NFTA_CHAIN_POLICY, htonl(NF_DROP));
	end(b, h);
}

static struct nlattr *begin_expression(struct nlmsghdr *h, const char *name, struct nlattr **data)
{
	struct nlattr *e = mnl_attr_nest_start(h, NFTA_LIST_ELEM);

	mnl_attr_put_strz(h, NFTA_EXPR_NAME, name);
	*data = mnl_attr_nest_start(h, NFTA_EXPR_DATA);
	return e;
}

static void end_expression(struct nlmsghdr *h, struct nlattr *e, struct nlattr *data)
{
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, e);
}

/* "fwd to LINK": its number into a register, and the frame to the link of that number. A link that is gone is as good as drop (nf_fwd_netdev_egress()). */
static void put_forward(struct batch *b, const char *table, const char *link, uint32_t to)
{
	struct nlmsghdr *h = begin_nft(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	struct nlattr *list, *e, *data, *value;
	char name[32];

	chain_name(name, link, true);
	mnl_attr_put_strz(h, NFTA_RULE_TABLE, table);
	mnl_attr_put_strz(h, NFTA_RULE_CHAIN, name);
	list = mnl_attr_nest_start(h, NFTA_RULE_EXPRESSIONS);
	e = begin_expression(h, "immediate", &data);
	mnl_attr_put_u32(h, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_1));
	value = mnl_attr_nest_start(h, NFTA_IMMEDIATE_DATA);
	mnl_attr_put_u32(h, NFTA_DATA_VALUE, to); /* the host's byte order: nft_fwd_netdev_eval() */
	mnl_attr_nest_end(h, value);
	end_expression(h, e, data);
	e = begin_expression(h, "fwd", &data);
	mnl_attr_put_u32(h, NFTA_FWD_SREG_DEV, htonl(NFT_REG_1));
	end_expression(h, e, data);
	mnl_attr_nest_end(h, list);
	end(b, h);
}

/* Every message between the batch's two ends is answered; the first refusal undoes them all. */
static int hear_acks(int fd, unsigned wanted, struct err *e)
{
	char buf[8192];
	int refused = 0;

	/* Also those behind a refusal: the socket is used again. Only the batch's own end may be missing then, and is not asked for. */
	while (wanted > 0) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);
		int left = (int)n;

		if (n <= 0)
			return err_sys(e, "stop the container's traffic: hear the kernel");
		for (const struct nlmsghdr *h = (const void *)buf; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *answer = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_type != NLMSG_ERROR || wanted == 0)
				continue;
			if (answer->error && !refused)
				refused = -answer->error;
			wanted--;
		}
	}
	if (!refused)
		return 0;
	errno = refused;
	return err_sys(e, "stop the container's traffic");
}

static void batch_begin(struct batch *b)
{
	b->used = b->wanted = 0;
	end(b, begin(b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

static int commit(int fd, struct batch *b, struct err *e)
{
	int r;

	end(b, begin(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
	r = send(fd, b->buf, b->used, 0) == (ssize_t)b->used
		    ? hear_acks(fd, b->wanted, e)
		    : err_sys(e, "stop the container's traffic");
	return r < 0 ? err_class(e, ERR_NETWORK) : 0;
}

static int check_names(const char *const names[], size_t count, char table[64], struct err *e)
{
	if (count > LINKS_MAX)
		return err_set(e, E2BIG, "too many links to stop at once");
	for (size_t i = 0; i < count; i++)
		if (!net_link_name_ok(names[i]))
			return err_set(e, EINVAL, "'%.15s' cannot name a link", names[i]);
	if (count > 0)
		snprintf(table, 64, "skep_hold_%s", names[0]);
	return 0;
}

/* The chains are there before they do anything: the first one at a hook has the kernel patch its own code, for which a frozen container need not wait. */
int net_lock_prepare(const char *const names[], size_t count, struct err *e)
{
	struct batch b;
	struct timeval patience = {.tv_sec = ANSWER_S};
	auto_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	char table[64];
	int r;

	if (fd < 0)
		return err_sys(e, "stop the container's traffic: open nf_tables");
	r = check_names(names, count, table, e);
	if (r < 0)
		return r;
	if (count == 0)
		return take_fd(&fd);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	batch_begin(&b);
	put_table(&b, table);
	for (size_t i = 0; i < count; i++) {
		put_chain(&b, table, names[i], false);
		put_chain(&b, table, names[i], true);
	}
	r = commit(fd, &b, e);
	return r < 0 ? r : take_fd(&fd);
}

static int engage(int lock, const char *const names[], size_t count, enum net_lock_way way,
		  unsigned hold, struct err *e)
{
	bool out = way == NET_LOCK_TO;
	struct batch b;
	char table[64];
	int r = check_names(names, count, table, e);

	if (r < 0 || count == 0)
		return r;
	batch_begin(&b);
	for (size_t i = 0; i < count; i++) {
		put_policy_drop(&b, table, names[i], out);
		if (out && hold)
			put_forward(&b, table, names[i], hold);
	}
	return commit(lock, &b, e);
}

int net_lock_engage(int lock, const char *const names[], size_t count, enum net_lock_way way,
		    unsigned hold, struct err *e)
{
	struct err why = {0};
	int r = engage(lock, names, count, way, hold, &why);

	/* ENOENT: no such expression in this kernel; EOPNOTSUPP: not at this hook. */
	if (r == -ENOENT || r == -EOPNOTSUPP) {
		if (way == NET_LOCK_TO && hold)
			return engage(lock, names, count, way, 0, e) < 0 ? -e->no : 1;
	}
	if (r < 0)
		*e = why;
	return r;
}

int net_lock_hold(const char *const names[], size_t count, struct err *e)
{
	auto_fd int fd = net_lock_prepare(names, count, e);
	int r = fd;

	if (r >= 0)
		r = net_lock_engage(fd, names, count, NET_LOCK_TO, 0, e);
	if (r >= 0)
		r = net_lock_engage(fd, names, count, NET_LOCK_FROM, 0, e);
	return r < 0 ? r : take_fd(&fd);
}
