// SPDX-License-Identifier: GPL-2.0-only
/* What can change while it runs: the difference of two definitions, written to the kernel. */
#include "runtime/live.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/group.h"
#include "cgroups/room.h"
#include "net/addr.h"
#include "net/announce.h"
#include "net/guard.h"
#include "net/link.h"
#include "net/netlink.h"
#include "net/netns.h"
#include "net/routed.h"
#include "net/shape.h"
#include "net/veth.h"
#include "runtime/ledger.h"
#include "runtime/network.h"
#include "runtime/own_disk.h"

/* What a new control group has: cgroup-v2.rst. */
static const uint64_t defaults[CG_LIMIT_COUNT] = {
	[CG_LIMIT_CPU_WEIGHT] = 100,
	[CG_LIMIT_CPU_QUOTA] = CG_UNLIMITED,
	[CG_LIMIT_CPU_PERIOD] = 100000,
	[CG_LIMIT_MEM_MAX] = CG_UNLIMITED,
	[CG_LIMIT_MEM_HIGH] = CG_UNLIMITED,
	[CG_LIMIT_MEM_LOW] = 0,
	[CG_LIMIT_MEM_MIN] = 0,
	[CG_LIMIT_SWAP_MAX] = CG_UNLIMITED,
	[CG_LIMIT_PIDS_MAX] = CG_UNLIMITED,
	[CG_LIMIT_IO_WEIGHT] = 100,
};

static uint64_t value_of(const struct cg_limits *l, enum cg_limit w)
{
	return l->set[w] ? l->value[w] : defaults[w];
}

static bool differs(const struct cg_limits *from, const struct cg_limits *to, enum cg_limit w)
{
	return from->set[w] != to->set[w] || (to->set[w] && from->value[w] != to->value[w]);
}

static void want(struct cg_limits *diff, const struct cg_limits *to, enum cg_limit w)
{
	diff->set[w] = true;
	diff->value[w] = value_of(to, w);
}

static const struct cg_io_limit *find_io(const struct cg_limits *l, const struct cg_io_limit *io)
{
	for (size_t i = 0; i < l->io_count; i++)
		if (l->io[i].major == io->major && l->io[i].minor == io->minor)
			return &l->io[i];
	return NULL;
}

static uint64_t rate(uint64_t from, uint64_t to)
{
	if (from == to)
		return 0;
	return to ? to : CG_UNLIMITED;
}

static void diff_io(const struct cg_limits *from, const struct cg_limits *to,
		    struct cg_limits *diff, const struct cg_io_limit *device)
{
	const struct cg_io_limit none = {0};
	const struct cg_io_limit *a = find_io(from, device), *b = find_io(to, device);
	struct cg_io_limit io = {.major = device->major, .minor = device->minor};

	a = a ? a : &none;
	b = b ? b : &none;
	io.rbps = rate(a->rbps, b->rbps);
	io.wbps = rate(a->wbps, b->wbps);
	io.riops = rate(a->riops, b->riops);
	io.wiops = rate(a->wiops, b->wiops);
	if ((io.rbps || io.wbps || io.riops || io.wiops) && diff->io_count < CG_IO_LIMITS)
		diff->io[diff->io_count++] = io;
}

void ct_live_limits_diff(const struct cg_limits *from, const struct cg_limits *to,
			 struct cg_limits *diff)
{
	memset(diff, 0, sizeof(*diff));
	for (int i = 0; i < CG_LIMIT_COUNT; i++)
		if (differs(from, to, (enum cg_limit)i))
			want(diff, to, (enum cg_limit)i);
	/* Two that are one file: cpu.max has both, and v1's memsw is memory and swap together. */
	if (diff->set[CG_LIMIT_CPU_QUOTA] || diff->set[CG_LIMIT_CPU_PERIOD]) {
		want(diff, to, CG_LIMIT_CPU_QUOTA);
		diff->set[CG_LIMIT_CPU_PERIOD] = to->set[CG_LIMIT_CPU_PERIOD];
		diff->value[CG_LIMIT_CPU_PERIOD] = value_of(to, CG_LIMIT_CPU_PERIOD);
	}
	if (diff->set[CG_LIMIT_MEM_MAX] && to->set[CG_LIMIT_SWAP_MAX])
		want(diff, to, CG_LIMIT_SWAP_MAX);
	if (diff->set[CG_LIMIT_SWAP_MAX] && to->set[CG_LIMIT_MEM_MAX])
		want(diff, to, CG_LIMIT_MEM_MAX);
	if (strcmp(from->cpus, to->cpus) != 0)
		memcpy(diff->cpus, to->cpus, sizeof(diff->cpus));
	if (strcmp(from->mems, to->mems) != 0)
		memcpy(diff->mems, to->mems, sizeof(diff->mems));
	for (size_t i = 0; i < to->io_count; i++)
		diff_io(from, to, diff, &to->io[i]);
	for (size_t i = 0; i < from->io_count; i++)
		if (!find_io(to, &from->io[i]))
			diff_io(from, to, diff, &from->io[i]);
}

