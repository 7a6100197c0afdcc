// SPDX-License-Identifier: GPL-2.0-only
/* linux.netDevices. */
#include "runtime/net_devices.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "net/move.h"
#include "runtime/spec.h"

int ct_devices_give(const struct ct_spec *spec, int netns, struct ct_devices *moved, struct err *e)
{
	if (!spec->n_net_devices)
		return 0;
	moved->list = calloc(spec->n_net_devices, sizeof(*moved->list));
	if (!moved->list)
		return err_set(e, ENOMEM, "out of memory for linux.netDevices");
	while (moved->n < spec->n_net_devices) {
		const struct ct_net_device *d = &spec->net_devices[moved->n];
		struct net_moved *m = &moved->list[moved->n];

		if (net_link_move(-1, d->name, netns, d->inside, true, m, e) < 0)
			return err_wrap(e, "linux.netDevices");
		moved->n++;
	}
	return 0;
}

void ct_devices_take_back(int netns, const struct ct_devices *moved)
{
	for (size_t i = moved->n; i-- > 0;) {
		const struct net_moved *m = &moved->list[i];
		struct net_moved back;
		struct err why = {0};

		if (net_link_move(netns, m->name, -1, m->was, m->was_up, &back, &why) < 0)
			log_warn("linux.netDevices: %s", why.text);
	}
}

void ct_devices_done(struct ct_devices *moved)
{
	free(moved->list);
	*moved = (struct ct_devices){0};
}
