/* SPDX-License-Identifier: GPL-2.0-only */
/* No packet in or out of a container while it is being moved. */
#pragma once

struct err;

/* Table netdev skep_lock_HOSTNAME drops all at the host end, both ways. The link stays up: no carrier event inside. Idempotent. */
int net_lock(const char *host_name, struct err *e);

/* By name alone; not locked is success. */
int net_unlock(const char *host_name, struct err *e);
