// SPDX-License-Identifier: GPL-2.0-only
// Raw ARP and IPv6 neighbour discovery frames, and the socket they go through.
#include "net/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/own.h"
#include "net/netns.h"

#define ETH_HEAD    14
#define IPV6_HEAD   40
#define ND_SOLICIT  135
#define ND_ADVERT   136
#define ND_OVERRIDE 0x20

static void put_ethernet(uint8_t *f, const uint8_t dst[6], const uint8_t src[6], uint16_t type)
{
	memcpy(f, dst, 6);
	memcpy(f + 6, src, 6);
	f[12] = (uint8_t)(type >> 8);
	f[13] = (uint8_t)type;
}

size_t net_frame_arp(uint8_t frame[NET_FRAME_MAX], int op, const uint8_t mac[6], const uint8_t *spa,
		     const uint8_t *tpa)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t head[] = {0, 1, 8, 0,
				       6, 4, 0}; /* Ethernet, IPv4, their lengths, op's high byte */
	uint8_t *p = frame + ETH_HEAD;

	memset(frame, 0, NET_FRAME_MAX);
	put_ethernet(frame, all, mac, ETH_P_ARP);
	memcpy(p, head, sizeof(head));
	p[7] = (uint8_t)op;
	memcpy(p + 8, mac, 6);
	if (spa)
		memcpy(p + 14, spa, 4);
	memcpy(p + 24, tpa, 4);
	return ETH_HEAD + 28;
}

/* ICMPv6 checksum over the pseudo header (RFC 8200, 8.1) and len bytes at f's payload. */
static void put_checksum(uint8_t *f, size_t len)
{
	const uint8_t *ip = f + ETH_HEAD;
	uint8_t *icmp = f + ETH_HEAD + IPV6_HEAD;
	uint32_t sum = (uint32_t)len + IPPROTO_ICMPV6;

	for (int i = 8; i < 40; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)(icmp[i] << 8 | icmp[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum;
	icmp[2] = (uint8_t)(sum >> 8);
	icmp[3] = (uint8_t)sum;
}

static void put_ipv6(uint8_t *f, const uint8_t *src, const uint8_t dst[16], size_t len)
{
	uint8_t *ip = f + ETH_HEAD;

	ip[0] = 0x60;
	ip[5] = (uint8_t)len;
	ip[6] = IPPROTO_ICMPV6;
	ip[7] = 255; /* neighbours drop anything that could have come through a router (RFC 4861, 7.1) */
	if (src)
		memcpy(ip + 8, src, 16);
	memcpy(ip + 24, dst, 16);
}

size_t net_frame_solicit(uint8_t frame[NET_FRAME_MAX], const uint8_t mac[6],
			 const uint8_t target[16])
{
	uint8_t group[16] = {0xff, 0x02, [11] = 1, [12] = 0xff, target[13], target[14], target[15]};
	uint8_t dst[6] = {0x33, 0x33, 0xff, target[13], target[14], target[15]};
	uint8_t *icmp = frame + ETH_HEAD + IPV6_HEAD;

	memset(frame, 0, NET_FRAME_MAX);
	put_ethernet(frame, dst, mac, ETH_P_IPV6);
	put_ipv6(frame, NULL, group, 24);
	icmp[0] = ND_SOLICIT;
	memcpy(icmp + 8, target, 16);
	put_checksum(frame, 24);
	return ETH_HEAD + IPV6_HEAD + 24;
}

size_t net_frame_advertise(uint8_t frame[NET_FRAME_MAX], const uint8_t mac[6],
			   const uint8_t target[16])
{
	static const uint8_t all[16] = {0xff, 0x02, [15] = 1};
	static const uint8_t dst[6] = {0x33, 0x33, 0, 0, 0, 1};
	uint8_t *icmp = frame + ETH_HEAD + IPV6_HEAD;

	memset(frame, 0, NET_FRAME_MAX);
	put_ethernet(frame, dst, mac, ETH_P_IPV6);
	put_ipv6(frame, target, all, 32);
	icmp[0] = ND_ADVERT;
	icmp[4] = ND_OVERRIDE;
	memcpy(icmp + 8, target, 16);
	icmp[24] = 2; /* target link-layer address */
	icmp[25] = 1; /* in units of 8 bytes */
	memcpy(icmp + 26, mac, 6);
	put_checksum(frame, 32);
	return ETH_HEAD + IPV6_HEAD + 32;
}

int net_frame_socket(int netns, const char *ifname, unsigned short type, uint8_t *mac,
		     struct err *e)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(type)};
	auto_fd int fd = net_netns_socket(netns, AF_PACKET, SOCK_RAW, 0, e);
	struct ifreq q = {0};

	if (fd < 0)
		return fd;
	strncpy(q.ifr_name, ifname, IFNAMSIZ - 1);
	if (ioctl(fd, SIOCGIFINDEX, &q))
		return err_sys(e, "find link %s", ifname);
	to.sll_ifindex = q.ifr_ifindex;
	if (bind(fd, (struct sockaddr *)&to, sizeof(to)))
		return err_sys(e, "listen on link %s", ifname);
	if (mac) {
		if (ioctl(fd, SIOCGIFHWADDR, &q))
			return err_sys(e, "read the MAC of link %s", ifname);
		memcpy(mac, q.ifr_hwaddr.sa_data, 6);
	}
	return take_fd(&fd);
}
