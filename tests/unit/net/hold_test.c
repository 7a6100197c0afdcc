// SPDX-License-Identifier: GPL-2.0-only
// Frames for a locked container: held, bounded, given back in order and only to whom they are for; TCP goes on at once.
#include "lab.h"

#include <endian.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/log.h"
#include "net/announce.h"
#include "net/frame.h"
#include "net/hold.h"
#include "net/lock.h"

#define A4 "10.209.0.2"
#define B4 "10.209.0.3"
#define B6 "fd00::3"

/* a is a client, b is the container. */
struct lab {
	int a, b;
	struct net_if ia, ib;
	int lock;
	struct net_hold hold;
};

static void make_lab(struct lab *l)
{
	memset(l, 0, sizeof(*l));
	l->lock = -EBADF;
	l->hold = (struct net_hold)NET_HOLD_INIT;
	l->a = ok(net_netns_create(&e));
	l->b = ok(net_netns_create(&e));
	l->ia = lab_if("a", NET_MODE_BRIDGE, A4 "/16", "fd00::2/64");
	l->ib = lab_if("b", NET_MODE_BRIDGE, B4 "/16", B6 "/64");
	ok(net_bridge_ensure(NET_DEFAULT_BRIDGE, NULL, 0, &e));
	ok(net_if_create(&l->ia, l->a, &e));
	ok(net_if_create(&l->ib, l->b, &e));
	assert_true(lab_reaches(l->a, l->b, B4));
	assert_true(lab_reaches(l->a, l->b, B6));
}

static void lock_lab(struct lab *l, bool hold)
{
	const char *const names[] = {l->ib.host_name};

	if (hold)
		ok(net_hold_open(&l->hold, "b", &e));
	l->lock = ok(net_lock_prepare(names, 1, &e));
	assert_int_equal(ok(net_lock_engage(l->lock, names, 1, NET_LOCK_TO, l->hold.index, &e)), 0);
}

static void drop_lab(struct lab *l)
{
	own_close_fd(&l->lock);
	net_hold_close(&l->hold);
	own_close_fd(&l->a);
	own_close_fd(&l->b);
	ok(net_if_destroy(l->ia.host_name, false, &e));
	ok(net_if_destroy(l->ib.host_name, false, &e));
	lab_assert_no_rules();
}

static int udp_at(int netns, const char *addr, int port)
{
	struct net_addr a = lab_addr(addr);
	struct sockaddr_storage to;
	socklen_t len = lab_sockaddr(&a, port, &to);
	auto_fd int fd = ok(net_netns_socket(netns, a.family, SOCK_DGRAM | SOCK_NONBLOCK, 0, &e));
	int room = 16 << 20;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	assert_int_equal(bind(fd, (struct sockaddr *)&to, len), 0);
	return take_fd(&fd);
}

static void udp_send(int fd, const char *addr, int port, uint32_t number, size_t len)
{
	char data[1472] = {0};
	struct net_addr a = lab_addr(addr);
	struct sockaddr_storage to;
	socklen_t n = lab_sockaddr(&a, port, &to);

	memcpy(data, &number, sizeof(number));
	assert_int_equal(sendto(fd, data, len, 0, (struct sockaddr *)&to, n), len);
}

/* The next datagram's number; -1: none within ms. */
static int64_t udp_next(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint32_t number;

	if (poll(&p, 1, ms) != 1 || recv(fd, &number, sizeof(number), MSG_TRUNC) < 4)
		return -1;
	return number;
}

static int take(struct lab *l, struct net_hold_stats *stats)
{
	return ok(net_hold_take(&l->hold, stats, &e));
}

