/* SPDX-License-Identifier: GPL-2.0-only */
/* A bridge that a start has made or found, and to which it is going to connect its container. */
#pragma once

struct err;

/*
 * Between the two steps of a start the bridge may have no port at all. Ledgers tell the containers of one state directory about each other; those of another one, in the same network
 * namespace, see this: a file in the namespace's place (net_place.h) that the process holds a shared lock on, as long as it lives and executes no other program.
 */

/* Under the network's lock (ledger.h), before the bridge is looked for. Until this process ends. Claimed already is success. */
int ct_bridge_claim(const char *name, struct err *e);

/* Under the network's lock: 1: another process has claimed it. */
int ct_bridge_claimed(const char *name, struct err *e);
