// SPDX-License-Identifier: GPL-2.0-only
/* The default list of devices and the choice between BPF and the v1 controller. */
#include "cgroups/device.h"

#include <errno.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/group.h"

/* As in the OCI runtime specification, config-linux.md "Default Devices"; making a node without opening it harms nobody. */
const struct cg_device_rule cg_device_default[] = {
	{'c', -1, -1, .m = true, .allow = true}, {'b', -1, -1, .m = true, .allow = true},
	{'c', 1, 3, true, true, true, true},	/* null */
	{'c', 1, 5, true, true, true, true},	/* zero */
	{'c', 1, 7, true, true, true, true},	/* full */
	{'c', 1, 8, true, true, true, true},	/* random */
	{'c', 1, 9, true, true, true, true},	/* urandom */
	{'c', 5, 0, true, true, true, true},	/* tty */
	{'c', 5, 1, true, true, true, true},	/* console */
	{'c', 5, 2, true, true, true, true},	/* ptmx */
	{'c', 136, -1, true, true, true, true}, /* pts */
};
const size_t cg_device_default_count = ARRAY_SIZE(cg_device_default);

int cg_devices_apply(const struct cg *cg, const struct cg_device_rule *rules, size_t count,
		     struct err *e)
{
	struct err bpf = {0};

	if (cg->v2 >= 0) {
		if (cg_devices_bpf_apply(cg->v2, rules, count, &bpf) >= 0)
			return 0;
		if (bpf.class == ERR_VALUE || cg->v1[CG_DEVICES] < 0) {
			*e = bpf;
			return -e->no;
		}
		log_debug("%s; using the v1 controller", bpf.text);
	}
	if (cg->v1[CG_DEVICES] >= 0)
		return cg_devices_v1_apply(cg->v1[CG_DEVICES], rules, count, e);
	err_set(e, EOPNOTSUPP,
		"devices of %s cannot be limited: this host has neither cgroup v2 nor the v1 controller 'devices'",
		cg->path);
	err_hint(e, "mount cgroup2");
	return err_class(e, ERR_LIMIT);
}
