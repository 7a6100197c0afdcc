// SPDX-License-Identifier: GPL-2.0-only
/* A network namespace for init. */
#include "runtime/start_network.h"

#include <errno.h>

#include "base/err.h"
#include "base/own.h"
#include "base/sync.h"
#include "net/netns.h"
#include "net/netns_ahead.h"
#include "net/veth.h"
#include "runtime/start_clone.h"
#include "runtime/steps.h"

void ct_network_begin(struct ct_init *init, int sock)
{
	const struct ct_spec *spec = init->spec;
	const struct sync_msg msg = {.step = CT_STEP_NETWORK, .kind = SYNC_FD};

	init->netns_comes = spec->own[CT_NS_NETWORK] && !ct_spec_userns(spec) && !spec->rootless &&
			    !init->late && !ct_clone_by_middle(spec) &&
			    net_netns_begin(sock, &msg, sizeof(msg));
}

void ct_network_end(const struct ct_init *init)
{
	struct err ignored = {0};
	auto_fd int netns = init->netns_comes ? net_netns_await(&ignored) : -EBADF;

	(void)netns;
}

int ct_network_open(const struct ct_init *init, pid_t pid, bool system, int *netns,
		    struct ct_devices *devices, struct err *e)
{
	const struct ct_spec *spec = init->spec;
	int r;

	/* The root of a user's namespace could enter that of init, but not leave it for the host's, which is none of its own: init sets the loopback up itself. */
	if (init->late || spec->rootless) {
		if (!spec->n_net_devices)
			return 0;
		err_set(e, EPERM, "linux.netDevices: to move network devices takes root");
		return err_class(e, ERR_UNSUPPORTED);
	}
	*netns = init->netns_comes ? net_netns_await(e) : net_netns_open(pid, e);
	if (*netns < 0)
		return *netns;
	r = ct_devices_give(spec, *netns, devices, e);
	if (r < 0 || init->netns_comes || system || !spec->own[CT_NS_NETWORK])
		return r;
	return net_loopback_up(*netns, e);
}
