// SPDX-License-Identifier: GPL-2.0-only
/* The sockets of a container's processes: kinds that criu does not know, and those whose other end is outside. */

/*
 * What a socket is, only the socket tells: each is borrowed by pidfd_getfd(2) for some calls of getsockopt(2), which change nothing.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "checkpoint/preflight_look.h"
#include "checkpoint/preflight_sockets.h"

#ifndef SIOCGSKNS
#define SIOCGSKNS 0x894C /* not in glibc 2.36's headers */
#endif
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#define GROUPS_MOST 32 /* of netlink, that criu can join again */

#define CANNOT "which cannot be taken along"

struct cr_look_sockets *cr_look_sockets_new(void)
{
	return calloc(1, sizeof(struct cr_look_sockets));
}

void cr_look_sockets_free(struct cr_look_sockets *s)
{
	if (s)
		free(s->list);
	free(s);
}

static void note(struct cr_look_sockets *s, const struct cr_look_process *p, int fd, uint64_t inode,
		 int family)
{
	if (s->count == s->room) {
		size_t room = s->room ? s->room * 2 : 128;
		struct cr_look_held *more = realloc(s->list, room * sizeof(*more));

		if (!more)
			return;
		s->list = more;
		s->room = room;
	}
	s->list[s->count++] =
		(struct cr_look_held){.inode = inode, .owner = p, .fd = fd, .family = family};
}

static int option(int sock, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(sock, level, name, &value, &size) < 0 ? -1 : value;
}

static const char *family_to_str(int family)
{
	static const struct {
		int family;
		const char *name;
	} names[] = {{40, "VM (vsock)"},   {31, "Bluetooth"}, {38, "kernel cryptography (AF_ALG)"},
		     {44, "XDP"},	   {21, "RDS"},	      {30, "TIPC"},
		     {29, "CAN"},	   {43, "SMC"},	      {15, "key management (AF_KEY)"},
		     {33, "RxRPC"},	   {41, "KCM"},	      {24, "PPP over something"},
		     {42, "Qualcomm IPC"}, {39, "NFC"},	      {36, "IEEE 802.15.4"},
		     {26, "LLC"},	   {37, "CAIF"},      {35, "Phonet"}};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].family == family)
			return names[i].name;
	return NULL;
}

static void look_at_inet(struct cr_look *l, const struct cr_look_process *p, int sock, int fd)
{
	int type = option(sock, SOL_SOCKET, SO_TYPE), proto = option(sock, SOL_SOCKET, SO_PROTOCOL);

	if (type == SOCK_RAW)
		return;
	if (proto == IPPROTO_MPTCP) {
		cr_look_add(l, p, "socket", false,
			    "switch Multipath TCP off in it (Go: GODEBUG=multipathtcp=0)",
			    "has a Multipath TCP socket (descriptor %d), " CANNOT, fd);
		return;
	}
	if ((type != SOCK_STREAM && type != SOCK_DGRAM) ||
	    (proto != IPPROTO_IP && proto != IPPROTO_TCP && proto != IPPROTO_UDP &&
	     proto != IPPROTO_UDPLITE && proto != IPPROTO_ICMP && proto != IPPROTO_ICMPV6)) {
		cr_look_add(l, p, "socket", false, "stop it first",
			    "has a socket of the protocol %s%s%d (descriptor %d), " CANNOT,
			    proto == IPPROTO_SCTP ? "SCTP, " : "", "number ", proto, fd);
		return;
	}
	if (type == SOCK_DGRAM && (proto == IPPROTO_UDP || proto == IPPROTO_UDPLITE) &&
	    option(sock, IPPROTO_UDP, UDP_CORK) > 0)
		cr_look_add(
			l, p, "corked", true, "let it send, or restart it",
			"holds back a UDP packet that it is writing (UDP_CORK, descriptor %d), " CANNOT,
			fd);
}

static void look_at_netlink(struct cr_look *l, const struct cr_look_process *p, int sock, int fd)
{
	uint32_t groups[64] = {0}, any = 0, high = 0;
	socklen_t size = sizeof(groups);
	struct sockaddr_nl addr = {0};
	socklen_t addr_size = sizeof(addr);
	struct pollfd has = {.fd = sock, .events = POLLIN};

	if (poll(&has, 1, 0) > 0 && has.revents & POLLIN)
		cr_look_add(
			l, p, "netlink-data", true, "restart that program",
			"has not read what the kernel told it (netlink, descriptor %d), " CANNOT,
			fd);
	if (getsockopt(sock, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &size) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(groups) && i < size / sizeof(groups[0]); i++) {
		any |= groups[i];
		high |= i >= GROUPS_MOST / 32 ? groups[i] : 0;
	}
	if (high)
		cr_look_add(l, p, "netlink-groups", false, "stop it first",
			    "listens to a netlink group above %d (descriptor %d), " CANNOT,
			    GROUPS_MOST, fd);
	else if (any && getsockname(sock, (struct sockaddr *)&addr, &addr_size) == 0 &&
		 !addr.nl_pid)
		cr_look_add(l, p, "netlink-groups", false, "stop it first",
			    "listens to a netlink group without a port (descriptor %d), " CANNOT,
			    fd);
}

