// SPDX-License-Identifier: GPL-2.0-only
/* Ids, addresses and MACs: collected of all containers, picked, judged. */
#include "runtime/reservation.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/own.h"
#include "base/path.h"
#include "net/link.h"
#include "net/netlink.h"
#include "net/pool.h"
#include "ns/idrange.h"
#include "runtime/system_dir.h"

#define PROBE_MS 200

/* What the others have. who[i] belongs to addrs[i]; a MAC's owner is of no use in a message. */
struct taken {
	uint32_t *ids;
	struct net_addr *addrs;
	char (*who)[65];
	uint8_t (*macs)[6];
	size_t n_ids, n_addrs, n_macs;
};

static void taken_done(struct taken *t)
{
	free(t->ids);
	free(t->addrs);
	free(t->who);
	free(t->macs);
	*t = (struct taken){0};
}
#define auto_taken __attribute__((cleanup(taken_done)))

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory");
}

/* One more of an array. */
#define grow(array, n)                                                      \
	({                                                                  \
		void *_more = reallocarray(array, (n) + 1, sizeof(*array)); \
		if (_more)                                                  \
			(array) = _more;                                    \
		_more != NULL;                                              \
	})

static int take_id(struct taken *t, uint32_t id, struct err *e)
{
	if (!grow(t->ids, t->n_ids))
		return no_memory(e);
	t->ids[t->n_ids++] = id;
	return 0;
}

static int take_addr(struct taken *t, const struct net_addr *a, const char *who, struct err *e)
{
	if (!grow(t->addrs, t->n_addrs) || !grow(t->who, t->n_addrs))
		return no_memory(e);
	snprintf(t->who[t->n_addrs], sizeof(t->who[0]), "%s", who);
	t->addrs[t->n_addrs++] = *a;
	return 0;
}

static int take_mac(struct taken *t, const uint8_t mac[6], struct err *e)
{
	if (!grow(t->macs, t->n_macs))
		return no_memory(e);
	memcpy(t->macs[t->n_macs++], mac, 6);
	return 0;
}

static int take_definition(struct taken *t, const struct ct_definition *d, struct err *e)
{
	if (d->id_base && take_id(t, d->id_base, e) < 0)
		return -e->no;
	for (unsigned i = 0; i < d->net_count; i++) {
		const struct net_if *ifc = &d->nets[i];

		if (!net_mac_is_zero(ifc->mac) && take_mac(t, ifc->mac, e) < 0)
			return -e->no;
		for (size_t k = 0; k < ifc->addr_count; k++)
			if (!ct_addr_unpicked(&ifc->addrs[k]) &&
			    take_addr(t, &ifc->addrs[k], d->name, e) < 0)
				return -e->no;
	}
	return 0;
}

/* A container whose definition cannot be read still has its ids: two containers with the same ones could read each other's files. */
static int take_broken(struct taken *t, int dir, const char *name, const struct err *why,
		       struct err *e)
{
	struct stat st;

