// SPDX-License-Identifier: GPL-2.0-only
// What a container's network interface is: plain data, its text forms, and where its MAC and host name come from.
#include "net/iface.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/err.h"
#include "base/own.h"

static const char *const mode_names[] = {
#define X(name, text) [NET_MODE_##name] = text,
	NET_MODES(X)
#undef X
};

const char *net_mode_to_str(enum net_mode mode)
{
	return (size_t)mode < ARRAY_SIZE(mode_names) ? mode_names[mode] : "?";
}

/* A refusal of what the operator wrote. */
#define bad_value(e, ...)                                 \
	({                                                \
		int _r = err_set(e, EINVAL, __VA_ARGS__); \
		err_class(e, ERR_VALUE);                  \
		_r;                                       \
	})

int net_mode_parse(const char *text, enum net_mode *mode, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(mode_names); i++)
		if (!strcmp(text, mode_names[i])) {
			*mode = (enum net_mode)i;
			return 0;
		}
	return bad_value(e, "'%s' is no network mode: want bridge or routed", text);
}

int net_addr_parse(const char *text, struct net_addr *addr, struct err *e)
{
	struct net_addr a = {0};
	char host[NET_ADDR_STR_MAX];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	long most, prefix;
	char *end;

	if (!len || len >= sizeof(host))
		return bad_value(e, "'%s' is no IP address", text);
	memcpy(host, text, len);
	host[len] = '\0';
	a.family = strchr(host, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(a.family, host, a.bytes) != 1)
		return bad_value(e, "'%s' is no IP address", text);
	most = a.family == AF_INET ? 32 : 128;
	prefix = most;
	if (slash) {
		prefix = strtol(slash + 1, &end, 10);
		if (!isdigit((unsigned char)slash[1]) || *end || prefix > most)
			return bad_value(e, "'%s': the prefix length must be 0 to %ld", text, most);
	}
	a.prefix = (uint8_t)prefix;
	*addr = a;
	return 0;
}

const char *net_addr_to_host_str(const struct net_addr *addr, char *buf)
{
	if (!addr->family || !inet_ntop(addr->family, addr->bytes, buf, NET_ADDR_STR_MAX))
		snprintf(buf, NET_ADDR_STR_MAX, "none");
	return buf;
}

const char *net_addr_to_str(const struct net_addr *addr, char *buf)
{
	size_t n;

	net_addr_to_host_str(addr, buf);
	n = strlen(buf);
	if (addr->family)
		snprintf(buf + n, NET_ADDR_STR_MAX - n, "/%u", addr->prefix);
	return buf;
}

size_t net_addr_len(const struct net_addr *addr)
{
	return addr->family == AF_INET ? 4 : 16;
}

bool net_addr_same(const struct net_addr *a, const struct net_addr *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, net_addr_len(a));
}

struct net_addr net_addr_network(const struct net_addr *addr)
{
	struct net_addr n = *addr;

	for (size_t i = 0; i < net_addr_len(addr); i++) {
		int bits = addr->prefix - (int)(8 * i);

		if (bits <= 0)
			n.bytes[i] = 0;
		else if (bits < 8)
			n.bytes[i] &= (uint8_t)(0xff << (8 - bits));
	}
	return n;
}

bool net_addr_within(const struct net_addr *subnet, const struct net_addr *addr)
{
	struct net_addr a = *addr, s = net_addr_network(subnet);

	if (a.family != s.family)
		return false;
	a.prefix = s.prefix;
	a = net_addr_network(&a);
	return net_addr_same(&a, &s);
}

int net_mac_parse(const char *text, uint8_t mac[6], struct err *e)
{
	uint8_t m[6];

	for (int i = 0; i < 6; i++) {
		const char *p = text + 3 * i;

		if (strlen(text) != 17 || !isxdigit((unsigned char)p[0]) ||
		    !isxdigit((unsigned char)p[1]) || (i < 5 && p[2] != ':'))
			return bad_value(e, "'%s' is no MAC address: want 02:00:00:00:00:05", text);
		m[i] = (uint8_t)strtoul((char[]){p[0], p[1], '\0'}, NULL, 16);
	}
	if (net_mac_is_zero(m) || (m[0] & 1))
		return bad_value(e, "'%s' cannot be an interface's own MAC address", text);
	memcpy(mac, m, 6);
	return 0;
}

