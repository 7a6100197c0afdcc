/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's side of init's network namespace: made beside the rest of a start, given its devices and its loopback. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "runtime/net_devices.h"
#include "runtime/start_init.h"

struct err;

/*
 * Lets a network namespace be made while the rest is prepared (net/netns_ahead.h), for the init that will hold the other end of `sock`: it comes there as the step NETWORK, and init->netns_comes says so. Where that cannot be,
 * init is cloned in one of its own as in all its others: with a user namespace, which is to own it; in a namespace that is joined by a process in the middle, whose messages go over that socket, too; without root.
 */
void ct_network_begin(struct ct_init *init, int sock);

/* While init mounts: its network namespace, with the loopback up, as every program expects it. Other links are the operator's. *netns is the caller's, after a failure, too; -EBADF: it is not ours to open. */
int ct_network_open(const struct ct_init *init, pid_t pid, bool system, int *netns,
		    struct ct_devices *devices, struct err *e);

/* After a failure: nothing is under way any more. Before the socket is closed. */
void ct_network_end(const struct ct_init *init);
