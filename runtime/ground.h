/* SPDX-License-Identifier: GPL-2.0-only */
/* The two halves of ct_ground_make() (container.h), for a start that has init's own user namespace for the second. */
#pragma once

#include "runtime/container.h"

/* Fills ct->s with what the spec says; id names the default cgroup. */
void ct_ground_describe(struct ct *ct, const struct ct_spec *spec, const char *id, bool system);

/*
 * Notes, makes, limits and delegates the control group; its devices are for ct_ground_devices(). cg and scope (of a group that systemd makes) are the caller's, also after a failure. A container that is to have none, or may not for
 * want of rights, gets an empty ct->s.cgroup and cg; where limits were asked for, that is an error of class LIMIT.
 */
int ct_ground_cgroup(struct ct *ct, const struct ct_spec *spec, bool best_effort, struct cg *cg,
		     struct ct_scope *scope, struct err *e);

/* Who may open which devices, the spec's rules behind the defaults: the last one that matches decides. Before the program runs. */
int ct_ground_devices(const struct cg *cg, const struct ct_spec *spec, struct err *e);

/* Mounts the root file system, detached; layers are id-mapped into userns (-EBADF: not). Returns the mount fd. */
int ct_ground_rootfs(const struct ct_spec *spec, int userns, struct err *e);

/* Before it is attached: without a mount namespace of its own the container's root stays with the host's mounts until the container is deleted. */
int ct_ground_note_root(const struct ct *ct, const struct ct_spec *spec, int rootfs, struct err *e);