/* In order, each once; what the container sends passes until that way is closed, too. */
static void test_held(void **state)
{
	struct net_hold_stats taken, given;
	struct lab l;
	const char *names[1];

	(void)state;
	make_lab(&l);
	names[0] = l.ib.host_name;
	auto_fd int a = udp_at(l.a, A4, 5), b = udp_at(l.b, B4, 5), a6 = udp_at(l.a, "fd00::2", 5),
		    b6 = udp_at(l.b, B6, 5);
	lock_lab(&l, true);
	for (uint32_t i = 0; i < 3; i++)
		udp_send(a, B4, 5, i, 100);
	udp_send(a6, B6, 5, 3, 100);
	assert_int_equal(udp_next(b, 50), -1);
	udp_send(b, A4, 5, 7, 100);
	assert_int_equal(udp_next(a, 5000), 7);
	ok(net_lock_engage(l.lock, names, 1, NET_LOCK_FROM, 0, &e));
	udp_send(b, A4, 5, 8, 100);
	assert_int_equal(udp_next(a, 50), -1);
	auto_fd int batch = take(&l, &taken);
	auto_fd int sock = ok(net_hold_socket(&e));
	auto_fd int empty = -EBADF;
	assert_int_equal(taken.frames, 4);
	assert_int_equal(taken.bytes, 3 * (14 + 20 + 8 + 100) + 14 + 40 + 8 + 100);
	empty = take(&l, &taken);
	assert_int_equal(taken.frames, 0);
	own_close_fd(&l.lock);
	ok(net_hold_replay(sock, &l.ib, 1, empty, &given, &e));
	assert_int_equal(given.frames + given.refused, 0);
	ok(net_hold_replay(sock, &l.ib, 1, batch, &given, &e));
	assert_int_equal(given.frames, 4);
	assert_int_equal(given.refused, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(udp_next(b, 5000), i);
	assert_int_equal(udp_next(b6, 5000), 3);
	assert_int_equal(udp_next(b, 50), -1);
	drop_lab(&l);
}

/* The oldest are kept: by their number, and by their size. Without the tap the lock only drops. */
static void test_bounds(void **state)
{
	static const size_t sizes[] = {4, 1472};
	struct lab l;

	(void)state;
	make_lab(&l);
	auto_fd int a = udp_at(l.a, A4, 5), b = udp_at(l.b, B4, 5);
	auto_fd int sock = ok(net_hold_socket(&e));
	/* The bridge's and neighbours' own frames take some places in the queue, and are not taken. */
	for (size_t s = 0; s < 2; s++) {
		struct net_hold_stats taken, given;
		auto_fd int batch = -EBADF;
		struct stat st;

		lock_lab(&l, true);
		for (uint32_t i = 0; i < NET_HOLD_FRAMES_MAX + 500; i++)
			udp_send(a, B4, 5, i, sizes[s]);
		batch = take(&l, &taken);
		assert_int_equal(fstat(batch, &st), 0);
		assert_int_equal(st.st_size, taken.bytes + 4 * (uint64_t)taken.frames);
		assert_true(st.st_size <= NET_HOLD_BYTES_MAX);
		if (s == 0)
			assert_in_range(taken.frames, NET_HOLD_FRAMES_MAX - 50,
					NET_HOLD_FRAMES_MAX);
		else
			assert_in_range(taken.frames, NET_HOLD_BYTES_MAX / 1600,
					NET_HOLD_BYTES_MAX / 1400);
		own_close_fd(&l.lock);
		net_hold_close(&l.hold);
		ok(net_hold_replay(sock, &l.ib, 1, batch, &given, &e));
		assert_int_equal(given.frames, taken.frames);
		for (unsigned i = 0; i < given.frames; i++)
			assert_int_equal(udp_next(b, 5000), i);
		assert_int_equal(udp_next(b, 50), -1);
	}
	lock_lab(&l, false);
	udp_send(a, B4, 5, 1, 100);
	assert_int_equal(udp_next(b, 50), -1);
	own_close_fd(&l.lock);
	udp_send(a, B4, 5, 2, 100);
	assert_int_equal(udp_next(b, 5000), 2);
	drop_lab(&l);
}

/* UDP to b's port 5, checksum 0: none. */
static size_t udp_frame(uint8_t *f, const uint8_t *mac, const char *dst)
{
	struct net_addr s = lab_addr(A4), d = lab_addr(dst);
	uint32_t sum = 0;

	memset(f, 0, 64);
	memcpy(f, mac, 6);
	f[6] = 2;
	memcpy(f + 12, (uint8_t[]){8, 0, 0x45}, 3);
	f[17] = 32;
	f[22] = 64;
	f[23] = IPPROTO_UDP;
	memcpy(f + 26, s.bytes, 4);
	memcpy(f + 30, d.bytes, 4);
	for (int i = 14; i < 34; i += 2)
		sum += (uint32_t)(f[i] << 8 | f[i + 1]);
	sum = ~((sum & 0xffff) + (sum >> 16));
	f[24] = (uint8_t)(sum >> 8);
	f[25] = (uint8_t)sum;
	f[35] = f[37] = 5;
	f[39] = 12;
	return 46;
}

static void put(int batch, uint32_t length, const void *frame, size_t n)
{
	length = htole32(length);
	assert_int_equal(write(batch, &length, 4), 4);
	assert_int_equal(write(batch, frame, n), n);
}

/* Sent by a lying source: only what is for this container's station and address passes, and no number leads out of the batch. */
static void test_foreign(void **state)
{
	struct net_hold_stats given;
	uint8_t f[2048], other[6] = {2, 0, 0, 0, 0, 9}, all[6] = {255, 255, 255, 255, 255, 255};
	struct net_addr own = lab_addr(B4);
	struct err why = {0};
	struct lab l;
	size_t n;

	(void)state;
	make_lab(&l);
	auto_fd int b = udp_at(l.b, "0.0.0.0", 5);
	auto_fd int sock = ok(net_hold_socket(&e));
	auto_fd int batch = memfd_create("batch", MFD_CLOEXEC);
	n = udp_frame(f, other, B4);
	put(batch, (uint32_t)n, f, n);
	n = udp_frame(f, all, B4);
	put(batch, (uint32_t)n, f, n);
	n = udp_frame(f, l.ib.mac, "10.209.0.4");
	put(batch, (uint32_t)n, f, n);
	n = udp_frame(f, l.ib.mac, "10.209.255.255");
	put(batch, (uint32_t)n, f, n);
	n = udp_frame(f, l.ib.mac, B4);
	f[14] = 0x65; /* IPv6 in an IPv4 frame */
	put(batch, (uint32_t)n, f, n);
	n = udp_frame(f, l.ib.mac, B4);
	memcpy(f + 12, (uint8_t[]){0x86, 0xdd, 0x60}, 3); /* too short to have an IPv6 address */
	put(batch, (uint32_t)n, f, n);
	n = udp_frame(f, l.ib.mac, B4);
	memmove(f + 16, f + 12, n - 12);
	memcpy(f + 12, (uint8_t[]){0x81, 0, 0, 5}, 4); /* a tag */
	put(batch, (uint32_t)n + 4, f, n + 4);
	n = net_frame_arp(f, 2, other, own.bytes, own.bytes);
	put(batch, (uint32_t)n, f, n);
	memset(f + 42, 0, sizeof(f) - 42);
	udp_frame(f, l.ib.mac, B4);
	put(batch, 1800, f, 1800); /* longer than the link takes */
	n = udp_frame(f, l.ib.mac, B4);
	put(batch, (uint32_t)n, f, n);
	ok(net_hold_replay(sock, &l.ib, 1, batch, &given, &e));
	assert_int_equal(given.refused, 9);
	assert_int_equal(given.frames, 1);
	assert_int_equal(udp_next(b, 5000), 0);
	assert_int_equal(udp_next(b, 50), -1);
	/* Lengths that lie; a frame before them has been given. */
	for (int i = 0; i < 4; i++) {
		static const uint32_t lies[] = {47, 0, 0xffffffff, NET_HOLD_FRAME_MAX + 1};

		assert_int_equal(ftruncate(batch, 0), 0);
		lseek(batch, 0, SEEK_SET);
		put(batch, 46, f, 46);
		put(batch, lies[i], f, 46);
		memset(&why, 0, sizeof(why));
		assert_int_equal(net_hold_replay(sock, &l.ib, 1, batch, &given, &why), -EPROTO);
		assert_int_equal(given.frames, 1);
	}
	assert_int_equal(ftruncate(batch, 50 + 3), 0);
	assert_int_equal(net_hold_replay(sock, &l.ib, 1, batch, &given, &(struct err){0}), -EPROTO);
	assert_int_equal(ftruncate(batch, NET_HOLD_BYTES_MAX + 1), 0);
	assert_int_equal(net_hold_replay(sock, &l.ib, 1, batch, &given, &(struct err){0}), -EPROTO);
	assert_int_equal(given.frames, 0);
	drop_lab(&l);
}

/* b's namespace gets another link, as it would on another host: same station, same addresses. */
static void move_b(struct lab *l)
{
	ok(net_if_destroy(l->ib.host_name, false, &e));
	net_if_host_name("b", l->ib.host_name);
	ok(net_if_create(&l->ib, l->b, &e));
	ok(net_announce(&l->ib, l->b, &e));
}

#define BULK	60000
#define HOLD_MS 300

/*
 * TCP tries again by itself after RETRY, not the usual 200 ms: so long that what comes before that, however slow this machine is, came of the held
 * frames. For connections to be made.
 */
#define RETRY "4s"
static void retry_late(int netns, const char *family, const char *subnet, const char *metric)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (setns(netns, CLONE_NEWNET) == 0)
			execlp("ip", "ip", family, "route", "change", subnet, "metric", metric,
			       "dev", "eth0", "rto_min", RETRY, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Milliseconds from the release until b has all that a has sent into the lock. */
static double tcp_gap(const char *addr, bool hold)
{
	static char data[BULK], got[BULK];
	auto_fd int server = -EBADF, sock = ok(net_hold_socket(&e)), batch = -EBADF;
	struct net_hold_stats taken, given;
	size_t have = 0;
	uint64_t released;
	struct lab l;

	make_lab(&l);
	if (strchr(addr, ':'))
		retry_late(l.a, "-6", "fd00::/64", "256");
	else
		retry_late(l.a, "-4", "10.209.0.0/16", "0");
	auto_fd int client = lab_connect(l.a, l.b, addr, 99, LAB_SOON_MS, &server, NULL);
	assert_true(client >= 0);
	for (size_t i = 0; i < BULK; i++)
		data[i] = (char)(i * 31 >> 3);
	lock_lab(&l, hold);
	/* One super-packet with a partial checksum. */
	assert_int_equal(send(client, data, BULK, 0), BULK);
	poll(NULL, 0, HOLD_MS);
	batch = take(&l, &taken);
	if (hold)
		assert_true(taken.frames >= 10);
	own_close_fd(&l.lock);
	move_b(&l);
	released = log_now_ns();
	ok(net_hold_replay(sock, &l.ib, 1, batch, &given, &e));
	assert_int_equal(given.frames, taken.frames);
	while (have < BULK) {
		struct pollfd p = {.fd = server, .events = POLLIN};
		ssize_t n;

		assert_int_equal(poll(&p, 1, 20000), 1);
		n = recv(server, got + have, BULK - have, 0);
		assert_true(n > 0);
		have += (size_t)n;
	}
	released = log_now_ns() - released;
	assert_memory_equal(data, got, BULK);
	drop_lab(&l);
	return (double)released / 1e6;
}

static void test_tcp(void **state)
{
	static const char *const addrs[] = {B4, B6};

	(void)state;
	for (int i = 0; i < 2; i++) {
		double with = tcp_gap(addrs[i], true), without;

		if (lab_setup(NULL))
			fail();
		without = tcp_gap(addrs[i], false);
		print_message("%s: after the release %.1f ms with the held frames, %.1f without\n",
			      addrs[i], with, without);
		assert_true(with < without / 2);
		if (lab_setup(NULL))
			fail();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_held, lab_setup),
		cmocka_unit_test_setup(test_bounds, lab_setup),
		cmocka_unit_test_setup(test_foreign, lab_setup),
		cmocka_unit_test_setup(test_tcp, lab_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
