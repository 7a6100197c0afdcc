/* SPDX-License-Identifier: GPL-2.0-only */
/* Forwarding of this network namespace: on while somebody holds it, then as it was. */
#pragma once

/*
 * net.ipv4.ip_forward and net.ipv6.conf.all.forwarding belong to the network namespace we are in. Who needs them holds them by name (a bridge, a host
 * link). The holders and what was there before are kept in the kernel itself, as empty chains of table `inet skep_forward`, so that a crash or
 * a reboot cannot leave a false note. Callers serialise (see bridge.h).
 */

#include <stdbool.h>

struct err;

/*
 * Idempotent. IPv6 forwarding makes a host deaf to router advertisements, so with ipv6 each link that listened
 * (accept_ra 1) is told to go on listening (2), and put back with the rest.
 */
int net_forward_hold(const char *who, bool ipv6, struct err *e);
/* The last one puts back what we changed. Not held is success. */
int net_forward_drop(const char *who, struct err *e);
