/* SPDX-License-Identifier: GPL-2.0-only */
/* The birth of init: in namespaces of its own and in those that it is to share with others (OCI namespaces[].path). */
#pragma once

#include <sys/types.h>

#include "runtime/start_init.h"

struct err;

/* Whether init is cloned by a process in the middle (below). */
static inline bool ct_clone_by_middle(const struct ct_spec *spec)
{
	return spec->join[CT_NS_USER] || spec->join[CT_NS_MOUNT] || spec->join[CT_NS_CGROUP] ||
	       spec->join[CT_NS_TIME];
}

/*
 * Clones init, which goes on with ct_init_run(), into the v2 control group `group` (-EBADF: into ours). A network, IPC, UTS or PID namespace by its path is entered by ourselves for the moment of the clone, and left again. From a
 * user, mount, cgroup or time namespace there is no way back: a process in the middle goes there, clones init as our child (CLONE_PARENT), and ends. Fills init->parent, *pid, *pidfd (the caller's).
 */
int ct_clone_init(struct ct_init *init, int group, pid_t *pid, int *pidfd, struct err *e);
