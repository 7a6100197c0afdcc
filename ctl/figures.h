/* SPDX-License-Identifier: GPL-2.0-only */
/* The figures of one running container, for people and as JSON: what `stat` shows. */
#pragma once

#include <stdio.h>

#include "base/json.h"
#include "cgroups/stat.h"
#include "net/stat.h"
#include "runtime/system.h"

struct err;

/* Plain data. Strings are borrowed from the container. */
struct ctl_figures {
	const char *name;
	enum ct_system_status status;
	struct cg_value uptime_s;
	struct cg_stat cg;
	struct {
		const char *name; /* inside: eth0 */
		bool valid;
		struct net_stat stat;
	} net[CT_NETS_MAX];
	unsigned net_count;
};

/* s: running or paused. Class NOT_RUNNING when it ends meanwhile. */
int ctl_figures_read(struct ctl_figures *f, const struct ct_system *s, enum ct_system_status status,
		     struct err *e);

/* A title and a line for each resource; numbers that this host lacks are left out. */
void ctl_figures_print(const struct ctl_figures *f, FILE *out);

/* Members are those of CG_STATS, and status, uptime, pressure, network. The caller's; NULL without memory. */
json_t *ctl_figures_to_json(const struct ctl_figures *f);
