// SPDX-License-Identifier: GPL-2.0-only
/* The calls of libmnl that we make, for programs that are linked statically: distributions ship libmnl only as a shared library. */
/*
 * Not part of libskep: the Makefile adds it to a static program where there is no libmnl.a. Same contract as <libmnl/libmnl.h>. Messages are those that net/netlink.c
 * has room for; what comes in is the kernel's, and bounded by mnl_nlmsg_ok() and mnl_attr_ok().
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct mnl_socket {
	int fd;
	struct sockaddr_nl addr;
};

struct mnl_socket *mnl_socket_fdopen(int fd)
{
	struct sockaddr_nl addr = {0};
	socklen_t len = sizeof(addr);
	struct mnl_socket *s;

	if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->fd = fd;
	if (addr.nl_family == AF_NETLINK)
		s->addr = addr;
	return s;
}

int mnl_socket_bind(struct mnl_socket *s, unsigned int groups, pid_t pid)
{
	socklen_t len = sizeof(s->addr);

	s->addr = (struct sockaddr_nl){
		.nl_family = AF_NETLINK, .nl_groups = groups, .nl_pid = (uint32_t)pid};
	if (bind(s->fd, (struct sockaddr *)&s->addr, len) < 0 ||
	    getsockname(s->fd, (struct sockaddr *)&s->addr, &len) < 0)
		return -1;
	if (s->addr.nl_family == AF_NETLINK)
		return 0;
	errno = EINVAL;
	return -1;
}

unsigned int mnl_socket_get_portid(const struct mnl_socket *s)
{
	return s->addr.nl_pid;
}

int mnl_socket_close(struct mnl_socket *s)
{
	int r = close(s->fd);

	free(s);
	return r;
}

ssize_t mnl_socket_sendto(const struct mnl_socket *s, const void *data, size_t len)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	return sendto(s->fd, data, len, 0, (const struct sockaddr *)&kernel, sizeof(kernel));
}

/* What did not come from the kernel, or does not fit, is refused. */
ssize_t mnl_socket_recvfrom(const struct mnl_socket *s, void *data, size_t size)
{
	struct sockaddr_nl from = {0};
	struct iovec iov = {.iov_base = data, .iov_len = size};
	struct msghdr mh = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n = recvmsg(s->fd, &mh, 0);

	if (n < 0)
		return -1;
	if (mh.msg_flags & MSG_TRUNC) {
		errno = ENOSPC;
		return -1;
	}
	if (mh.msg_namelen == sizeof(from) && from.nl_pid == 0)
		return n;
	errno = EINVAL;
	return -1;
}

struct nlmsghdr *mnl_nlmsg_put_header(void *buf)
{
	struct nlmsghdr *h = buf;

	*h = (struct nlmsghdr){.nlmsg_len = MNL_NLMSG_HDRLEN};
	return h;
}

void *mnl_nlmsg_put_extra_header(struct nlmsghdr *h, size_t size)
{
	char *at = (char *)h + h->nlmsg_len;
	size_t room = MNL_ALIGN(size);

	h->nlmsg_len += (uint32_t)room;
	return memset(at, 0, room);
}

void *mnl_nlmsg_get_payload(const struct nlmsghdr *h)
{
	return (char *)h + MNL_NLMSG_HDRLEN;
}

void *mnl_nlmsg_get_payload_offset(const struct nlmsghdr *h, size_t offset)
{
	return (char *)h + MNL_NLMSG_HDRLEN + MNL_ALIGN(offset);
}

void *mnl_nlmsg_get_payload_tail(const struct nlmsghdr *h)
{
	return (char *)h + MNL_ALIGN(h->nlmsg_len);
}

bool mnl_nlmsg_ok(const struct nlmsghdr *h, int len)
{
	return len >= (int)sizeof(*h) && h->nlmsg_len >= sizeof(*h) && (int)h->nlmsg_len <= len;
}

struct nlmsghdr *mnl_nlmsg_next(const struct nlmsghdr *h, int *len)
{
	*len -= (int)MNL_ALIGN(h->nlmsg_len);
	return (struct nlmsghdr *)(void *)((char *)h + MNL_ALIGN(h->nlmsg_len));
}

uint16_t mnl_attr_get_type(const struct nlattr *a)
{
	return a->nla_type & NLA_TYPE_MASK;
}

uint16_t mnl_attr_get_payload_len(const struct nlattr *a)
{
	return (uint16_t)(a->nla_len - MNL_ATTR_HDRLEN);
}

void *mnl_attr_get_payload(const struct nlattr *a)
{
	return (char *)a + MNL_ATTR_HDRLEN;
}

const char *mnl_attr_get_str(const struct nlattr *a)
{
	return mnl_attr_get_payload(a);
}

uint32_t mnl_attr_get_u32(const struct nlattr *a)
{
	uint32_t v;

	memcpy(&v, mnl_attr_get_payload(a), sizeof(v));
	return v;
}

bool mnl_attr_ok(const struct nlattr *a, int len)
{
	return len >= (int)sizeof(*a) && a->nla_len >= sizeof(*a) && (int)a->nla_len <= len;
}

struct nlattr *mnl_attr_next(const struct nlattr *a)
{
	return (struct nlattr *)(void *)((char *)a + MNL_ALIGN(a->nla_len));
}

void mnl_attr_put(struct nlmsghdr *h, uint16_t type, size_t len, const void *data)
{
	struct nlattr *a = mnl_nlmsg_get_payload_tail(h);
	size_t padded = MNL_ALIGN(len);

	a->nla_type = type;
	a->nla_len = (uint16_t)(MNL_ATTR_HDRLEN + len);
	if (len)
		memcpy(mnl_attr_get_payload(a), data, len);
	memset((char *)mnl_attr_get_payload(a) + len, 0, padded - len);
	h->nlmsg_len += (uint32_t)(MNL_ATTR_HDRLEN + padded);
}

void mnl_attr_put_u8(struct nlmsghdr *h, uint16_t type, uint8_t v)
{
	mnl_attr_put(h, type, sizeof(v), &v);
}

void mnl_attr_put_u32(struct nlmsghdr *h, uint16_t type, uint32_t v)
{
	mnl_attr_put(h, type, sizeof(v), &v);
}

void mnl_attr_put_u64(struct nlmsghdr *h, uint16_t type, uint64_t v)
{
	mnl_attr_put(h, type, sizeof(v), &v);
}

void mnl_attr_put_strz(struct nlmsghdr *h, uint16_t type, const char *text)
{
	mnl_attr_put(h, type, strlen(text) + 1, text);
}

struct nlattr *mnl_attr_nest_start(struct nlmsghdr *h, uint16_t type)
{
	struct nlattr *a = mnl_nlmsg_get_payload_tail(h);

	/* The flag is inside the type field, as libmnl sets it; the length comes with the end. */
	a->nla_type = NLA_F_NESTED | type;
	h->nlmsg_len += MNL_ATTR_HDRLEN;
	return a;
}

void mnl_attr_nest_end(struct nlmsghdr *h, struct nlattr *start)
{
	start->nla_len = (uint16_t)((char *)mnl_nlmsg_get_payload_tail(h) - (char *)(void *)start);
}
