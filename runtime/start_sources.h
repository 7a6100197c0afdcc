/* SPDX-License-Identifier: GPL-2.0-only */
/* What init mounts and could not open or make itself: bind mounts' sources, device nodes for a user namespace, the host's sysfs. */
#pragma once

/*
 * Host side, before clone, with the host's ids: ct_sources_open() fills the source_fd of the spec's mounts and the mount_fd of its devices, with which init is born, but of those that init is to open in their turn (ns_mount_one()); the host closes its own with
 * ct_sources_close().
 */

struct ct;
struct ct_spec;
struct cg;
struct err;

int ct_sources_open(const struct ct *ct, const struct ct_spec *spec, const struct cg *cg,
		    struct err *e);
/* Instead of ct_sources_open() for a user, whose init opens all that is mounted: the spec's mounts become what that can do. */
int ct_sources_late(const struct ct_spec *spec, struct err *e);

void ct_sources_close(const struct ct_spec *spec);
