/* SPDX-License-Identifier: GPL-2.0-only */
/* linux.netDevices: links of the host's that a new container takes with it. */
#pragma once

#include <stddef.h>

struct ct_spec;
struct err;
struct net_moved;

/* What has been moved, in the order of the spec; ct_devices_done() frees it. */
struct ct_devices {
	struct net_moved *list;
	size_t n;
};

/* Host side, when there is a network namespace (fd) to move them to. What was moved before a failure is in *moved. */
int ct_devices_give(const struct ct_spec *spec, int netns, struct ct_devices *moved, struct err *e);

/*
 * Of a container that does not come to be: back to where they were, with their old names. As long as something holds its namespace; a link that is not physical goes with that. A device that does not
 * come back is a log_warn.
 */
void ct_devices_take_back(int netns, const struct ct_devices *moved);

void ct_devices_done(struct ct_devices *moved);
