// SPDX-License-Identifier: GPL-2.0-only
/* Definitions: defaults, the judge, the file. */
#include "runtime/definition.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/err.h"
#include "base/own.h"
#include "base/path.h"
#include "base/size.h"
#include "ns/caps.h"
#include "runtime/preset.h"
#include "runtime/signal_name.h"
#include "storage/disk.h"

#define LEAST_RATE_BITS 8000
#define MOST_STOP_S	86400
#define OPENVZ_STOP_S	120
#define MOST_DISK_BYTES (16ULL << 40) /* of ext4 with 4 KiB blocks */

/* A random one (RFC 9562, version 4). */
static void new_uuid(char out[37])
{
	unsigned char b[16] = {0};

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		abort(); /* never fails for 16 bytes once the pool is ready, and it waits for that (getrandom(2)) */
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		 b[13], b[14], b[15]);
}

void ct_definition_init(struct ct_definition *d, const char *name)
{
	memset(d, 0, sizeof(*d));
	snprintf(d->name, sizeof(d->name), "%s", name);
	new_uuid(d->uuid);
	d->network = CT_NETWORK_PRIVATE;
	d->stop_timeout_s = OPENVZ_STOP_S;
}

static const char *const netfilter_names[] = {
#define X(name, text) [CT_NETFILTER_##name] = text,
	CT_NETFILTERS(X)
#undef X
};

#define bad_value(e, ...)                                 \
	({                                                \
		int _r = err_set(e, EINVAL, __VA_ARGS__); \
		err_class(e, ERR_VALUE);                  \
		_r;                                       \
	})

const char *ct_netfilter_to_str(enum ct_netfilter netfilter)
{
	return (size_t)netfilter < ARRAY_SIZE(netfilter_names) ? netfilter_names[netfilter] : NULL;
}

int ct_netfilter_parse(const char *text, enum ct_netfilter *out, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(netfilter_names); i++)
		if (!strcmp(text, netfilter_names[i])) {
			*out = (enum ct_netfilter)i;
			return 0;
		}
	if (!strcmp(text, "stateless") || !strcmp(text, "stateful"))
		bad_value(
			e,
			"'%s' cannot be had: Linux gives a container all of netfilter, or nothing",
			text);
	else
		bad_value(e, "'%.64s' is not disabled or full", text);
	return err_hint(
		e,
		"disabled: no nftables, iptables, ipset and conntrack inside; full: all of them");
}

/*
 * What is shown on terminals and written into files line by line: no control characters (C0, DEL, and C1, which a terminal takes for escapes,
 * too), and UTF-8, for jansson and for people.
 */
static int check_text(const char *what, const char *text, size_t size, struct err *e)
{
	auto_json json_t *utf8 = NULL;

	if (strnlen(text, size) == size)
		return bad_value(e, "%s is too long", what);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
			return bad_value(e, "%s has a control character", what);
	utf8 = json_string(text);
	return utf8 ? 0 : bad_value(e, "%s is not UTF-8", what);
}

static int check_words(const char *what, const char *words, size_t width, struct err *e)
{
	bool ended = false;

	for (size_t i = 0; i < CT_WORDS_MAX; i++) {
		if (check_text(what, words + i * width, width, e) < 0)
			return -e->no;
		if (words[i * width] && ended)
			return bad_value(e, "%s has an empty entry", what);
		ended = !words[i * width];
	}
	return 0;
}

static int check_hostname(const char *name, struct err *e)
{
	size_t len = strlen(name);

	if (!len)
		return 0;
	if (!isalnum((unsigned char)name[0]) || !isalnum((unsigned char)name[len - 1]) ||
	    strstr(name, ".."))
		return bad_value(e, "hostname '%s' is not of the form a-b.c", name);
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '.')
			return bad_value(e, "hostname '%s' has a '%c'", name, *p);
	return 0;
}

static bool is_uuid(const char *s)
{
	for (int i = 0; i < 36; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? s[i] != '-'
							    : !isxdigit((unsigned char)s[i]))
			return false;
	return s[36] == '\0';
}

