// SPDX-License-Identifier: GPL-2.0-only
// A hostile container on a raw socket: nothing passes in another's name; the lock; announcements; bandwidth.
#include "lab.h"

#include <linux/if_ether.h>

#include "base/log.h"
#include "net/announce.h"
#include "net/frame.h"
#include "net/guard.h"
#include "net/lock.h"
#include "net/shape.h"

#define A4 "10.209.0.2"
#define B4 "10.209.0.3"

struct lab {
	int a, b;
	struct net_if ia, ib;
	uint8_t mac_b[6];
};

static void make_lab(struct lab *l)
{
	l->a = ok(net_netns_create(&e));
	l->b = ok(net_netns_create(&e));
	l->ia = lab_if("a", NET_MODE_BRIDGE, A4 "/16", "fd00::2/64");
	l->ib = lab_if("b", NET_MODE_BRIDGE, B4 "/16", "fd00::3/64");
	ok(net_bridge_ensure(NET_DEFAULT_BRIDGE, NULL, 0, &e));
	ok(net_if_create(&l->ia, l->a, &e));
	ok(net_if_create(&l->ib, l->b, &e));
	assert_true(lab_reaches(l->a, l->b, B4));
	assert_true(lab_reaches(l->a, l->b, "fd00::3"));
}

static void drop_lab(struct lab *l)
{
	own_close_fd(&l->a);
	own_close_fd(&l->b);
	ok(net_if_destroy(l->ia.host_name, false, &e));
	ok(net_if_destroy(l->ib.host_name, false, &e));
	lab_assert_no_rules();
}

/* UDP over IPv4 with a chosen source. The header's checksum must be right: br_netfilter drops what is not. */
static size_t udp4(uint8_t *f, const uint8_t *mac, const char *src, int sport, int dport)
{
	struct net_addr s = lab_addr(src), d = lab_addr(B4);
	uint32_t sum = 0;

	memset(f, 0, 64);
	memset(f, 0xff, 6);
	memcpy(f + 6, mac, 6);
	f[12] = 8;
	f[14] = 0x45;
	f[17] = 28;
	f[22] = 64;
	f[23] = IPPROTO_UDP;
	memcpy(f + 26, s.bytes, 4);
	memcpy(f + 30, d.bytes, 4);
	for (int i = 14; i < 34; i += 2)
		sum += (uint32_t)(f[i] << 8 | f[i + 1]);
	sum = ~((sum & 0xffff) + (sum >> 16));
	f[24] = (uint8_t)(sum >> 8);
	f[25] = (uint8_t)sum;
	f[35] = (uint8_t)sport;
	f[37] = (uint8_t)dport;
	f[39] = 8;
	return 42;
}

/* A marker in the last bytes tells our frames from the kernel's own traffic. */
static const char marker[] = "skep-marker", fence[] = "skep-fence!";

static void send_marked(int fd, const uint8_t *frame, size_t len, const char mark[sizeof(marker)])
{
	uint8_t f[256];

	memcpy(f, frame, len);
	memcpy(f + len, mark, sizeof(marker));
	assert_true(send(fd, f, len + sizeof(marker), 0) > 0);
}

/*
 * Sends from a; whether b gets it. No clock says that it does not come any more, but a frame that may pass and is sent behind it: frames from one CPU
 * are in one queue (veth_xmit, netif_rx).
 */
static bool arrives(struct lab *l, const uint8_t *frame, size_t len)
{
	auto_fd int from = ok(net_frame_socket(l->a, "eth0", 0, NULL, &e));
	auto_fd int to = ok(net_frame_socket(l->b, "eth0", ETH_P_ALL, NULL, &e));
	struct pollfd p = {.fd = to, .events = POLLIN};
	uint8_t good[64], got[256];
	cpu_set_t all, one;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	send_marked(from, frame, len, marker);
	send_marked(from, good, udp4(good, l->ia.mac, A4, 5, 5), fence);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	while (poll(&p, 1, 30000) == 1) {
		ssize_t n = recv(to, got, sizeof(got), 0) - (ssize_t)sizeof(marker);

		if (n >= 0 && !memcmp(got + n, marker, sizeof(marker)))
			return true;
		if (n >= 0 && !memcmp(got + n, fence, sizeof(fence)))
			return false;
	}
	fail_msg("not even the frame behind it came");
	return false;
}

static size_t icmp6(uint8_t *f, const uint8_t *mac, const char *src, int type)
{
	struct net_addr s = lab_addr(src);
	size_t n = net_frame_advertise(f, mac, s.bytes);

	f[54] = (uint8_t)type;
	return n;
}

