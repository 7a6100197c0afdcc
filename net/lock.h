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