static int check_caps(const char *what, const char list[][32], struct err *e)
{
	for (int i = 0; i < CT_WORDS_MAX && list[i][0]; i++) {
		int cap;

		if (ns_caps_from_str(list[i], &cap, e) < 0) {
			e->class = ERR_VALUE;
			return err_wrap(e, "%s", what);
		}
	}
	return 0;
}

int ct_cpu_list_check(const char *what, const char *text, struct err *e)
{
	const char *p = text;

	while (*p) {
		char *end;
		unsigned long first, last;

		if (!isdigit((unsigned char)*p))
			break;
		first = last = strtoul(p, &end, 10);
		if (*end == '-' && isdigit((unsigned char)end[1]))
			last = strtoul(end + 1, &end, 10);
		if (last < first || last > 8191 || (*end && *end != ',') ||
		    (*end == ',' && !end[1]))
			break;
		p = *end ? end + 1 : end;
	}
	return *p ? bad_value(e, "%s '%s' is not a list like 0-3,6", what, text) : 0;
}

static int check_cpu_list(const char *what, const char *text, size_t size, struct err *e)
{
	return check_text(what, text, size, e) < 0 ? -e->no : ct_cpu_list_check(what, text, e);
}

static int check_limits(const struct cg_limits *l, struct err *e)
{
	struct cg_limits scratch = {0};

	for (int i = 0; i < CG_LIMIT_COUNT; i++)
		if (l->set[i] && cg_limit_set(&scratch, (enum cg_limit)i, l->value[i], e) < 0)
			return -e->no;
	if (l->set[CG_LIMIT_CPU_PERIOD] && !l->set[CG_LIMIT_CPU_QUOTA])
		return bad_value(e, "a cpu period means nothing without a cpu quota");
	if (check_cpu_list("cpu list", l->cpus, sizeof(l->cpus), e) < 0 ||
	    check_cpu_list("memory node list", l->mems, sizeof(l->mems), e) < 0)
		return -e->no;
	if (l->io_count > CG_IO_LIMITS)
		return bad_value(e, "limits for more than %d block devices", CG_IO_LIMITS);
	for (size_t i = 0; i < l->io_count; i++) {
		const struct cg_io_limit *io = &l->io[i];
		const uint64_t rates[] = {io->rbps, io->wbps, io->riops, io->wiops};

		if (io->major > 4095 || io->minor > 1048575)
			return bad_value(e, "block device %u:%u: no such number", io->major,
					 io->minor);
		for (size_t k = 0; k < ARRAY_SIZE(rates); k++)
			if (rates[k] > INT64_MAX && rates[k] != CG_UNLIMITED)
				return bad_value(e, "block device %u:%u: a rate out of range",
						 io->major, io->minor);
	}
	return 0;
}

/* The first and the last of an IPv4 network are the network itself and all in it; one of 31 bits or more has neither. */
static bool is_nobodys(const struct net_addr *a)
{
	uint32_t addr, mask;

	memcpy(&addr, a->bytes, sizeof(addr));
	if (a->prefix == 0 || a->prefix > 30)
		return false;
	mask = UINT32_MAX >> a->prefix;
	return (ntohl(addr) & mask) == 0 || (ntohl(addr) & mask) == mask;
}

/* An address that can be a host's. 0.0.0.0 and :: may stand here before the create, which picks one. */
static int check_addr(const struct net_if *ifc, const struct net_addr *a, struct err *e)
{
	char text[NET_ADDR_STR_MAX];
	bool bad = a->family == AF_INET
			   ? a->bytes[0] == 127 || a->bytes[0] >= 224 ||
				     (!ct_addr_unpicked(a) && (a->bytes[0] == 0 || is_nobodys(a)))
			   : a->bytes[0] == 0xff ||
				     !memcmp(a->bytes, &in6addr_loopback, sizeof(in6addr_loopback));

	return bad ? bad_value(e, "%s: %s cannot be a container's address", ifc->name,
			       net_addr_to_host_str(a, text))
		   : 0;
}