/* Of a network namespace in which no process of the container is. */
static bool is_elsewhere(const struct cr_look *l, int sock)
{
	auto_fd int net = ioctl(sock, SIOCGSKNS);
	struct stat st;

	return net >= 0 && fstat(net, &st) == 0 && !cr_look_has_ns(l, st.st_ino);
}

void cr_look_socket(struct cr_look *l, struct cr_look_sockets *s, const struct cr_look_process *p,
		    int pidfd, int fd, uint64_t inode)
{
	auto_fd int sock = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	int family = sock < 0 ? -1 : option(sock, SOL_SOCKET, SO_DOMAIN);
	const char *name;

	if (family < 0)
		return;
	if (s)
		note(s, p, fd, inode, family);
	if (is_elsewhere(l, sock)) {
		cr_look_add(
			l, p, "socket-elsewhere", false, "restart that program",
			"has a socket of a network namespace in which no process of the container "
			"is (descriptor %d)",
			fd);
		return;
	}
	switch (family) {
	case AF_INET:
	case AF_INET6:
		look_at_inet(l, p, sock, fd);
		break;
	case AF_NETLINK:
		look_at_netlink(l, p, sock, fd);
		break;
	case AF_UNIX:
	case AF_PACKET:
		break;
	default:
		name = family_to_str(family);
		if (name)
			cr_look_add(l, p, "socket", false, "stop it first",
				    "has a %s socket (descriptor %d), " CANNOT, name, fd);
		else
			cr_look_add(l, p, "socket", false, "stop it first",
				    "has a socket of the family number %d (descriptor %d), " CANNOT,
				    family, fd);
	}
}

static const struct cr_look_held *held(const struct cr_look_sockets *s, uint64_t inode)
{
	size_t from = 0, to = s->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (s->list[middle].inode == inode)
			return &s->list[middle];
		if (s->list[middle].inode < inode)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}

const struct cr_look_held *cr_look_held(const struct cr_look_sockets *s, uint64_t inode)
{
	return held(s, inode);
}

static int by_inode(const void *a, const void *b)
{
	const struct cr_look_held *x = a, *y = b;

	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

/* An address in /proc/net/tcp6 is four words in the host's byte order; this is about the first two bytes, fe80::/10. */
static bool is_link_local(const char *hex)
{
	unsigned word = 0;
	unsigned char byte[4];

	if (sscanf(hex, "%8x", &word) != 1)
		return false;
	memcpy(byte, &word, sizeof(byte));
	return byte[0] == 0xfe && (byte[1] & 0xc0) == 0x80;
}

/*
 * From a global address to a neighbour's link-local one: criu forgets the interface, and the restore would fail ("Can't connect inet socket back"). Between
 * two link-local ones the socket is bound to the interface, and all is well. state 0A listens, 06 only waits.
 */
static void look_at_half_local(struct cr_look *l, const struct cr_look_sockets *s, const char *file)
{
	auto_free char *text = cr_look_read(cr_look_init(l), file, 64 << 20);
	char local[40], remote[40], *save = NULL;
	unsigned long inode;
	unsigned state;

	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		const struct cr_look_held *h;

		if (sscanf(line,
			   " %*[^:]: %39[^:]:%*x %39[^:]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu",
			   local, remote, &state, &inode) != 4 ||
		    state == 0x0a || state == 0x06 || is_link_local(local) ||
		    !is_link_local(remote))
			continue;
		h = held(s, inode);
		cr_look_add(
			l, h ? h->owner : NULL, "link-local", false,
			"end it, or give the other side an address of its own",
			"has a connection to a link-local IPv6 address (fe80::...), which cannot "
			"be restored");
	}
}

void cr_look_sockets(struct cr_look *l, struct cr_look_sockets *s)
{
	if (s->count)
		qsort(s->list, s->count, sizeof(*s->list), by_inode);
	look_at_half_local(l, s, "net/tcp6");
	look_at_half_local(l, s, "net/udp6");
	cr_look_unix(l, s);
}
