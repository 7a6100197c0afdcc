// SPDX-License-Identifier: GPL-2.0-only
// One request builder over libmnl: batched route netlink with acks, and the kernel's own words on a refusal.
#include "net/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/time.h>

#include "base/err.h"
#include "base/own.h"
#include "net/netns.h"

#define ACK_WAIT_S 5

int net_nl_open(struct net_nl *nl, int netns, struct err *e)
{
	struct timeval wait = {.tv_sec = ACK_WAIT_S};
	auto_fd int fd = net_netns_socket(netns, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, e);
	int one = 1;

	if (fd < 0)
		return fd;
	/* Without CAP_ACK the refusal would carry our whole message back before the kernel's text. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)))
		return err_sys(e, "limit the wait for the kernel's answer");
	nl->sock = mnl_socket_fdopen(fd);
	if (!nl->sock)
		return err_sys(e, "open a netlink socket");
	(void)take_fd(&fd);
	if (mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		int r = err_sys(e, "bind a netlink socket");

		net_nl_close(nl);
		return r;
	}
	nl->port = mnl_socket_get_portid(nl->sock);
	nl->first = 1;
	return 0;
}

void net_nl_close(struct net_nl *nl)
{
	int saved = errno;

	if (nl->sock)
		mnl_socket_close(nl->sock);
	nl->sock = NULL;
	errno = saved;
}

/* Ends the open message: it belongs to the batch from now on. */
static void finish(struct net_nl *nl)
{
	if (nl->open)
		nl->used += NLMSG_ALIGN(nl->open->nlmsg_len);
	nl->open = NULL;
}

void *net_nl_begin(struct net_nl *nl, uint16_t type, uint16_t flags, size_t extra, const char *what)
{
	struct nlmsghdr *h;

	finish(nl);
	/* 4 KiB is more than any message of ours takes: attributes are put without a check for room. */
	if (nl->count >= NET_NL_BATCH_MAX || nl->used + 4096 > sizeof(nl->buf)) {
		nl->count = NET_NL_BATCH_MAX + 1;
		return NULL;
	}
	h = mnl_nlmsg_put_header(nl->buf + nl->used);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	h->nlmsg_seq = ++nl->seq;
	nl->what[nl->count] = what;
	nl->forgive[nl->count] = 0;
	nl->count++;
	nl->open = h;
	return mnl_nlmsg_put_extra_header(h, extra);
}

struct nlmsghdr *net_nl_msg(struct net_nl *nl)
{
	return nl->open;
}

void net_nl_forgive(struct net_nl *nl, int no)
{
	if (nl->count && nl->count <= NET_NL_BATCH_MAX)
		nl->forgive[nl->count - 1] = no;
}

/* The kernel's text in an extended ack, or NULL. With NETLINK_CAP_ACK only the header of our message comes back. */
static const char *ack_text(const struct nlmsghdr *h)
{
	const struct nlmsgerr *ack = mnl_nlmsg_get_payload(h);
	size_t at = sizeof(*ack);
	const struct nlattr *a;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		at += NLMSG_ALIGN(ack->msg.nlmsg_len) - sizeof(ack->msg);
	mnl_attr_for_each(a, h, at) if (mnl_attr_get_type(a) ==
					NLMSGERR_ATTR_MSG) return mnl_attr_get_str(a);
	return NULL;
}

/* Fills e from a refusal of message number i. */
static int refusal(const struct net_nl *nl, unsigned i, const struct nlmsghdr *h, int no,
		   struct err *e)
{
	const char *text = ack_text(h);

	if (text && *text)
		err_set(e, no, "%s: %s (kernel: %s)", nl->what[i], strerror(no), text);
	else
		err_set(e, no, "%s: %s", nl->what[i], strerror(no));
	err_class(e, ERR_NETWORK);
	return -no;
}

/* Sends what was built and forgets it; answers are still to come. Returns the number of messages. */
static int send_batch(struct net_nl *nl, struct err *e)
{
	unsigned n = nl->count;
	size_t used;

	finish(nl);
	used = nl->used;
	nl->used = 0;
	nl->count = 0;
	nl->first = nl->seq - n + 1;
	if (n > NET_NL_BATCH_MAX)
		return err_set(e, ENOBUFS, "too many network changes at once");
	if (n && mnl_socket_sendto(nl->sock, nl->buf, used) < 0)
		return err_sys(e, "%s: talk to the kernel", nl->what[0]);
	return (int)n;
}

static ssize_t receive(struct net_nl *nl, char *buf, size_t len, struct err *e)
{
	for (;;) {
		ssize_t got = mnl_socket_recvfrom(nl->sock, buf, len);

		if (got >= 0)
			return got;
		if (errno == EAGAIN)
			return err_set(e, ETIMEDOUT, "the kernel did not answer within %d s",
				       ACK_WAIT_S);
		if (errno != EINTR)
			return err_sys(e, "read the kernel's answer");
	}
}

int net_nl_commit(struct net_nl *nl, struct err *e)
{
	_Alignas(8) char buf[8192];
	int n = send_batch(nl, e), left = n, result = 0;

	while (left > 0) {
		ssize_t got = receive(nl, buf, sizeof(buf), e);
		const struct nlmsghdr *h = (void *)buf;
		int len = (int)got;

		if (got < 0)
			return (int)got;
		for (; mnl_nlmsg_ok(h, len); h = mnl_nlmsg_next(h, &len)) {
			unsigned i = h->nlmsg_seq - nl->first;
			int no;

			if (h->nlmsg_type != NLMSG_ERROR || i >= (unsigned)n)
				continue;
			left--;
			no = -((struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error;
			if (no && no != nl->forgive[i] && !result)
				result = refusal(nl, i, h, no, e);
		}
	}
	return n < 0 ? n : result;
}

int net_nl_query(struct net_nl *nl, mnl_cb_t cb, void *data, struct err *e)
{
	/* Dumps come in pieces as large as our buffer allows; a link with 256 VFs needs more than a page. */
	_Alignas(8) char buf[32768];
	int n = send_batch(nl, e);
	bool dump = n > 0 &&
		    (((struct nlmsghdr *)(void *)nl->buf)->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;

	nl->inconsistent = false;
	while (n > 0) {
		ssize_t got = receive(nl, buf, sizeof(buf), e);
		const struct nlmsghdr *h = (void *)buf;
		int len = (int)got;

		if (got < 0)
			return (int)got;
		for (; mnl_nlmsg_ok(h, len); h = mnl_nlmsg_next(h, &len)) {
			if (h->nlmsg_seq != nl->first)
				continue;
			nl->inconsistent |= (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (h->nlmsg_type == NLMSG_ERROR) {
				int no = -((struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error;

				if (no && no == nl->forgive[0])
					return -no;
				if (no)
					return refusal(nl, 0, h, no, e);
				if (!dump)
					return 0;
				continue;
			}
			if (cb(h, data) < 0)
				return err_set(e, EPROTO, "%s: an answer we cannot read",
					       nl->what[0]);
		}
	}
	return n;
}