const char *net_mac_to_str(const uint8_t mac[6], char buf[NET_MAC_STR_MAX])
{
	snprintf(buf, NET_MAC_STR_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return buf;
}

bool net_mac_is_zero(const uint8_t mac[6])
{
	static const uint8_t zero[6];

	return !memcmp(mac, zero, 6);
}

/* FNV-1a with a last mix: names that differ in their end only must differ in all bits. */
static uint64_t hash(const char *text)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3u;
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdu;
	return h ^ (h >> 33);
}

void net_mac_from_seed(const char *seed, uint8_t mac[6])
{
	uint64_t h = hash(seed);

	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)(h >> (8 * i));
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 0x02);
}

struct net_addr net_mac_link_local(const uint8_t mac[6])
{
	struct net_addr a = {.family = AF_INET6, .prefix = 64, .bytes = {0xfe, 0x80}};

	a.bytes[8] = mac[0] ^ 0x02;
	a.bytes[9] = mac[1];
	a.bytes[10] = mac[2];
	a.bytes[11] = 0xff;
	a.bytes[12] = 0xfe;
	memcpy(a.bytes + 13, mac + 3, 3);
	return a;
}

#define SEED_DIGITS 6

static void put_digits(char *out, uint64_t v)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

	for (int i = 0; i < SEED_DIGITS; i++, v >>= 5)
		out[i] = digits[v & 31];
}

void net_if_host_name(const char *seed, char out[IFNAMSIZ])
{
	uint64_t r = 0;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r)) {
		/* Early boot: the time and we ourselves differ at each call as well. */
		struct timespec t;

		clock_gettime(CLOCK_MONOTONIC, &t);
		r = (uint64_t)t.tv_nsec ^ ((uint64_t)getpid() << 30);
	}
	out[0] = 's';
	out[1] = 'k';
	put_digits(out + 2, hash(seed));
	put_digits(out + 2 + SEED_DIGITS, r);
	out[2 + 2 * SEED_DIGITS] = '\0';
}

bool net_if_host_name_is(const char *host_name, const char *seed)
{
	char digits[SEED_DIGITS];

	put_digits(digits, hash(seed));
	return strlen(host_name) == 2 + 2 * SEED_DIGITS && !strncmp(host_name, "sk", 2) &&
	       !memcmp(host_name + 2, digits, SEED_DIGITS);
}

bool net_link_name_ok(const char *name)
{
	size_t n = strnlen(name, IFNAMSIZ);

	if (!n || n >= IFNAMSIZ || !isalnum((unsigned char)name[0]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("_.-", name[i]))
			return false;
	return true;
}

int net_if_check(const struct net_if *ifc, struct err *e)
{
	char text[NET_ADDR_STR_MAX];

	if (!net_link_name_ok(ifc->name) || !strcmp(ifc->name, "lo"))
		return bad_value(e, "'%.15s' cannot name an interface", ifc->name);
	if (!net_link_name_ok(ifc->host_name))
		return bad_value(e, "'%.15s' cannot name the host's end of %s", ifc->host_name,
				 ifc->name);
	if (ifc->mode == NET_MODE_BRIDGE && !net_link_name_ok(ifc->bridge))
		return bad_value(e, "'%.15s' cannot name a bridge", ifc->bridge);
	if (*ifc->uplink && !net_link_name_ok(ifc->uplink))
		return bad_value(e, "'%.15s' cannot name an uplink", ifc->uplink);
	if (ifc->mtu && (ifc->mtu < 68 || ifc->mtu > 65535))
		return bad_value(e, "MTU %u of %s: want 68 to 65535", ifc->mtu, ifc->name);
	if (ifc->mac[0] & 1)
		return bad_value(e, "the MAC address of %s is a group's", ifc->name);
	if (ifc->guard && net_mac_is_zero(ifc->mac))
		return bad_value(e, "%s: anti-spoofing needs a MAC address", ifc->name);
	if (ifc->addr_count > NET_ADDRS_MAX)
		return bad_value(e, "%s: more than %d addresses", ifc->name, NET_ADDRS_MAX);
	for (size_t i = 0; i < ifc->addr_count; i++) {
		const struct net_addr *a = &ifc->addrs[i];

		if ((a->family != AF_INET && a->family != AF_INET6) ||
		    a->prefix > 8 * net_addr_len(a))
			return bad_value(e, "%s: address %s is malformed", ifc->name,
					 net_addr_to_str(a, text));
	}
	if ((ifc->gateway4.family && ifc->gateway4.family != AF_INET) ||
	    (ifc->gateway6.family && ifc->gateway6.family != AF_INET6))
		return bad_value(e, "%s: a gateway of the wrong family", ifc->name);
	return 0;
}
