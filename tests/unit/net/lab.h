/* SPDX-License-Identifier: GPL-2.0-only */
/* A host of its own for a network test: this process's new network namespace, and containers as namespaces beside it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "net/bridge.h"
#include "net/netns.h"
#include "net/nft.h"
#include "net/veth.h"

#define LAB_UNUSED __attribute__((unused))

/* Wants success, and says why not. */
#define ok(expr)                                           \
	({                                                 \
		struct err e = {0};                        \
		int _r = (expr);                           \
		if (_r < 0)                                \
			fail_msg("%s: %s", #expr, e.text); \
		_r;                                        \
	})

/* Every test begins on a host without anything; the old one dies with its last descriptor. A new network namespace forwards if the machine's own does: Linux's Documentation/admin-guide/sysctl/net.rst, devconf_inherit_init_net. */
LAB_UNUSED static int lab_setup(void **state)
{
	struct err e = {0};

	(void)state;
	if (unshare(CLONE_NEWNET) || net_loopback_up(-1, &e) < 0)
		return -1;
	return net_sysctl_write(-1, "ipv4/ip_forward", "0", &e) < 0 ? -1 : 0;
}

LAB_UNUSED static struct net_addr lab_addr(const char *text)
{
	struct net_addr a;

	ok(net_addr_parse(text, &a, &e));
	return a;
}

/* An interface with up to two addresses; NULL: none. */
LAB_UNUSED static struct net_if lab_if(const char *who, enum net_mode mode, const char *addr,
				       const char *addr6)
{
	struct net_if i = {.name = "eth0", .mode = mode, .guard = true};

	net_if_host_name(who, i.host_name);
	net_mac_from_seed(who, i.mac);
	snprintf(i.alias, sizeof(i.alias), "%s", who);
	if (mode == NET_MODE_BRIDGE)
		snprintf(i.bridge, sizeof(i.bridge), "%s", NET_DEFAULT_BRIDGE);
	if (addr)
		i.addrs[i.addr_count++] = lab_addr(addr);
	if (addr6)
		i.addrs[i.addr_count++] = lab_addr(addr6);
	return i;
}

LAB_UNUSED static socklen_t lab_sockaddr(const struct net_addr *a, int port,
					 struct sockaddr_storage *to)
{
	memset(to, 0, sizeof(*to));
	to->ss_family = a->family;
	if (a->family == AF_INET) {
		((struct sockaddr_in *)to)->sin_port = htons((uint16_t)port);
		memcpy(&((struct sockaddr_in *)to)->sin_addr, a->bytes, 4);
		return sizeof(struct sockaddr_in);
	}
	((struct sockaddr_in6 *)to)->sin6_port = htons((uint16_t)port);
	memcpy(&((struct sockaddr_in6 *)to)->sin6_addr, a->bytes, 16);
	return sizeof(struct sockaddr_in6);
}

/*
 * For what must come, on a slow machine, too. The kernel joins an IPv6 address's solicited-node group in a work queue (addrconf_dad_work), so the
 * very first solicitation to a new container may be lost, and is repeated after 1 s only.
 */
#define LAB_SOON_MS 30000

/* A TCP connection from one namespace to an address of another, within ms. *accepted may be NULL. Returns the client or -1. */
LAB_UNUSED static int lab_connect(int from, int to, const char *addr, int port, int ms,
				  int *accepted, struct sockaddr_storage *peer)
{
	struct net_addr a = lab_addr(addr);
	auto_fd int listener = ok(net_netns_socket(to, a.family, SOCK_STREAM, 0, &e));
	auto_fd int client =
		ok(net_netns_socket(from, a.family, SOCK_STREAM | SOCK_NONBLOCK, 0, &e));
	auto_fd int server = -EBADF;
	struct sockaddr_storage name;
	socklen_t len = lab_sockaddr(&a, port, &name), peer_len = sizeof(*peer);
	struct pollfd p = {.fd = listener, .events = POLLIN};
	int one = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(listener, (struct sockaddr *)&name, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	if (connect(client, (struct sockaddr *)&name, len) && errno != EINPROGRESS)
		return -1;
	if (poll(&p, 1, ms) != 1)
		return -1;
	server = accept4(listener, (struct sockaddr *)peer, peer ? &peer_len : NULL, SOCK_CLOEXEC);
	assert_true(server >= 0);
	if (accepted)
		*accepted = take_fd(&server);
	return take_fd(&client);
}

LAB_UNUSED static bool lab_reaches(int from, int to, const char *addr)
{
	auto_fd int c = lab_connect(from, to, addr, 4711, LAB_SOON_MS, NULL, NULL);

	return c >= 0;
}

/* No way through: with a time in which every success of these tests has long come. */
LAB_UNUSED static bool lab_cut(int from, int to, const char *addr)
{
	auto_fd int c = lab_connect(from, to, addr, 4712, 500, NULL, NULL);

	return c < 0;
}

/* No table of ours is left on this host. */
LAB_UNUSED static void lab_assert_no_rules(void)
{
	auto_free char *rules = NULL;

	ok(net_nft_list("list tables\n", &rules, &e));
	assert_string_equal(rules, "");
}
