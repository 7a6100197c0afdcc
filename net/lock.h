/* SPDX-License-Identifier: GPL-2.0-only */
/* No packet in or out of a container while it is being moved. */
#pragma once

#include <stddef.h>

struct err;

/* Table netdev skep_lock_HOSTNAME drops all at the host end, both ways. The link stays up: no carrier event inside. Idempotent. */
int net_lock(const char *host_name, struct err *e);

/* By name alone; not locked is success. */
int net_unlock(const char *host_name, struct err *e);

/*
 * The same for several links at once, for as long as the returned descriptor is open in any process: the kernel drops the table with its owner's socket
 * (NFT_TABLE_F_OWNER, Linux 5.12). So whoever is to work under the lock inherits the descriptor, and nobody has to clean up after a kill. CLOEXEC.
 */
int net_lock_hold(const char *const names[], size_t count, struct err *e);

/*
 * The same in steps. prepare: the table is there, all passes still. engage, once a way, with the same names: what goes TO the container is dropped, or, with hold not 0
 * (the ifindex of net/hold.h's tap), sent there instead; what comes FROM it is dropped. TO first, while it runs: it can still accept and answer what it has got, so that nothing
 * it sends is lost in the moment before it stops; FROM when all of it is stopped. A kernel that cannot redirect here (before 5.17) drops: 1 is returned, 0 otherwise.
 */
enum net_lock_way { NET_LOCK_TO, NET_LOCK_FROM };
int net_lock_prepare(const char *const names[], size_t count, struct err *e);
int net_lock_engage(int lock, const char *const names[], size_t count, enum net_lock_way way,
		    unsigned hold, struct err *e);
