// SPDX-License-Identifier: GPL-2.0-only
/* What plant can hold: sockets. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/plant.h"

#define PAGE 4096UL
#define RING (4 * PAGE)
int plant_socket(void)
{
	int family = 0, type = 0, proto = 0;

	if (sscanf(word, "%d,%d,%d", &family, &type, &proto) != 3) {
		errno = EINVAL;
		return -1;
	}
	return socket(family, type, proto) < 0 ? -1 : 0;
}

int plant_packet(void)
{
	struct tpacket_req req = {
		.tp_block_size = RING, .tp_block_nr = 1, .tp_frame_size = 2048, .tp_frame_nr = 8};
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	if (fd < 0)
		return -1;
	if (strcmp(word, "ring") != 0)
		return 0;
	if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) < 0)
		return -1;
	return mmap(NULL, RING, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0;
}

int plant_netlink(void)
{
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK};
	int fd, proto = 0, group = 0;

	sscanf(word, "%d,%d", &proto, &group);
	fd = socket(AF_NETLINK, SOCK_RAW, proto);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -1;
	return group ? setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group))
		     : 0;
}

/* An answer that nobody has read. */
int plant_netlink_data(void)
{
	struct {
		struct nlmsghdr h;
		char family;
	} req = {.h = {.nlmsg_len = sizeof(req), .nlmsg_type = 18, .nlmsg_flags = 0x301}};
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	return fd < 0 || send(fd, &req, sizeof(req), 0) < 0 ? -1 : 0;
}

int plant_cork(void)
{
	int one = 1, fd = socket(AF_INET, SOCK_DGRAM, 0);

	return fd < 0 ? -1 : setsockopt(fd, IPPROTO_UDP, 1 /* UDP_CORK */, &one, sizeof(one));
}

static int unix_name(struct sockaddr_un *a, const char *path)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	snprintf(a->sun_path, sizeof(a->sun_path), "%s", path);
	return sizeof(*a);
}

/* Connected to whoever listens at the path: a program of the host, when the test has one there. */
int plant_unix(void)
{
	struct sockaddr_un a;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	unix_name(&a, word);
	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&a, sizeof(a));
}

int plant_unix_dgram(void)
{
	struct sockaddr_un a;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	unix_name(&a, word);
	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&a, sizeof(a));
}

/* A connection that its listener has not accepted: "closed" by its client meanwhile, or with "data". */
int plant_unix_waiting(void)
{
	struct sockaddr_un a;
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);

	unix_name(&a, "/run/plant.socket");
	unlink(a.sun_path);
	if (l < 0 || c < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(l, 4) < 0 ||
	    connect(c, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -1;
	if (!strcmp(word, "data"))
		return write(c, "x", 1) == 1 ? 0 : -1;
	return !strcmp(word, "closed") ? close(c) : 0;
}

/* A descriptor on its way. */
int plant_scm(void)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec data = {.iov_base = (char[]){'x'}, .iov_len = 1};
	struct msghdr m = {.msg_iov = &data,
			   .msg_iovlen = 1,
			   .msg_control = control.space,
			   .msg_controllen = sizeof(control.space)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int pair[2], fd = open(word[0] ? word : "/etc/passwd", O_RDONLY);

	if (fd < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return -1;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(pair[0], &m, 0) < 0 ? -1 : close(fd);
}

int plant_tls(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(l, (struct sockaddr *)&a, len) < 0 || listen(l, 1) < 0 ||
	    getsockname(l, (struct sockaddr *)&a, &len) < 0 ||
	    connect(c, (struct sockaddr *)&a, len) < 0)
		return -1;
	return setsockopt(c, IPPROTO_TCP, TCP_ULP, "tls", 3);
}

/* From the global address that is the word to a neighbour's link-local one. */
int plant_link_local(void)
{
	struct sockaddr_in6 from = {.sin6_family = AF_INET6},
			    to = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	to.sin6_scope_id = if_nametoindex("eth0");
	if (inet_pton(AF_INET6, word, &from.sin6_addr) != 1 ||
	    inet_pton(AF_INET6, "fe80::1234", &to.sin6_addr) != 1)
		return -1;
	return fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0
		       ? -1
		       : connect(fd, (struct sockaddr *)&to, sizeof(to));
}

/* A socket of a network namespace in which no process is. */
int plant_socket_elsewhere(void)
{
	int back = open("/proc/self/ns/net", O_RDONLY);

	if (back < 0 || unshare(CLONE_NEWNET) < 0 || socket(AF_INET, SOCK_DGRAM, 0) < 0)
		return -1;
	return setns(back, 0) < 0 ? -1 : close(back);
}
