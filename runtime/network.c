// SPDX-License-Identifier: GPL-2.0-only
/* Bridges and links of a system container: noted in the ledger, then made. */
#include "runtime/network.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/own.h"
#include "net/announce.h"
#include "net/bridge.h"
#include "net/nat.h"
#include "net/pool.h"
#include "net/veth.h"
#include "runtime/bridge_claim.h"
#include "runtime/ledger.h"
#include "runtime/system.h"

static int note_bridge(struct ct *ct, const char *name, struct err *e)
{
	int r = fault_at("start.bridge", e);

	return r < 0 ? r : ct_ledger_add(ct->dir, CT_LEDGER_BRIDGE, name, e);
}

/* The host's own bridge has the pools' first addresses and, if the operator wants it, NAT; another one is used as it is. */
static int make_bridge(const struct ct_conf *conf, const char *name, struct err *e)
{
	const struct net_addr pools[2] = {conf->pool4, conf->pool6};
	struct net_addr gateways[2] = {0}, subnets[2];
	bool own = !strcmp(name, conf->bridge);
	size_t n = 0;
	int r;

	for (size_t i = 0; own && i < ARRAY_SIZE(pools); i++) {
		if (!pools[i].family)
			continue;
		gateways[n] = net_pool_gateway(&pools[i]);
		subnets[n++] = pools[i];
	}
	r = net_bridge_ensure(name, gateways, n, e);
	if (r > 0 && !own)
		log_warn(
			"bridge %s was not there: it was made, with no address and no link of this host in it",
			name);
	if (r < 0 || !own || !conf->nat)
		return r < 0 ? r : 0;
	return net_nat_ensure(name, subnets, n, e);
}

int ct_system_network_ground(struct ct_system *s, struct ct *ct, struct err *e)
{
	const struct ct_definition *d = &s->d;
	auto_fd int lock = -EBADF;

	for (unsigned i = 0; d->network == CT_NETWORK_PRIVATE && i < d->net_count; i++) {
		const char *name = d->nets[i].bridge[0] ? d->nets[i].bridge : s->host->conf.bridge;
		int r;

		if (d->nets[i].mode != NET_MODE_BRIDGE)
			continue;
		if (lock < 0)
			lock = ct_ledger_lock_net(e);
		if (lock < 0)
			return lock;
		r = note_bridge(ct, name, e);
		if (r >= 0)
			r = ct_bridge_claim(name, e);
		if (r >= 0)
			r = make_bridge(&s->host->conf, name, e);
		if (r < 0)
			return err_class(e, ERR_NETWORK);
	}
	return 0;
}

/* One line an address: what net_routed_remove() wants to know. */
static int note_routes(struct ct *ct, const struct net_if *ifc, struct err *e)
{
	char addr[NET_ADDR_STR_MAX], line[160];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ifc->addr_count; i++) {
		snprintf(line, sizeof(line), "%s %s %s", ifc->host_name,
			 net_addr_to_str(&ifc->addrs[i], addr), ifc->uplink[0] ? ifc->uplink : "-");
		r = ct_ledger_add(ct->dir, CT_LEDGER_ROUTE, line, e);
	}
	return r;
}

#define SEED_MAX 400

/* What of a host link's name does not change from start to start. */
static void put_seed(char seed[SEED_MAX], const char *state_root, const char *name, unsigned n)
{
	snprintf(seed, SEED_MAX, "%s/%s/%u", state_root, name, n);
}

bool ct_network_is_ours(const char *state_root, const char *host_name, const char *alias)
{
	if (strncmp(alias, "skep:", 5))
		return false;
	for (unsigned n = 0; n < CT_NETS_MAX; n++) {
		char seed[SEED_MAX];

		put_seed(seed, state_root, alias + 5, n);
		if (net_if_host_name_is(host_name, seed))
			return true;
	}
	return false;
}

int ct_network_note(struct ct *ct, const struct ct_definition *d, unsigned n, struct net_if *ifc,
		    struct err *e)
{
	char seed[SEED_MAX];
	int r;

	*ifc = d->nets[n];
	put_seed(seed, ct->state_root, d->name, n);
	net_if_host_name(seed, ifc->host_name);
	snprintf(ifc->alias, sizeof(ifc->alias), "%s", d->name);
	r = ct_ledger_add(ct->dir, CT_LEDGER_LINK, ifc->host_name, e);
	if (r >= 0 && ifc->mode == NET_MODE_ROUTED)
		r = note_routes(ct, ifc, e);
	return r;
}

int ct_system_network_up(struct ct_system *s, struct ct *ct, int netns, struct err *e)
{
	const struct ct_definition *d = &s->d;

	if (d->network != CT_NETWORK_PRIVATE)
		return 0;
	if (d->net_count == 0)
		return net_loopback_up(netns, e);
	for (unsigned i = 0; i < d->net_count; i++) {
		struct net_if ifc;
		int r = ct_network_note(ct, d, i, &ifc, e);

		if (r >= 0)
			r = fault_at("start.link", e);
		if (r >= 0)
			r = net_if_create(&ifc, netns, e);
		if (r < 0)
			return err_class(e, ERR_NETWORK);
	}
	return 0;
}

int ct_system_announce_open(const struct ct_system *s, int netns, int socks[CT_NETS_MAX],
			    struct err *e)
{
	int r = 0;

	for (unsigned i = 0; i < CT_NETS_MAX; i++)
		socks[i] = -EBADF;
	for (unsigned i = 0; s->d.network == CT_NETWORK_PRIVATE && i < s->d.net_count; i++) {
		const struct net_if *ifc = &s->d.nets[i];

		if (ifc->mode == NET_MODE_BRIDGE)
			r = net_announce_open(netns, ifc->name, ifc->addrs, ifc->addr_count, e);
		else if (ifc->uplink[0])
			r = net_announce_open(-1, ifc->uplink, ifc->addrs, ifc->addr_count, e);
		else
			continue;
		if (r < 0)
			return r;
		socks[i] = r;
	}
	return 0;
}

void ct_system_announce_close(int socks[CT_NETS_MAX])
{
	for (unsigned i = 0; i < CT_NETS_MAX; i++)
		own_close_fd(&socks[i]);
}

int ct_system_announce(struct ct_system *s, struct ct *ct, int netns, struct err *e)
{
	int socks[CT_NETS_MAX];
	int r = ct_system_announce_open(s, netns, socks, e);

	(void)ct;
	ct_system_announce_close(socks);
	return r;
}

struct found {
	char names[64][IFNAMSIZ];
	int n;
};

static int find_link(enum ct_ledger_kind kind, const char *name, void *arg, struct err *e)
{
	struct found *f = arg;

	(void)e;
	if (kind == CT_LEDGER_LINK && f->n < (int)ARRAY_SIZE(f->names))
		snprintf(f->names[f->n++], IFNAMSIZ, "%.15s", name);
	return 0;
}

int ct_network_links(const struct ct *ct, char names[CT_NETS_MAX][IFNAMSIZ], struct err *e)
{
	struct found f = {.n = 0};
	int r = ct_ledger_walk(ct->dir, find_link, &f, e);
	int n = f.n > CT_NETS_MAX ? CT_NETS_MAX : f.n;

	/* The walk is newest first. */
	for (int i = 0; i < n; i++)
		snprintf(names[i], IFNAMSIZ, "%s", f.names[n - 1 - i]);
	return r < 0 ? r : n;
}