bool ct_addr_unpicked(const struct net_addr *a)
{
	static const uint8_t zero[16];

	return a->family && !memcmp(a->bytes, zero, net_addr_len(a));
}

/* What each start adds, and what a create still has to fill, stands in for itself. */
static int check_net(const struct net_if *ifc, struct err *e)
{
	struct net_if full = *ifc;

	snprintf(full.host_name, sizeof(full.host_name), "later");
	if (!full.bridge[0])
		snprintf(full.bridge, sizeof(full.bridge), NET_DEFAULT_BRIDGE);
	if (net_mac_is_zero(full.mac))
		full.mac[0] = 2;
	if (net_if_check(&full, e) < 0)
		return -e->no;
	if (ifc->rate_bits && (ifc->rate_bits < LEAST_RATE_BITS || ifc->rate_bits > INT64_MAX))
		return bad_value(e, "%s: a rate of %" PRIu64 " bits a second: want at least %d",
				 ifc->name, ifc->rate_bits, LEAST_RATE_BITS);
	for (size_t i = 0; i < ifc->addr_count; i++)
		if (check_addr(ifc, &ifc->addrs[i], e) < 0)
			return -e->no;
	return 0;
}

static int check_twice(const struct net_if *a, const struct net_if *b, struct err *e)
{
	char text[NET_ADDR_STR_MAX];

	if (a != b && !strcmp(a->name, b->name))
		return bad_value(e, "two interfaces are named %s", a->name);
	if (a != b && !net_mac_is_zero(a->mac) && !memcmp(a->mac, b->mac, 6))
		return bad_value(e, "%s and %s have the same MAC address", a->name, b->name);
	for (size_t i = 0; i < a->addr_count; i++)
		for (size_t k = 0; k < b->addr_count; k++)
			if (&a->addrs[i] != &b->addrs[k] && !ct_addr_unpicked(&a->addrs[i]) &&
			    net_addr_same(&a->addrs[i], &b->addrs[k]))
				return bad_value(e, "address %s is given twice",
						 net_addr_to_host_str(&a->addrs[i], text));
	return 0;
}

static int check_nets(const struct ct_definition *d, struct err *e)
{
	if (d->net_count > CT_NETS_MAX)
		return bad_value(e, "more than %d network interfaces", CT_NETS_MAX);
	if (d->network != CT_NETWORK_PRIVATE && d->network != CT_NETWORK_HOST)
		return bad_value(e, "network %d is of no kind", (int)d->network);
	if (d->network == CT_NETWORK_HOST && d->net_count)
		return bad_value(
			e, "a container in the host's network has no interfaces of its own (%s)",
			d->nets[0].name);
	for (unsigned i = 0; i < d->net_count; i++)
		if (check_net(&d->nets[i], e) < 0)
			return -e->no;
	for (unsigned i = 0; i < d->net_count; i++)
		for (unsigned k = 0; k <= i; k++)
			if (check_twice(&d->nets[k], &d->nets[i], e) < 0)
				return -e->no;
	return 0;
}

static int check_strings(const struct ct_definition *d, struct err *e)
{
	char what[64];

	if (check_text("description", d->description, sizeof(d->description), e) < 0 ||
	    check_text("hostname", d->hostname, sizeof(d->hostname), e) < 0 ||
	    check_text("stop signal", d->stop_signal, sizeof(d->stop_signal), e) < 0 ||
	    check_words("init", d->init[0], sizeof(d->init[0]), e) < 0 ||
	    check_words("env", d->env[0], sizeof(d->env[0]), e) < 0 ||
	    check_words("cap_add", d->cap_add[0], sizeof(d->cap_add[0]), e) < 0 ||
	    check_words("cap_drop", d->cap_drop[0], sizeof(d->cap_drop[0]), e) < 0 ||
	    check_hostname(d->hostname, e) < 0)
		return -e->no;
	if (strnlen(d->preset, sizeof(d->preset)) == sizeof(d->preset) || !ct_preset_ok(d->preset))
		return bad_value(e, "there is no preset '%.30s'", d->preset);
	for (int i = 0; i < CT_WORDS_MAX && d->env[i][0]; i++) {
		const char *equals = strchr(d->env[i], '=');

		if (!equals || equals == d->env[i]) {
			snprintf(what, sizeof(what), "%.60s", d->env[i]);
			return bad_value(e, "env '%s' is not NAME=VALUE", what);
		}
	}
	return 0;
}

