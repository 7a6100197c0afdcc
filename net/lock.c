// SPDX-License-Identifier: GPL-2.0-only
// No packet in or out of a container while it is being moved.
#include "net/lock.h"

#include <errno.h>
#include <stdio.h>

#include "base/err.h"
#include "net/iface.h"
#include "net/nft.h"

static int lock_table(const char *host_name, char name[64], struct err *e)
{
	if (!net_link_name_ok(host_name))
		return err_set(e, EINVAL, "'%.15s' cannot name a link", host_name);
	snprintf(name, 64, "skep_lock_%s", host_name);
	return 0;
}

int net_lock(const char *host_name, struct err *e)
{
	char table[64], text[512];
	int r = lock_table(host_name, table, e);

	if (r < 0)
		return r;
	snprintf(
		text, sizeof(text),
		"table netdev %s {\n"
		"chain in { type filter hook ingress device \"%s\" priority -510; policy drop; }\n"
		"chain out { type filter hook egress device \"%s\" priority -510; policy drop; }\n}\n",
		table, host_name, host_name);
	return net_nft_run(text, "stop the container's traffic", e);
}

int net_unlock(const char *host_name, struct err *e)
{
	char table[64];
	int r = lock_table(host_name, table, e);

	return r < 0 ? r : net_nft_drop_table("netdev", table, e);
}
