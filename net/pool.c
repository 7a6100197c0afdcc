// SPDX-License-Identifier: GPL-2.0-only
// A free address out of a subnet, and whether somebody out there has it already.
#include "net/pool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "net/frame.h"

/* Longest search: more containers than this are not on one host. */
#define POOL_SEARCH_MAX 65536u
#define PROBES		3

/* The n-th address of a subnet; its prefix is kept. False when n does not fit into the host part. */
static bool nth(const struct net_addr *subnet, uint32_t n, struct net_addr *out)
{
	size_t len = net_addr_len(subnet);
	unsigned host_bits = (unsigned)(8 * len) - subnet->prefix;
	uint64_t low;

	if (host_bits < 32 && n >> host_bits)
		return false;
	*out = net_addr_network(subnet);
	low = n;
	for (size_t i = len; i-- && low; low >>= 8)
		out->bytes[i] |= (uint8_t)low;
	return true;
}

struct net_addr net_pool_gateway(const struct net_addr *subnet)
{
	struct net_addr a = *subnet;

	nth(subnet, 1, &a);
	return a;
}

static bool is_taken(const struct net_addr *a, const struct net_addr *taken, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (net_addr_same(a, &taken[i]))
			return true;
	return false;
}

int net_pool_pick(const struct net_addr *subnet, const struct net_addr *taken, size_t count,
		  struct net_addr *out, struct err *e)
{
	char text[NET_ADDR_STR_MAX];
	struct net_addr a, next;

	for (uint32_t n = 2; n < POOL_SEARCH_MAX && nth(subnet, n, &a); n++) {
		/* The last one of an IPv4 subnet is its broadcast address. */
		if (subnet->family == AF_INET && !nth(subnet, n + 1, &next))
			break;
		if (!is_taken(&a, taken, count)) {
			*out = a;
			return 0;
		}
	}
	err_set(e, EADDRNOTAVAIL, "no free address in %s", net_addr_to_str(subnet, text));
	err_class(e, ERR_ADDR_IN_USE);
	err_hint(e, "give the container an address (--ipadd), or make the pool larger");
	return -EADDRNOTAVAIL;
}

/*
 * Not by bind(): where a network namespace never had an address there is no local table, and the kernel takes any address for a broadcast one, which can be
 * bound (__inet_dev_addr_type() in net/ipv4/fib_frontend.c).
 */
static bool is_ours(const struct net_addr *addr)
{
	struct ifaddrs *all = NULL;
	bool found = false;

	if (getifaddrs(&all) < 0)
		return false;
	for (const struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != addr->family)
			continue;
		found = addr->family == AF_INET
				? !memcmp(&((struct sockaddr_in *)i->ifa_addr)->sin_addr,
					  addr->bytes, 4)
				: !memcmp(&((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr,
					  addr->bytes, 16);
	}
	freeifaddrs(all);
	return found;
}

/* Whether this frame says that its sender (not us) has addr, or is just claiming it. */
static bool claims(const uint8_t *f, ssize_t len, const struct net_addr *addr, const uint8_t mac[6])
{
	if (addr->family == AF_INET) {
		static const uint8_t none[4];

		if (len < 42 || f[12] != 8 || f[13] != 6 || !memcmp(f + 22, mac, 6))
			return false;
		/* Its sender, or another one's probe for it (RFC 5227, 2.1.1). */
		return !memcmp(f + 28, addr->bytes, 4) ||
		       (!memcmp(f + 28, none, 4) && !memcmp(f + 38, addr->bytes, 4));
	}
	return len >= 78 && f[12] == 0x86 && f[13] == 0xdd && f[20] == IPPROTO_ICMPV6 &&
	       f[21] == 255 && f[54] == 136 && !memcmp(f + 62, addr->bytes, 16) &&
	       memcmp(f + 6, mac, 6);
}

/* Reads what is there. 1: a claim, 0: none. */
static int drain(int fd, const struct net_addr *addr, const uint8_t mac[6])
{
	uint8_t f[256];
	ssize_t n;

	while ((n = recv(fd, f, sizeof(f), MSG_DONTWAIT)) >= 0)
		if (claims(f, n, addr, mac))
			return 1;
	return 0;
}

/* Nobody can answer: the link is down, or is not there any more, as a bridge whose last container has ended. packet(7) */
static bool nobody_there(int no)
{
	return no == ENETDOWN || no == ENODEV || no == ENXIO;
}

int net_addr_in_use(const char *ifname, const struct net_addr *addr, int wait_ms, struct err *e)
{
	bool four = addr->family == AF_INET;
	uint8_t mac[6], f[NET_FRAME_MAX];
	auto_fd int fd = -EBADF;
	uint64_t start = log_now_ns(), now = start;
	struct err why = {0};
	int sent = 0;

	if (is_ours(addr))
		return 1;
	fd = net_frame_socket(-1, ifname, four ? ETH_P_ARP : ETH_P_IPV6, mac, &why);
	if (fd < 0 && nobody_there(why.no))
		return 0;
	if (fd < 0) {
		*e = why;
		return fd;
	}
	for (; now - start < (uint64_t)wait_ms * 1000000; now = log_now_ns()) {
		int gone = (int)((now - start) / 1000000), step = wait_ms / PROBES;
		struct pollfd p = {.fd = fd, .events = POLLIN};

		/* Probes are spread: the first one may be lost while the other side's link wakes up. */
		if (sent < PROBES && gone >= sent * step) {
			size_t n = four ? net_frame_arp(f, 1, mac, NULL, addr->bytes)
					: net_frame_solicit(f, mac, addr->bytes);

			if (send(fd, f, n, 0) < 0 && errno != ENOBUFS)
				return nobody_there(errno)
					       ? 0
					       : err_sys(e, "ask for an address on %s", ifname);
			sent++;
		}
		gone = sent < PROBES ? sent * step - gone : wait_ms - gone;
		if (poll(&p, 1, gone > 0 ? gone : 1) > 0 && drain(fd, addr, mac))
			return 1;
	}
	return 0;
}
