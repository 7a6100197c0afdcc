/* SPDX-License-Identifier: GPL-2.0-only */
/* The list of what a container has on the host, each line written before the thing is made. */
#pragma once

/*
 * STATE/ID/ledger, one line a thing: "KIND NAME\n", appended by one write(2). A line says "this may exist". Undoing walks the lines backwards; each
 * kind can be undone by its name alone, and "already gone" is success. So a command killed at any instruction leaves nothing that is not named.
 */

#include <stdbool.h>

struct err;

/* X(name, word) */
#define CT_LEDGER_KINDS(X)                                                               \
	X(CGROUP, "cgroup")   /* relative path */                                        \
	X(SCOPE, "scope")     /* a unit of systemd's, as scope.h names it */             \
	X(RDT, "rdt")	      /* a group of resctrl's, below its root */                 \
	X(MOUNT, "mount")     /* "ID PATH": the root, in the host's mount namespace */   \
	X(BRIDGE, "bridge")   /* name: released when the last port of ours goes */       \
	X(LINK, "link")	      /* host name of a veth, with guard, shape, traffic lock */ \
	X(ROUTE, "route")     /* "HOSTNAME ADDR/PREFIX UPLINK|-" */                      \
	X(NFTLOCK, "nftlock") /* table "inet CRIU-PID" in the container's netns: dies with it */

enum ct_ledger_kind {
#define X(name, word) CT_LEDGER_##name,
	CT_LEDGER_KINDS(X)
#undef X
};

/* Notes an intent. dir: STATE/ID. */
int ct_ledger_add(int dir, enum ct_ledger_kind kind, const char *name, struct err *e);

/*
 * Takes an intent back that has been undone while the container lives on: an address that it gave up may be another one's by the time all is undone. Under
 * the container's lock and, for what is of the network, the network's. Not noted is success.
 */
int ct_ledger_drop(int dir, enum ct_ledger_kind kind, const char *name, struct err *e);

/* Calls fn for each line, newest first. */
int ct_ledger_walk(int dir,
		   int (*fn)(enum ct_ledger_kind kind, const char *name, void *arg, struct err *e),
		   void *arg, struct err *e);

/*
 * Undoes all, newest first, going on after a failure (first cause wins), then empties the file if nothing failed. The processes have been
 * ended before. leave_links: the container's network namespace is gone or about to go (see net_if_destroy).
 */
int ct_ledger_undo(int dir, bool leave_links, struct err *e);

/*
 * What changes bridges, NAT and forwarding of the host reads, then acts (net/bridge.h): all of it happens under a lock on the network namespace that we are in. It is in
 * a place of the namespace's (net_place.h), not of a state directory's, so that those of another one are kept out, too. Returns the fd whose closing unlocks. Taken below a container's lock, never above.
 * As long as for the host's lock: of fifty that start at once on a slow host (emulated: a second each) the last wait in line for all others.
 */
#define CT_NET_LOCK_WAIT_MS 60000
int ct_ledger_lock_net(struct err *e);