static void test_spoof(void **state)
{
	struct lab l;
	uint8_t f[256], tagged[256];
	struct net_addr own = lab_addr(A4), other = lab_addr(B4), own6 = lab_addr("fd00::2"),
			other6 = lab_addr("fd00::9");
	struct err ignored = {0};
	const uint8_t *mac;
	size_t n;

	(void)state;
	/* br_netfilter, where it is on, trims a frame to the IP length, and so cuts our marker off. */
	(void)net_sysctl_write(-1, "bridge/bridge-nf-call-iptables", "0", &ignored);
	(void)net_sysctl_write(-1, "bridge/bridge-nf-call-ip6tables", "0", &ignored);
	make_lab(&l);
	mac = l.ia.mac;
	/* What must pass, so that the rest says something. */
	assert_true(arrives(&l, f, udp4(f, mac, A4, 5, 5)));
	assert_true(arrives(&l, f, net_frame_arp(f, 1, mac, own.bytes, own.bytes)));
	assert_true(arrives(&l, f, net_frame_arp(f, 1, mac, NULL, own.bytes)));
	assert_true(arrives(&l, f, net_frame_advertise(f, mac, own6.bytes)));
	assert_true(arrives(&l, f, net_frame_solicit(f, mac, own6.bytes)));
	/* Sources of others. */
	assert_false(arrives(&l, f, udp4(f, l.ib.mac, A4, 5, 5)));
	assert_false(arrives(&l, f, udp4(f, mac, B4, 5, 5)));
	assert_false(arrives(&l, f, udp4(f, mac, "10.209.0.1", 5, 5)));
	assert_false(arrives(&l, f, net_frame_arp(f, 1, mac, other.bytes, other.bytes)));
	assert_false(arrives(&l, f, net_frame_arp(f, 2, mac, other.bytes, own.bytes)));
	assert_false(arrives(&l, f, net_frame_arp(f, 1, mac, NULL, other.bytes)));
	n = net_frame_arp(f, 2, mac, own.bytes, own.bytes);
	memcpy(f + 22, l.ib.mac, 6); /* right Ethernet source, wrong ARP sender */
	assert_false(arrives(&l, f, n));
	/* IPv6: neighbour, source, router advertisement, redirect. */
	assert_false(arrives(&l, f, net_frame_advertise(f, mac, other6.bytes)));
	n = net_frame_advertise(f, mac, own6.bytes);
	memcpy(f + 62, other6.bytes, 16); /* own source, another's target */
	assert_false(arrives(&l, f, n));
	assert_false(arrives(&l, f, icmp6(f, mac, "fd00::9", 128)));
	assert_true(arrives(&l, f, icmp6(f, mac, "fd00::2", 128)));
	assert_false(arrives(&l, f, icmp6(f, mac, "fd00::2", 134)));
	assert_false(arrives(&l, f, icmp6(f, mac, "fd00::2", 137)));
	/* DHCP server. */
	assert_false(arrives(&l, f, udp4(f, mac, A4, 67, 68)));
	/* A tag, and two, around what would be right; STP; another EtherType. */
	n = udp4(f, mac, A4, 5, 5);
	memcpy(tagged, f, 12);
	memcpy(tagged + 12, (uint8_t[]){0x81, 0, 0, 5}, 4);
	memcpy(tagged + 16, f + 12, n - 12);
	assert_false(arrives(&l, tagged, n + 4));
	tagged[12] = 0x88;
	tagged[13] = 0xa8;
	assert_false(arrives(&l, tagged, n + 4));
	memcpy(f, (uint8_t[]){1, 0x80, 0xc2, 0, 0, 0}, 6);
	f[12] = 0;
	f[13] = 38;
	assert_false(arrives(&l, f, 52));
	udp4(f, mac, A4, 5, 5);
	f[12] = 0x88;
	f[13] = 0xcc;
	assert_false(arrives(&l, f, 60));
	/* Without the guard the same frame arrives: it is the guard that stops it. Twice, and back again. */
	ok(net_guard_remove(l.ia.host_name, &e));
	ok(net_guard_remove(l.ia.host_name, &e));
	assert_true(arrives(&l, f, udp4(f, mac, "10.209.0.1", 5, 5)));
	ok(net_guard_set(&l.ia, &e));
	ok(net_guard_set(&l.ia, &e));
	assert_false(arrives(&l, f, udp4(f, mac, "10.209.0.1", 5, 5)));
	drop_lab(&l);
}

static void test_announce(void **state)
{
	struct lab l;
	uint8_t f[256];
	int arp = 0, advert = 0;

	(void)state;
	make_lab(&l);
	auto_fd int to = ok(net_frame_socket(l.b, "eth0", ETH_P_ALL, NULL, &e));
	struct pollfd p = {.fd = to, .events = POLLIN};
	ok(net_announce(&l.ia, l.a, &e));
	while ((arp < 2 || advert < 1) && poll(&p, 1, 30000) == 1) {
		ssize_t n = recv(to, f, sizeof(f), 0);

		arp += n >= 42 && f[13] == 6 && !memcmp(f + 28, l.ia.addrs[0].bytes, 4) &&
		       !memcmp(f + 38, f + 28, 4) && !memcmp(f + 6, l.ia.mac, 6);
		advert += n >= 86 && f[12] == 0x86 && f[54] == 136 &&
			  !memcmp(f + 62, l.ia.addrs[1].bytes, 16);
	}
	assert_int_equal(arp, 2);
	assert_int_equal(advert, 1);
	drop_lab(&l);
}

