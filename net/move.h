/* SPDX-License-Identifier: GPL-2.0-only */
/* A link that exists goes into another network namespace, with its addresses. */
#pragma once

#include <net/if.h>
#include <stdbool.h>

struct err;

struct net_moved {
	char was[IFNAMSIZ];  /* its name before */
	char name[IFNAMSIZ]; /* that it has now; of a template like "eth%d" the kernel's choice */
	bool was_up;
};

/* What the kernel takes for a name (dev_valid_name(), net/core/dev.c), and, if template, one with "%d" in it. */
bool net_link_may_be(const char *name, bool template);

/*
 * Moves link `name` of namespace `from` (< 0: the caller's) to namespace `to` (< 0: the caller's), where it is called `wanted` and, if up, set up. Its permanent addresses of global scope come
 * with it; what else the kernel forgets when a link changes its namespace (routes, other addresses, its master) does not. The same call backwards undoes it. -EEXIST: there is one of
 * that name. On failure the link is where and what it was, as far as a hint does not say otherwise. Class NETWORK.
 */
int net_link_move(int from, const char *name, int to, const char *wanted, bool up,
		  struct net_moved *out, struct err *e);