/* First of all: a limit that would kill is refused while nothing has changed. The kernel's own refusal (v1) is told in the same words. */
static int apply(const struct cg *cg, struct cg_limits *diff, bool best_effort, struct err *e)
{
	bool *memory = &diff->set[CG_LIMIT_MEM_MAX];
	uint64_t bytes = diff->value[CG_LIMIT_MEM_MAX];

	if (*memory && cg_room_make(cg, bytes, e) < 0) {
		if (!best_effort)
			return -e->no;
		log_warn("%s; left as it is", e->text);
		err_clear(e);
		*memory = false;
	}
	if (cg_limits_apply(cg, diff, best_effort, e) == -EBUSY && *memory)
		return cg_room_refuse(cg, bytes, e);
	return -e->no;
}

int ct_live_limits(const struct ct *ct, const struct cg_limits *from, const struct cg_limits *to,
		   bool best_effort, struct err *e)
{
	auto_cg struct cg cg = CG_INIT;
	auto_fd int files = -EBADF;
	struct cg_limits diff;

	ct_live_limits_diff(from, to, &diff);
	if (diff.io_count)
		files = open(ct->s.bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (diff.io_count && files < 0)
		return err_sys(e, "open %s", ct->s.bundle);
	if (ct_own_disk(files, &diff, e) < 0 || cg_open(ct->s.cgroup, &cg, e) < 0)
		return -e->no;
	return apply(&cg, &diff, best_effort, e);
}

/* An interface that changes, and where it is. */
struct change {
	struct ct *ct;
	int netns;
	struct net_if from, to;
};

static bool has_addr(const struct net_if *ifc, const struct net_addr *a)
{
	for (size_t i = 0; i < ifc->addr_count; i++)
		if (net_addr_same(&ifc->addrs[i], a) && ifc->addrs[i].prefix == a->prefix)
			return true;
	return false;
}

/* Whoever has it in the other list under another prefix keeps the host's routes to it. */
static bool has_host(const struct net_if *ifc, const struct net_addr *a)
{
	for (size_t i = 0; i < ifc->addr_count; i++)
		if (net_addr_same(&ifc->addrs[i], a))
			return true;
	return false;
}

static const char *route_line(const struct net_if *ifc, const struct net_addr *a, char line[160])
{
	char addr[NET_ADDR_STR_MAX];

	snprintf(line, 160, "%s %s %s", ifc->host_name, net_addr_to_str(a, addr),
		 ifc->uplink[0] ? ifc->uplink : "-");
	return line;
}

static int note_route(const struct change *c, const struct net_addr *a, struct err *e)
{
	char line[160];

	if (c->to.mode != NET_MODE_ROUTED)
		return 0;
	return ct_ledger_add(c->ct->dir, CT_LEDGER_ROUTE, route_line(&c->to, a, line), e);
}

static int remove_route(const struct change *c, const struct net_addr *a, struct err *e)
{
	char line[160];

	if (c->to.mode != NET_MODE_ROUTED || has_host(&c->to, a))
		return 0;
	if (net_routed_remove(c->from.host_name, a, c->from.uplink, e) < 0)
		return -e->no;
	return ct_ledger_drop(c->ct->dir, CT_LEDGER_ROUTE, route_line(&c->from, a, line), e);
}

/* A guard with the addresses of both, so that at no moment one that works is shut out. */
static int guard_both(const struct change *c, struct err *e)
{
	struct net_if both = c->to;

	if (!c->to.guard)
		return 0;
	for (size_t i = 0; i < c->from.addr_count; i++)
		if (!has_addr(&both, &c->from.addrs[i]) && both.addr_count < NET_ADDRS_MAX)
			both.addrs[both.addr_count++] = c->from.addrs[i];
	return net_guard_set(&both, e);
}

static int add_addrs(const struct change *c, struct err *e)
{
	bool any = false;

	for (size_t i = 0; i < c->to.addr_count; i++) {
		const struct net_addr *a = &c->to.addrs[i];

		if (has_addr(&c->from, a))
			continue;
		any = true;
		if (note_route(c, a, e) < 0 || net_veth_addr_add(&c->to, c->netns, a, e) < 0)
			return -e->no;
	}
	return any && c->to.mode == NET_MODE_ROUTED ? net_routed_add(&c->to, e) : 0;
}

static int remove_addrs(const struct change *c, struct err *e)
{
	for (size_t i = 0; i < c->from.addr_count; i++) {
		const struct net_addr *a = &c->from.addrs[i];

		if (has_addr(&c->to, a))
			continue;
		if (net_veth_addr_remove(&c->from, c->netns, a, e) < 0 || remove_route(c, a, e) < 0)
			return -e->no;
	}
	return 0;
}

/* The kernel takes a default route away with the last address of its subnet, so each is set again. */
static int set_gateways(const struct change *c, struct err *e)
{
	auto_nl struct net_nl nl = {0};
	struct net_link_info info;
	int r;

	if (c->to.mode != NET_MODE_BRIDGE || (!c->to.gateway4.family && !c->to.gateway6.family))
		return 0;
	if (net_nl_open(&nl, c->netns, e) < 0)
		return -e->no;
	r = net_link_get(&nl, c->to.name, &info, e);
	if (r < 0)
		return e->no ? r : err_set(e, ENODEV, "%s is not there", c->to.name);
	for (int v6 = 0; v6 < 2; v6++) {
		const struct net_addr *gateway = v6 ? &c->to.gateway6 : &c->to.gateway4;
		bool reach = false, within = false;

		for (size_t i = 0; i < c->to.addr_count; i++) {
			reach |= c->to.addrs[i].family == gateway->family;
			within |= net_addr_within(&c->to.addrs[i], gateway);
		}
		if (gateway->family && reach)
			net_nl_default_route(&nl, info.index, gateway, !within);
	}
	return net_nl_commit(&nl, e);
}

static int change_addrs(const struct change *c, struct err *e)
{
	if (guard_both(c, e) < 0 || add_addrs(c, e) < 0 || remove_addrs(c, e) < 0 ||
	    set_gateways(c, e) < 0)
		return -e->no;
	return c->to.guard ? net_guard_set(&c->to, e) : 0;
}

static bool same_addrs(const struct net_if *a, const struct net_if *b)
{
	if (a->addr_count != b->addr_count ||
	    memcmp(&a->gateway4, &b->gateway4, sizeof(a->gateway4)) != 0 ||
	    memcmp(&a->gateway6, &b->gateway6, sizeof(a->gateway6)) != 0)
		return false;
	for (size_t i = 0; i < a->addr_count; i++)
		if (memcmp(&a->addrs[i], &b->addrs[i], sizeof(a->addrs[i])) != 0)
			return false;
	return true;
}

static void announce(const struct change *c)
{
	struct err quiet = {0};
	int r = 0;

	if (c->to.mode == NET_MODE_BRIDGE)
		r = net_announce(&c->to, c->netns, &quiet);
	else if (c->to.uplink[0])
		r = net_announce_on(c->to.uplink, c->to.addrs, c->to.addr_count, &quiet);
	if (r < 0)
		log_info("announce the new addresses: %s", quiet.text);
}

static int change_interface(const struct change *c, struct err *e)
{
	if (!same_addrs(&c->from, &c->to)) {
		if (change_addrs(c, e) < 0)
			return -e->no;
		announce(c);
	}
	if (c->from.rate_bits != c->to.rate_bits)
		return net_shape_set(c->to.host_name, c->to.rate_bits, e);
	return 0;
}

/* Through init, which may end in any moment, and its number become the number of a process of the host. */
static int open_netns(const struct ct *ct, struct err *e)
{
	auto_fd int init = ct_init_open(ct, e);
	auto_fd int netns = -EBADF;

	if (init >= 0) {
		netns = net_netns_open(ct->s.pid, e);
		/* Only now do we know that it was still init's. */
		if (netns >= 0 && pidfd_send_signal(init, 0, NULL, 0) == 0)
			return take_fd(&netns);
	}
	if (init < 0 && init != -ESRCH)
		return init;
	err_clear(e);
	err_set(e, ESRCH, "container %s is not running", ct->s.id);
	return err_class(e, ERR_NOT_RUNNING);
}

int ct_live_network(struct ct *ct, const struct ct_definition *from, const struct ct_definition *to,
		    struct err *e)
{
	char names[CT_NETS_MAX][IFNAMSIZ];
	auto_fd int netns = -EBADF;
	auto_fd int lock = -EBADF;
	int n;

	if (to->network != CT_NETWORK_PRIVATE || !to->net_count)
		return 0;
	n = ct_network_links(ct, names, e);
	if (n < 0)
		return n;
	if (n != (int)to->net_count)
		return err_set(e, ENODEV, "container %s has %d links on this host, not %u",
			       to->name, n, to->net_count);
	netns = open_netns(ct, e);
	if (netns < 0)
		return netns;
	lock = ct_ledger_lock_net(e);
	if (lock < 0)
		return lock;
	for (int i = 0; i < n; i++) {
		struct change c = {ct, netns, from->nets[i], to->nets[i]};

		memcpy(c.from.host_name, names[i], IFNAMSIZ);
		memcpy(c.to.host_name, names[i], IFNAMSIZ);
		if (change_interface(&c, e) < 0)
			return err_class(e, ERR_NETWORK);
	}
	return 0;
}
