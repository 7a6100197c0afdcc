// SPDX-License-Identifier: GPL-2.0-only
// "This address is here now": gratuitous ARP and unsolicited neighbour advertisements.
#include "net/announce.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/own.h"
#include "net/frame.h"

/* Each IPv4 address goes out as a request and as a reply: caches differ in which of the two they believe. */
static int announce(int fd, const uint8_t mac[6], const struct net_addr *addrs, size_t count,
		    const char *ifname, struct err *e)
{
	uint8_t f[NET_FRAME_MAX];
	char text[NET_ADDR_STR_MAX];

	for (size_t i = 0; i < count; i++) {
		const struct net_addr *a = &addrs[i];

		for (int op = 1; op <= (a->family == AF_INET ? 2 : 1); op++) {
			size_t n = a->family == AF_INET
					   ? net_frame_arp(f, op, mac, a->bytes, a->bytes)
					   : net_frame_advertise(f, mac, a->bytes);

			if (send(fd, f, n, 0) < 0)
				return err_sys(e, "announce %s on %s",
					       net_addr_to_host_str(a, text), ifname);
		}
	}
	return 0;
}

int net_announce_open(int netns, const char *ifname, const struct net_addr *addrs, size_t count,
		      struct err *e)
{
	uint8_t mac[6];
	auto_fd int fd = net_frame_socket(netns, ifname, 0, mac, e);
	int r = fd < 0 ? fd : announce(fd, mac, addrs, count, ifname, e);

	return r < 0 ? r : take_fd(&fd);
}

int net_announce(const struct net_if *ifc, int netns, struct err *e)
{
	auto_fd int fd = net_announce_open(netns, ifc->name, ifc->addrs, ifc->addr_count, e);

	return fd < 0 ? fd : 0;
}

int net_announce_on(const char *ifname, const struct net_addr *addrs, size_t count, struct err *e)
{
	auto_fd int fd = net_announce_open(-1, ifname, addrs, count, e);

	return fd < 0 ? fd : 0;
}
