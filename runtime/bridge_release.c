// SPDX-License-Identifier: GPL-2.0-only
/* Letting go of a bridge. */
#include "runtime/bridge_release.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "net/bridge.h"
#include "net/link.h"
#include "net/nat.h"
#include "net/netlink.h"
#include "runtime/bridge_claim.h"
#include "runtime/ledger.h"
#include "runtime/network.h"

/*
 * The kernel takes 11-35 ms for the veth of a dead network namespace, several together; on a host where many namespaces end it takes seconds, and
 * then the ports are removed one by one, 14-20 ms each.
 */
#define PORTS_WAIT_MS 100

static int is_it(enum ct_ledger_kind kind, const char *name, void *arg, struct err *e)
{
	const char *wanted = arg;

	if (kind != CT_LEDGER_BRIDGE || strcmp(name, wanted))
		return 0;
	return err_set(e, EEXIST, "claimed");
}

/* 1: the ledger of another container below STATE has a claim on it. */
static int claimed_by_other(int dir, const char *name, struct err *e)
{
	int state = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = state < 0 ? NULL : fdopendir(state);
	struct dirent *entry;
	struct stat own, st;

	if (!d || fstat(dir, &own) < 0) {
		err_sys(e, "look at the other containers");
		if (!d && state >= 0)
			close(state);
		return -e->no;
	}
	while ((entry = readdir(d))) {
		struct err found = {0};
		auto_fd int other = -EBADF;

		if (!path_name_ok(entry->d_name))
			continue;
		other = openat(state, entry->d_name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (other < 0 || fstat(other, &st) < 0 || st.st_ino == own.st_ino)
			continue;
		/* A ledger that cannot be read may have it. */
		if (ct_ledger_walk(other, is_it, (void *)(uintptr_t)name, &found) < 0)
			return 1;
	}
	return 0;
}

/* Tells of each link that goes, from the moment it is open. */
static int watch_links(struct err *e)
{
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	auto_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_sys(e, "watch the links");
	return take_fd(&fd);
}

struct leftovers {
	char state_root[256];
	char names[32][IFNAMSIZ];
	unsigned n;
};

static void take_leftover(const struct net_link_info *port, void *arg)
{
	struct leftovers *l = arg;

	if (l->n < ARRAY_SIZE(l->names) &&
	    ct_network_is_ours(l->state_root, port->name, port->alias))
		snprintf(l->names[l->n++], IFNAMSIZ, "%s", port->name);
}

/* Nobody of this state directory has a claim any more: a port of its containers is that of a dead one. Returns how many there are. */
static int find_leftovers(struct net_nl *nl, int state, int master, struct leftovers *l,
			  struct err *e)
{
	char path[40];
	ssize_t len;
	int r;

	*l = (struct leftovers){.n = 0};
	snprintf(path, sizeof(path), "/proc/self/fd/%d", state);
	len = readlink(path, l->state_root, sizeof(l->state_root) - 1);
	if (len < 0)
		return err_sys(e, "find the state directory's name");
	r = net_link_each_port(nl, master, take_leftover, l, e);
	return r < 0 ? r : (int)l->n;
}

static int remove_leftovers(struct net_nl *nl, const struct leftovers *l, struct err *e)
{
	int r = 0;

	for (unsigned i = 0; r >= 0 && i < l->n; i++)
		r = net_link_destroy(nl, l->names[i], e);
	return r < 0 ? r : 0;
}

/*
 * Removes it once its last port is gone. 1: removed or not there; 0: it stays, because it has ports or is the operator's. Only the ports of our dead ones go by
 * themselves: where there are others only (the wire of a host's own bridge), there is nothing to wait for.
 */
static int remove_when_empty(int state, const char *name, struct err *e)
{
	uint64_t until = log_now_ns() + (uint64_t)PORTS_WAIT_MS * 1000000u;
	auto_fd int watch = watch_links(e);

	if (watch < 0)
		return watch;
	for (;;) {
		auto_nl struct net_nl nl = {0};
		struct net_link_info info;
		struct pollfd p = {.fd = watch, .events = POLLIN};
		struct leftovers ours;
		uint64_t now;
		char drop[4096];
		int ports, r = net_bridge_release(name, e);

		if (r)
			return r;
		if (net_nl_open(&nl, -1, e) < 0)
			return -e->no;
		r = net_link_get(&nl, name, &info, e);
		if (r < 0)
			return r == -ENODEV && !e->no ? 1 : r;
		ports = net_link_count_ports(&nl, info.index, e);
		now = log_now_ns();
		/* The last one may have gone since we tried. If it is still there after this, it is the operator's. */
		if (ports <= 0)
			return ports < 0 ? ports : net_bridge_release(name, e);
		r = find_leftovers(&nl, state, info.index, &ours, e);
		if (r < 0)
			return r;
		/* Counted before: what went between the two is no reason to leave an empty bridge. */
		if (r == 0)
			return net_bridge_release(name, e);
		if (now >= until) {
			if (remove_leftovers(&nl, &ours, e) < 0)
				return -e->no;
			continue;
		}
		if (poll(&p, 1, (int)((until - now) / 1000000u) + 1) < 0 && errno != EINTR)
			return err_sys(e, "watch the links");
		/* An overrun (ENOBUFS) is a reason to look again, too. */
		while (recv(watch, drop, sizeof(drop), 0) > 0)
			continue;
	}
}

int ct_bridge_release(int dir, const char *name, struct err *e)
{
	auto_fd int state = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = state < 0 ? err_sys(e, "open the state directory") : claimed_by_other(dir, name, e);

	if (r == 0)
		r = ct_bridge_claimed(name, e);
	if (r)
		return r < 0 ? r : 0;
	r = remove_when_empty(state, name, e);
	return r > 0 ? net_nat_release(name, e) : r;
}
