/* SPDX-License-Identifier: GPL-2.0-only */
/* Letting go of a bridge: the last container of this state directory that claimed it removes it. */
#pragma once

struct err;

/*
 * Under the network's lock. dir: STATE/ID, whose claim is given up. While another container's ledger has the bridge, or a start is under way that needs it (bridge_claim.h), nothing
 * happens. Else the links of
 * containers that have just ended are waited for (the kernel removes them by itself), and bridge and NAT go if the bridge is ours.
 */
int ct_bridge_release(int dir, const char *name, struct err *e);
