// SPDX-License-Identifier: GPL-2.0-only
// What arrives for a container while it is being moved: kept on the source, given to it on the target.
#include "net/hold.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "net/netns.h"

#define ETH_HEAD   14
#define IPV4_LEAST (ETH_HEAD + 20)
#define IPV6_LEAST (ETH_HEAD + 40)
#define LENGTH	   4  /* before each frame of a batch */
#define LINKS_MAX  16 /* as many as can be locked */

/* Silent: neither neighbours to be looked for, nor words of its own, which would be held. */
static int set_up(const char *name, struct net_hold *h, struct err *e)
{
	auto_fd int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq q = {0};
	char key[64];

	snprintf(key, sizeof(key), "ipv6/conf/%s/disable_ipv6", name);
	if (net_sysctl_write(-1, key, "1", e) < 0 && e->no)
		return -e->no;
	snprintf(q.ifr_name, sizeof(q.ifr_name), "%s", name);
	q.ifr_qlen = NET_HOLD_FRAMES_MAX;
	if (s < 0 || ioctl(s, SIOCSIFTXQLEN, &q) < 0)
		return err_sys(e, "set the queue of link %s", name);
	q.ifr_flags = IFF_UP | IFF_NOARP;
	if (ioctl(s, SIOCSIFFLAGS, &q) < 0)
		return err_sys(e, "set link %s up", name);
	if (ioctl(s, SIOCGIFINDEX, &q) < 0)
		return err_sys(e, "find link %s", name);
	h->index = (unsigned)q.ifr_ifindex;
	return 0;
}

int net_hold_open(struct net_hold *h, const char *seed, struct err *e)
{
	auto_fd int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct ifreq q = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int r;

	*h = (struct net_hold)NET_HOLD_INIT;
	if (fd < 0)
		return err_sys(e, "hold the container's frames: open /dev/net/tun");
	net_if_host_name(seed, q.ifr_name);
	/* Explicitly no offload: whoever reads gets no header that could say what the kernel left to be done. */
	if (ioctl(fd, TUNSETIFF, &q) < 0 || ioctl(fd, TUNSETOFFLOAD, 0UL) < 0)
		return err_sys(e, "hold the container's frames: make link %s", q.ifr_name);
	r = set_up(q.ifr_name, h, e);
	if (r < 0)
		return r;
	h->fd = take_fd(&fd);
	return 0;
}

void net_hold_close(struct net_hold *h)
{
	own_close_fd(&h->fd);
	h->index = 0;
}

static bool is_worth_keeping(const uint8_t *f, size_t n)
{
	uint16_t type;

	if (n < IPV4_LEAST || (f[0] & 1))
		return false;
	type = (uint16_t)(f[12] << 8 | f[13]);
	return type == ETH_P_IP || type == ETH_P_IPV6;
}

