/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters of a container's interface, read at the host end but named from the container's side. */
#pragma once

#include <stdint.h>

struct err;

struct net_stat {
	uint64_t rx_bytes, rx_packets, rx_dropped; /* received by the container */
	uint64_t tx_bytes, tx_packets, tx_dropped; /* sent by the container */
};

/* -ENODEV (with a message) if the link is gone. */
int net_stat_read(const char *host_name, struct net_stat *st, struct err *e);
