/* SPDX-License-Identifier: GPL-2.0-only */
/* Where all commands in one network namespace meet, whatever --state says: /run/skep-net/INODE, which only root can reach. */
#pragma once

/*
 * What is in there is locked by flock(2), and never written. Not the namespace's own file (/proc/self/ns/net), nor names in it, as abstract sockets have: those are for every process in the namespace to lock and to
 * take, so that one user of the host, or a container in the host's network, could keep all containers from starting.
 *
 * Life: a namespace's first command makes its directory, and takes away those of other namespaces in which nobody holds anything: most of those are gone. So only the lock makes it stay.
 */

struct err;

#define CT_NET_PLACE "/run/skep-net"

/* The fd of the directory of the namespace that we are in. */
int ct_net_place_open(struct err *e);

/* The lock on the namespace (ledger.h), waited for wait_ms at most. Returns the fd whose closing unlocks. */
int ct_net_place_lock(int wait_ms, struct err *e);