int ct_definition_check(const struct ct_definition *d, struct err *e)
{
	char size[32];

	if (strnlen(d->name, sizeof(d->name)) == sizeof(d->name) ||
	    strnlen(d->template, sizeof(d->template)) == sizeof(d->template))
		return bad_value(e, "the container's or template's name is too long");
	if (path_name_check("container", d->name, e) < 0 ||
	    path_name_check("template", d->template, e) < 0) {
		e->class = ERR_VALUE;
		return -e->no;
	}
	if (d->uuid[0] && (strnlen(d->uuid, sizeof(d->uuid)) != 36 || !is_uuid(d->uuid)))
		return bad_value(e, "uuid is malformed");
	if (check_strings(d, e) < 0 || check_caps("cap_add", d->cap_add, e) < 0 ||
	    check_caps("cap_drop", d->cap_drop, e) < 0)
		return -e->no;
	if (!ct_netfilter_to_str(d->netfilter))
		return bad_value(e, "netfilter %d is of no kind", (int)d->netfilter);
	if (d->stop_signal[0] && ct_signal_from_str("stop signal", d->stop_signal, e) < 0)
		return -e->no;
	if (d->stop_timeout_s < 0 || d->stop_timeout_s > MOST_STOP_S)
		return bad_value(e, "stop timeout of %d s: want 0 to %d", d->stop_timeout_s,
				 MOST_STOP_S);
	/* Below: the host's own users. Above: -1, which is nobody's. */
	if (d->id_base && (d->id_base < CT_ID_COUNT || d->id_base > UINT32_MAX - CT_ID_COUNT))
		return bad_value(e, "id_base %" PRIu32 " leaves no room for %d ids", d->id_base,
				 CT_ID_COUNT);
	if (d->disk_bytes &&
	    (d->disk_bytes < ST_DISK_LEAST_BYTES || d->disk_bytes > MOST_DISK_BYTES))
		return bad_value(e, "a disk of %s: it takes 4M to 16T",
				 size_to_str(d->disk_bytes, size, sizeof(size)));
	return check_limits(&d->limits, e) < 0 ? -e->no : check_nets(d, e);
}

int ct_definition_check_complete(const struct ct_definition *d, struct err *e)
{
	if (!d->uuid[0] || !d->id_base)
		return bad_value(e, "container %s has no %s yet", d->name,
				 d->uuid[0] ? "id_base" : "uuid");
	for (unsigned i = 0; i < d->net_count; i++) {
		const struct net_if *ifc = &d->nets[i];

		if (net_mac_is_zero(ifc->mac))
			return bad_value(e, "%s has no MAC address yet", ifc->name);
		if (ifc->mode == NET_MODE_BRIDGE && !ifc->bridge[0])
			return bad_value(e, "%s has no bridge yet", ifc->name);
		for (size_t k = 0; k < ifc->addr_count; k++)
			if (ct_addr_unpicked(&ifc->addrs[k]))
				return bad_value(e, "%s has no address yet", ifc->name);
	}
	return 0;
}

int ct_definition_load_as(int dir, const char *file, struct ct_definition *d, struct err *e)
{
	auto_json json_t *j = NULL;

	if (json_load_at(dir, file, &j, e) < 0)
		return -e->no;
	return ct_definition_from_json(j, d, e) < 0 ? err_wrap(e, "%s", file) : 0;
}

int ct_definition_load(int dir, struct ct_definition *d, struct err *e)
{
	return ct_definition_load_as(dir, CT_DEFINITION_FILE, d, e);
}

int ct_definition_save(int dir, const struct ct_definition *d, struct err *e)
{
	auto_json json_t *j = NULL;

	if (ct_definition_to_json(d, &j, e) < 0)
		return -e->no;
	return json_save_at(dir, CT_DEFINITION_FILE, j, e);
}