/* Into the mapped batch; returns its size. The bound on the reads is one on time: frames may come faster than they are read. */
static int drain(int tap, uint8_t *batch, struct net_hold_stats *stats, struct err *e)
{
	size_t used = 0;

	for (unsigned reads = 0; reads < 2 * NET_HOLD_FRAMES_MAX; reads++) {
		/* What is read is thrown away where it lies when it is not kept. */
		uint8_t *at = batch + used + LENGTH;
		ssize_t n = read(tap, at, NET_HOLD_FRAME_MAX);
		uint32_t length = htole32((uint32_t)n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return err_sys(e, "take the frames held for the container");
		if (n <= 0)
			break;
		if (!is_worth_keeping(at, (size_t)n))
			continue;
		if (stats->frames >= NET_HOLD_FRAMES_MAX ||
		    used + LENGTH + (size_t)n > NET_HOLD_BYTES_MAX) {
			stats->refused++;
			continue;
		}
		memcpy(at - LENGTH, &length, LENGTH);
		used += LENGTH + (size_t)n;
		stats->frames++;
		stats->bytes += (uint64_t)n;
	}
	return (int)used;
}

int net_hold_take(struct net_hold *h, struct net_hold_stats *stats, struct err *e)
{
	const size_t room = NET_HOLD_BYTES_MAX + LENGTH + NET_HOLD_FRAME_MAX;
	auto_fd int fd = memfd_create("skep-held", MFD_CLOEXEC);
	int used = 0;

	*stats = (struct net_hold_stats){0};
	if (fd < 0 || ftruncate(fd, (off_t)room) < 0)
		return err_sys(e, "take the frames held for the container");
	if (h->fd >= 0) {
		uint8_t *batch = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		if (batch == MAP_FAILED)
			return err_sys(e, "take the frames held for the container");
		used = drain(h->fd, batch, stats, e);
		munmap(batch, room);
	}
	if (used < 0)
		return used;
	if (ftruncate(fd, used) < 0)
		return err_sys(e, "take the frames held for the container");
	return take_fd(&fd);
}

int net_hold_socket(struct err *e)
{
	auto_fd int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int room = 2 * NET_HOLD_BYTES_MAX;

	if (fd < 0)
		return err_sys(e, "open a socket for the frames held for the container");
	/* Behind a shaped link they wait in its queue, charged to us: a refusal must be the queue's. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	return take_fd(&fd);
}

static bool has_address(const struct net_if *ifc, uint8_t family, const uint8_t *bytes)
{
	struct net_addr wanted = {.family = family}, local = net_mac_link_local(ifc->mac);

	memcpy(wanted.bytes, bytes, family == AF_INET ? 4 : 16);
	if (family == AF_INET6 && net_addr_same(&wanted, &local))
		return true;
	for (size_t i = 0; i < ifc->addr_count; i++)
		if (net_addr_same(&wanted, &ifc->addrs[i]))
			return true;
	return false;
}

static bool is_for(const struct net_if *ifc, const uint8_t *f, size_t n)
{
	unsigned type = (unsigned)(f[12] << 8 | f[13]), version = f[ETH_HEAD] >> 4;

	if (net_mac_is_zero(ifc->mac) || memcmp(f, ifc->mac, 6) != 0)
		return false;
	if (type == ETH_P_IP && version == 4)
		return has_address(ifc, AF_INET, f + ETH_HEAD + 16);
	return type == ETH_P_IPV6 && version == 6 && n >= IPV6_LEAST &&
	       has_address(ifc, AF_INET6, f + ETH_HEAD + 24);
}

struct links {
	const struct net_if *ifcs;
	size_t count;
	int index[LINKS_MAX]; /* of the host's ends */
};

static bool give(int sock, const struct links *l, const uint8_t *f, size_t n)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_halen = 6};

	for (size_t i = 0; i < l->count; i++) {
		if (!is_for(&l->ifcs[i], f, n))
			continue;
		to.sll_ifindex = l->index[i];
		memcpy(&to.sll_protocol, f + 12, 2);
		memcpy(to.sll_addr, f, 6);
		return to.sll_ifindex &&
		       sendto(sock, f, n, 0, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)n;
	}
	return false;
}

static int replay(int sock, const struct links *l, const uint8_t *batch, size_t size,
		  struct net_hold_stats *stats, struct err *e)
{
	for (size_t at = 0; at < size;) {
		uint32_t n;

		if (size - at < LENGTH)
			return err_set(e, EPROTO, "the held frames are cut");
		memcpy(&n, batch + at, LENGTH);
		n = le32toh(n);
		at += LENGTH;
		if (n < IPV4_LEAST || n > NET_HOLD_FRAME_MAX || n > size - at)
			return err_set(e, EPROTO, "a held frame of %u bytes", n);
		if (stats->frames + stats->refused >= NET_HOLD_FRAMES_MAX)
			return err_set(e, EPROTO, "more than %u held frames", NET_HOLD_FRAMES_MAX);
		if (give(sock, l, batch + at, n)) {
			stats->frames++;
			stats->bytes += n;
		} else {
			stats->refused++;
		}
		at += n;
	}
	return 0;
}

static int read_batch(int batch, uint8_t *bytes, size_t size, struct err *e)
{
	for (size_t have = 0; have < size;) {
		ssize_t n = pread(batch, bytes + have, size - have, (off_t)have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read the held frames");
		if (n == 0)
			return err_set(e, EPROTO, "the held frames are cut");
		have += (size_t)n;
	}
	return 0;
}

int net_hold_replay(int sock, const struct net_if *ifcs, size_t count, int batch,
		    struct net_hold_stats *stats, struct err *e)
{
	struct links l = {.ifcs = ifcs, .count = count < LINKS_MAX ? count : LINKS_MAX};
	auto_free uint8_t *bytes = NULL;
	struct stat st;
	int r;

	*stats = (struct net_hold_stats){0};
	if (fstat(batch, &st) < 0)
		return err_sys(e, "read the held frames");
	if (st.st_size < 0 || st.st_size > NET_HOLD_BYTES_MAX)
		return err_set(e, EPROTO, "%lld bytes of held frames", (long long)st.st_size);
	if (st.st_size == 0)
		return 0;
	bytes = malloc((size_t)st.st_size);
	if (!bytes)
		return err_set(e, ENOMEM, "read the held frames: out of memory");
	for (size_t i = 0; i < l.count; i++)
		l.index[i] = (int)if_nametoindex(ifcs[i].host_name);
	r = read_batch(batch, bytes, (size_t)st.st_size, e);
	return r < 0 ? r : replay(sock, &l, bytes, (size_t)st.st_size, stats, e);
}
