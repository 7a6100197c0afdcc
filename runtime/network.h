/* SPDX-License-Identifier: GPL-2.0-only */
/* A container's links on the host: making them of the definition, each noted before, and finding their names again. */
#pragma once

/* The calls that make them are in system.h (ct_system_network_*): a start makes all, a restore only the ground. */

#include "runtime/definition.h"
#include "runtime/state.h"

struct err;

/* The host names of the links on ct's ledger, in the order of the definition's interfaces. Returns how many. */
int ct_network_links(const struct ct *ct, char names[CT_NETS_MAX][IFNAMSIZ], struct err *e);

/* Notes a link of a name that was never used, and the routes to it, for interface n; ifc gets host_name and alias. */
int ct_network_note(struct ct *ct, const struct ct_definition *d, unsigned n, struct net_if *ifc,
		    struct err *e);

/* Whether a host link with the name and the alias ("skep:NAME") was made for a container of that state directory. */
bool ct_network_is_ours(const char *state_root, const char *host_name, const char *alias);
