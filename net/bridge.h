/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's bridge for containers: made when missing, adopted when the operator made it, removed only when ours and empty. */
#pragma once

/*
 * Concurrency: ensure and release of one bridge read, then act. The caller serialises them with one lock a host
 * (base/lock.h), as it does for nat.h and forward.h.
 */

#include <stdbool.h>

#include "net/iface.h"

struct err;

/*
 * Makes sure that bridge `name` exists and is up. One that we make has stp off, forward_delay 0, multicast snooping off,
 * ifalias "skep" and the given addresses (the pool's gateway; family 0 entries are skipped). One that exists and is not ours keeps all it has:
 * nothing is changed but that it is set up. A link of that name that is no bridge: -EEXIST. Returns 1: made, 0: was there.
 */
int net_bridge_ensure(const char *name, const struct net_addr *addrs, size_t count, struct err *e);

/* Removes it when we made it and no port is left. Returns 1: removed, 0: stays or was gone. */
int net_bridge_release(const char *name, struct err *e);