static void test_lock(void **state)
{
	auto_fd int server = -EBADF;
	struct pollfd p = {.events = POLLIN};
	struct lab l;
	char got[8] = "";

	(void)state;
	make_lab(&l);
	auto_fd int client = lab_connect(l.a, l.b, B4, 99, LAB_SOON_MS, &server, NULL);
	assert_true(client >= 0);
	ok(net_lock(l.ib.host_name, &e));
	ok(net_lock(l.ib.host_name, &e));
	assert_true(lab_cut(l.a, l.b, B4));
	assert_true(lab_cut(l.b, l.a, A4));
	assert_int_equal(send(client, "hello", 5, 0), 5);
	p.fd = server;
	assert_int_equal(poll(&p, 1, 300), 0);
	assert_int_equal(send(server, "hi", 2, 0), 2);
	p.fd = client;
	assert_int_equal(poll(&p, 1, 300), 0);
	ok(net_unlock(l.ib.host_name, &e));
	ok(net_unlock(l.ib.host_name, &e));
	p.fd = server;
	assert_int_equal(poll(&p, 1, 30000), 1);
	assert_int_equal(recv(server, got, sizeof(got), 0), 5);
	p.fd = client;
	assert_int_equal(poll(&p, 1, 30000), 1);
	assert_int_equal(recv(client, got, sizeof(got), 0), 2);
	drop_lab(&l);
}

#define WINDOW_NS 250000000u

struct speed {
	double best, /* bits a second in the best window after the second's worth that the policer lets through at first */
		all, seconds; /* bits, and since when: the very beginning */
};

/* What TCP gets through from client to server in 1.5 s and ms. A machine that stands still for a while costs some windows, and lets no bit more through. */
static struct speed measure(int client, int server, int ms)
{
	static char buf[65536];
	uint64_t start = log_now_ns(), now = start, from = start + 1500000000;
	uint64_t until = from + (uint64_t)ms * 1000000;
	struct pollfd p[2] = {{.fd = client, .events = POLLOUT}, {.fd = server, .events = POLLIN}};
	struct speed s = {0};
	double window = 0;

	while (now < until) {
		ssize_t n;

		poll(p, 2, 50);
		(void)!send(client, buf, sizeof(buf), MSG_DONTWAIT);
		n = recv(server, buf, sizeof(buf), MSG_DONTWAIT);
		now = log_now_ns();
		s.all += n > 0 ? 8.0 * (double)n : 0;
		window += n > 0 ? 8.0 * (double)n : 0;
		if (now >= from && now < from + WINDOW_NS)
			continue;
		if (now < from || now > from + 2 * WINDOW_NS)
			window = 0; /* not yet, or not looked at in time */
		if (now < from)
			continue;
		window *= 1e9 / (double)(now - from);
		s.best = window > s.best ? window : s.best;
		from = now;
		window = 0;
	}
	s.seconds = (double)(now - start) / 1e9;
	return s;
}

/* A second's worth at once, and the headers that are counted, too. */
static void assert_rate(const struct speed *s, double rate)
{
	assert_true(s->best > rate * 0.8);
	assert_true(s->all < rate * (s->seconds + 1) * 1.05);
}

static void test_shape(void **state)
{
	static const double rates[] = {10e6, 100e6};
	auto_fd int server = -EBADF;
	struct lab l;

	(void)state;
	make_lab(&l);
	for (size_t i = 0; i < 2; i++) {
		struct speed in, out;

		own_close_fd(&server);
		auto_fd int client = lab_connect(l.b, l.a, A4, 200, LAB_SOON_MS, &server, NULL);
		assert_true(client >= 0);
		ok(net_shape_set(l.ia.host_name, (uint64_t)rates[i], &e));
		in = measure(client, server, 2000);
		out = measure(server, client, 2000);
		print_message(
			"rate %.0f Mbit: in %.1f (%.1f in %.1f s), out %.1f (%.1f in %.1f s)\n",
			rates[i] / 1e6, in.best / 1e6, in.all / 1e6, in.seconds, out.best / 1e6,
			out.all / 1e6, out.seconds);
		assert_rate(&in, rates[i]);
		assert_rate(&out, rates[i]);
	}
	ok(net_shape_remove(l.ia.host_name, &e));
	ok(net_shape_remove(l.ia.host_name, &e));
	own_close_fd(&server);
	auto_fd int client = lab_connect(l.b, l.a, A4, 201, LAB_SOON_MS, &server, NULL);
	assert_true(measure(client, server, 1000).best > 300e6);
	drop_lab(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_spoof, lab_setup),
		cmocka_unit_test_setup(test_announce, lab_setup),
		cmocka_unit_test_setup(test_lock, lab_setup),
		cmocka_unit_test_setup(test_shape, lab_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
