// SPDX-License-Identifier: GPL-2.0-only
/* The spec's linux.netDevices. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "net/move.h"
#include "runtime/spec_read.h"

static int read_device(const char *name, const json_t *value, const char *path,
		       struct ct_net_device *d, struct err *e)
{
	static const struct ct_member members[] = {
		{"name", ct_read_str, offsetof(struct ct_net_device, inside)},
	};

	d->name = strdup(name);
	if (!d->name)
		return ct_no_memory(e);
	if (!net_link_may_be(name, false))
		return ct_refuse(e, path, "invalid network device name '%.40s'", name);
	if (ct_read_members(value, path, members, ARRAY_SIZE(members), d, e) < 0)
		return -e->no;
	if (!d->inside || !d->inside[0]) {
		free(d->inside);
		d->inside = strdup(name);
		return d->inside ? 0 : ct_no_memory(e);
	}
	return net_link_may_be(d->inside, true)
		       ? 0
		       : ct_refuse(e, path, "invalid network device name '%.40s'", d->inside);
}

int ct_read_net_devices(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ct_spec *spec = into;
	const char *name;
	json_t *v;

	if (!json_is_object(value))
		return ct_refuse(e, path, "must be an object");
	spec->net_devices = calloc(json_object_size(value) + 1, sizeof(*spec->net_devices));
	if (!spec->net_devices)
		return ct_no_memory(e);
	json_object_foreach ((json_t *)value, name, v)
		if (read_device(name, v, path, &spec->net_devices[spec->n_net_devices++], e) < 0)
			return -e->no;
	return 0;
}

void ct_net_devices_done(struct ct_spec *spec)
{
	for (size_t i = 0; i < spec->n_net_devices; i++) {
		free(spec->net_devices[i].name);
		free(spec->net_devices[i].inside);
	}
	free(spec->net_devices);
}
