// SPDX-License-Identifier: GPL-2.0-only
/* Which controllers are where, and which limits a container can have. */
#include "ctl/doctor.h"

#include <string.h>

#include "base/own.h"
#include "cgroups/hierarchy.h"
#include "cgroups/limits.h"

#define PART "cgroups"

/* What everybody asks for; blkio/io and cpuset are for some. */
static bool wanted(enum cg_controller c)
{
	return c == CG_CPU || c == CG_MEMORY || c == CG_PIDS || c == CG_IO || c == CG_CPUSET;
}

static void controllers(struct ctl_doctor *d, const struct cg_host *host)
{
	char remedy[128];

	for (int i = 0; i < CG_CONTROLLER_COUNT; i++) {
		enum cg_controller c = (enum cg_controller)i;

		if (host->ctl[c].version > 0 && wanted(c))
			ctl_doctor_find(d, PART, CTL_VERDICT_OK, cg_controller_to_str(c), NULL,
					"(v%d, %s)", host->ctl[c].version, host->ctl[c].mount);
		if (host->ctl[c].version > 0 || !wanted(c))
			continue;
		snprintf(remedy, sizeof(remedy), "boot with cgroup_enable=%s",
			 cg_controller_to_str(c));
		ctl_doctor_find(d, PART, CTL_VERDICT_WARNING, cg_controller_to_str(c), remedy,
				"no such controller in any hierarchy: its limits are refused");
	}
	if (host->ctl[CG_DEVICES].version > 0 || host->unified[0])
		ctl_doctor_find(d, PART, CTL_VERDICT_OK, "device filter", NULL, "(%s)",
				host->ctl[CG_DEVICES].version == 1 ? "v1 devices" : "BPF");
	else
		ctl_doctor_find(d, PART, CTL_VERDICT_MISSING, "device filter",
				"mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified",
				"neither cgroup2 nor the v1 devices controller is mounted");
	if (!host->unified[0] && host->ctl[CG_FREEZER].version == 0)
		ctl_doctor_find(d, PART, CTL_VERDICT_MISSING, "freezer",
				"mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified",
				"no pause, no suspend, no migration");
}

static void limits(struct ctl_doctor *d)
{
	static const struct {
		enum cg_limit limit;
		uint64_t value;
	} samples[] = {{CG_LIMIT_CPU_WEIGHT, 100},    {CG_LIMIT_CPU_QUOTA, 1000},
		       {CG_LIMIT_MEM_MAX, 1u << 30},  {CG_LIMIT_MEM_HIGH, 1u << 30},
		       {CG_LIMIT_MEM_LOW, 1u << 20},  {CG_LIMIT_MEM_MIN, 1u << 20},
		       {CG_LIMIT_SWAP_MAX, 1u << 20}, {CG_LIMIT_PIDS_MAX, 1000},
		       {CG_LIMIT_IO_WEIGHT, 100}};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		const char *name = cg_limit_to_str(samples[i].limit);
		struct cg_limits l = {0};
		struct err e = {0};
		char said[64];
		size_t n = (size_t)snprintf(said, sizeof(said), "%s cannot be set: ", name);

		if (cg_limit_set(&l, samples[i].limit, samples[i].value, &e) < 0 ||
		    cg_limits_check(&l, &e) < 0)
			/* The line begins with the name already. */
			ctl_doctor_find(d, PART, CTL_VERDICT_WARNING, name, e.hint, "%s",
					e.text + (strncmp(e.text, said, n) ? 0 : n));
		else
			ctl_doctor_find(d, PART, CTL_VERDICT_OK, name, NULL, "%s", "");
	}
}

void ctl_doctor_cgroups(struct ctl_doctor *d)
{
	struct err e = {0};
	const struct cg_host *host = cg_host(&e);
	bool v1 = false, v2 = false;

	if (!host) {
		ctl_doctor_find_err(d, PART, CTL_VERDICT_MISSING, "hierarchies",
				    "mount -t cgroup2 cgroup2 /sys/fs/cgroup", &e);
		return;
	}
	for (int i = 0; i < CG_CONTROLLER_COUNT; i++) {
		v1 |= host->ctl[i].version == 1;
		v2 |= host->ctl[i].version == 2;
	}
	ctl_doctor_find(d, PART, CTL_VERDICT_OK,
			!v1		   ? "version 2"
			: host->unified[0] ? "hybrid"
					   : "version 1",
			NULL, "%s", v1 && v2 ? "(controllers in both)" : "");
	controllers(d, host);
	limits(d);
}