	if (fstatat(dir, "upper", &st, AT_SYMLINK_NOFOLLOW) == 0)
		return take_id(t, (uint32_t)st.st_uid / NS_IDRANGE_WIDTH * NS_IDRANGE_WIDTH, e);
	if (errno == ENOENT && faccessat(dir, "disk.img", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	err_set(e, why->no, "which ids container %s has cannot be found out: %s", name, why->text);
	err_hint(e, "repair its definition, or skepctl destroy --force %s", name);
	return err_class(e, ERR_CONFIG);
}

static int take_directory(struct taken *t, int containers, const char *name, struct err *e)
{
	auto_fd int dir = ct_dir_open(containers, name, false, NULL, 0, NULL, e);
	struct ct_definition d;
	enum ct_dir_kind kind;
	struct err why = {0};
	int r;

	if (dir < 0)
		return e->no ? -e->no : 0;
	r = ct_dir_load(dir, &kind, &d, &why);
	/* Renamed while we read: it has its other name by now. */
	if (r == -ENOENT) {
		err_clear(&why);
		r = ct_dir_load(dir, &kind, &d, &why);
	}
	if (r < 0)
		return take_broken(t, dir, name, &why, e);
	return kind == CT_DIR_REMNANT ? 0 : take_definition(t, &d, e);
}

static int collect(const struct ct_host *h, const char *but, struct taken *t, struct err *e)
{
	auto_fd int containers = ct_host_containers(h, e);
	auto_fd int again = -EBADF;
	auto_dir DIR *d = NULL;
	struct dirent *entry;

	if (containers < 0)
		return containers;
	again = openat(containers, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = again >= 0 ? fdopendir(again) : NULL;
	if (!d)
		return err_sys(e, "read the containers' directory");
	take_fd(&again);
	while ((entry = readdir(d)))
		if (path_name_ok(entry->d_name) && strcmp(entry->d_name, but) != 0 &&
		    take_directory(t, containers, entry->d_name, e) < 0)
			return -e->no;
	return 0;
}

static bool id_taken(const struct taken *t, uint32_t base)
{
	for (size_t i = 0; i < t->n_ids; i++)
		if (base < t->ids[i] + NS_IDRANGE_WIDTH && t->ids[i] < base + NS_IDRANGE_WIDTH)
			return true;
	return false;
}

static int reserve_ids(struct ct_definition *d, enum ct_reserve how, const struct taken *t,
		       struct err *e)
{
	struct ns_idrange_pool pool;

	if (d->id_base && !id_taken(t, d->id_base))
		return 0;
	if (d->id_base && how == CT_RESERVE_CREATE) {
		err_set(e, EBUSY, "ids from %u on belong to another container", d->id_base);
		return err_class(e, ERR_VALUE);
	}
	if (ns_idrange_pool_load(&pool, e) < 0)
		return -e->no;
	if (ns_idrange_pick(&pool, d->uuid, t->ids, t->n_ids, &d->id_base, e) < 0)
		return err_class(e, ERR_NO_SPACE);
	return 0;
}

static bool mac_taken(const struct taken *t, const uint8_t mac[6])
{
	for (size_t i = 0; i < t->n_macs; i++)
		if (!memcmp(t->macs[i], mac, 6))
			return true;
	return false;
}

static int reserve_mac(struct ct_definition *d, unsigned n, const struct taken *t, struct err *e)
{
	uint8_t *mac = d->nets[n].mac;
	char seed[128], text[NET_MAC_STR_MAX];

	if (!net_mac_is_zero(mac)) {
		if (!mac_taken(t, mac))
			return 0;
		err_set(e, EADDRINUSE, "%s: another container has the MAC address %s",
			d->nets[n].name, net_mac_to_str(mac, text));
		return err_class(e, ERR_ADDR_IN_USE);
	}
	for (unsigned i = 0; net_mac_is_zero(mac) || mac_taken(t, mac); i++) {
		snprintf(seed, sizeof(seed), "%s/%s/%u", d->uuid, d->nets[n].name, i);
		net_mac_from_seed(seed, mac);
	}
	return 0;
}

/* Whose addresses are looked at, and what for. */
struct wish {
	const struct ct_conf *conf;
	const char *name;
	enum ct_reserve how;
};

/* container: whose it is; NULL: this host itself has it. */
static int in_use(const struct wish *w, const struct net_if *ifc, const struct net_addr *a,
		  const char *container, struct err *e)
{
	char text[NET_ADDR_STR_MAX], by[96] = "this host, as its pool's gateway";

	if (container)
		snprintf(by, sizeof(by), "container %s", container);

	err_set(e, EADDRINUSE, "%s: address %s belongs to %s", ifc->name,
		net_addr_to_host_str(a, text), by);
	if (w->how == CT_RESERVE_CREATE)
		err_hint(e, "take another one, or let one be picked of the pool (auto)");
	else
		/* Read at the source. */
		err_hint(e,
			 "give it another one: skepctl set %s --ipdel %s --ip ADDRESS here%s%s%s",
			 w->name, text, container ? ", or the same for " : "",
			 container ? container : "", container ? " there" : "");
	return err_class(e, ERR_ADDR_IN_USE);
}

static int check_addr(const struct wish *w, const struct net_if *ifc, const struct net_addr *a,
		      const struct taken *t, struct err *e)
{
	const struct net_addr *pool = a->family == AF_INET ? &w->conf->pool4 : &w->conf->pool6;
	struct net_addr gateway;

	if (pool->family) {
		gateway = net_pool_gateway(pool);
		if (net_addr_same(&gateway, a))
			return in_use(w, ifc, a, NULL, e);
	}
	for (size_t i = 0; i < t->n_addrs; i++)
		if (net_addr_same(&t->addrs[i], a))
			return in_use(w, ifc, a, t->who[i], e);
	return 0;
}

static int pick_addr(const struct ct_conf *conf, const struct net_if *ifc, struct net_addr *a,
		     struct taken *t, struct err *e)
{
	const struct net_addr *pool = a->family == AF_INET ? &conf->pool4 : &conf->pool6;

	if (!pool->family) {
		err_set(e, EINVAL, "%s: this host has no pool of IPv%c addresses", ifc->name,
			a->family == AF_INET ? '4' : '6');
		err_hint(e, "give an address, or a pool in %s", CT_CONF_FILE);
		return err_class(e, ERR_VALUE);
	}
	if (net_pool_pick(pool, t->addrs, t->n_addrs, a, e) < 0)
		return -e->no;
	/* Routed, there are no neighbours. */
	if (ifc->mode == NET_MODE_ROUTED)
		a->prefix = a->family == AF_INET ? 32 : 128;
	return take_addr(t, a, "this one", e);
}

/* The given ones first: what is picked must not be one of them. */
static int reserve_addrs(const struct ct_conf *conf, struct ct_definition *d, enum ct_reserve how,
			 struct taken *t, struct err *e)
{
	const struct wish w = {.conf = conf, .name = d->name, .how = how};

	for (unsigned i = 0; i < d->net_count; i++)
		for (size_t k = 0; k < d->nets[i].addr_count; k++)
			if (!ct_addr_unpicked(&d->nets[i].addrs[k]) &&
			    check_addr(&w, &d->nets[i], &d->nets[i].addrs[k], t, e) < 0)
				return -e->no;
	if (take_definition(t, d, e) < 0)
		return -e->no;
	for (unsigned i = 0; i < d->net_count; i++)
		for (size_t k = 0; k < d->nets[i].addr_count; k++)
			if (ct_addr_unpicked(&d->nets[i].addrs[k]) &&
			    pick_addr(conf, &d->nets[i], &d->nets[i].addrs[k], t, e) < 0)
				return -e->no;
	return 0;
}

/* The pool's gateway, for the first interface that is on the pool's bridge with an address of it; a container has one way out of a family. */
static void pick_gateway(const struct ct_conf *conf, struct ct_definition *d, uint8_t family)
{
	const struct net_addr *pool = family == AF_INET ? &conf->pool4 : &conf->pool6;

	if (!pool->family)
		return;
	for (unsigned i = 0; i < d->net_count; i++)
		if (family == AF_INET ? d->nets[i].gateway4.family : d->nets[i].gateway6.family)
			return;
	for (unsigned i = 0; i < d->net_count; i++) {
		struct net_if *ifc = &d->nets[i];

		if (ifc->mode != NET_MODE_BRIDGE || strcmp(ifc->bridge, conf->bridge) != 0)
			continue;
		for (size_t k = 0; k < ifc->addr_count; k++)
			if (net_addr_within(pool, &ifc->addrs[k])) {
				*(family == AF_INET ? &ifc->gateway4 : &ifc->gateway6) =
					net_pool_gateway(pool);
				return;
			}
	}
}

static void pick_links(const struct ct_conf *conf, struct ct_definition *d)
{
	for (unsigned i = 0; i < d->net_count; i++) {
		struct net_if *ifc = &d->nets[i];

		if (ifc->mode == NET_MODE_BRIDGE && !ifc->bridge[0])
			snprintf(ifc->bridge, sizeof(ifc->bridge), "%s", conf->bridge);
		if (ifc->mode == NET_MODE_ROUTED && !ifc->uplink[0])
			snprintf(ifc->uplink, sizeof(ifc->uplink), "%s", conf->uplink);
	}
}

int ct_reserve(const struct ct_host *h, struct ct_definition *d, enum ct_reserve how,
	       const struct net_addr *busy, size_t n_busy, struct err *e)
{
	auto_taken struct taken t = {0};
	struct ct_definition fresh;

	if (collect(h, d->name, &t, e) < 0)
		return -e->no;
	for (size_t i = 0; i < n_busy; i++)
		if (take_addr(&t, &busy[i], "somebody on the network", e) < 0)
			return -e->no;
	if (!d->uuid[0]) {
		ct_definition_init(&fresh, d->name);
		snprintf(d->uuid, sizeof(d->uuid), "%s", fresh.uuid);
	}
	pick_links(&h->conf, d);
	if (reserve_ids(d, how, &t, e) < 0)
		return -e->no;
	for (unsigned i = 0; i < d->net_count; i++)
		if (reserve_mac(d, i, &t, e) < 0 || take_mac(&t, d->nets[i].mac, e) < 0)
			return -e->no;
	if (reserve_addrs(&h->conf, d, how, &t, e) < 0)
		return -e->no;
	pick_gateway(&h->conf, d, AF_INET);
	pick_gateway(&h->conf, d, AF_INET6);
	return ct_definition_check(d, e);
}

/* 1: somebody may answer there, 0: nobody can, or there is no such link. */
static int has_neighbours(const char *link, struct err *e)
{
	auto_nl struct net_nl nl = {0};
	struct net_link_info info;
	int r;

	if (!link[0])
		return 0;
	if (net_nl_open(&nl, -1, e) < 0)
		return -e->no;
	r = net_link_get(&nl, link, &info, e);
	if (r < 0)
		return r == -ENODEV && !e->no ? 0 : r;
	if (strcmp(info.kind, "bridge") != 0)
		return 1;
	r = net_link_count_ports(&nl, info.index, e);
	return r < 0 ? r : r > 0;
}

int ct_addr_busy(const struct net_if *ifc, const struct net_addr *a, struct err *e)
{
	const char *link = ifc->mode == NET_MODE_BRIDGE ? ifc->bridge : ifc->uplink;
	int r = has_neighbours(link, e);

	if (r < 0)
		return r;
	/* Without a wait it is this host alone that is asked. */
	if (!net_addr_in_use("lo", a, 0, e))
		return r && !e->no ? net_addr_in_use(link, a, PROBE_MS, e) : -e->no;
	return e->no ? -e->no : 2;
}

int ct_addr_refuse(const struct net_if *ifc, const struct net_addr *a, int busy, struct err *e)
{
	char text[NET_ADDR_STR_MAX];

	net_addr_to_host_str(a, text);
	if (busy == 2) {
		err_set(e, EADDRINUSE, "%s: this host itself has the address %s", ifc->name, text);
		err_hint(e, "take another one; `ip addr` shows this host's");
	} else {
		err_set(e, EADDRINUSE, "%s: somebody on the network has the address %s", ifc->name,
			text);
		err_hint(e, "take another one; `ip neigh` may say whose it is");
	}
	return err_class(e, ERR_ADDR_IN_USE);
}
