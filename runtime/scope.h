/* SPDX-License-Identifier: GPL-2.0-only */
/* A control group that systemd makes for us: a transient scope, asked for by the helper program skep-systemd. */
#pragma once

/*
 * On a host whose systemd is the only writer of the control group tree, that one is asked to make a container's group (`skep --systemd-cgroup`): a unit "PREFIX-NAME.scope" in a slice, delegated,
 * so that what is below it is ours, with the limits as its properties, so that `systemctl` shows them and no reload of systemd's takes them back.
 * Life: ct_scope_start() → cg_adopt() of the group it names → processes of the container are put below it → ct_scope_release(): a scope lives as long as there is a process
 * in it, and until the container's are, the helper program is the one. ct_scope_stop() at the end: by then its processes are gone, and the unit as a rule with them.
 *
 * A scope is named by one word for the ledger and the state: "system:UNIT", or "user:UNIT" of the caller's own systemd.
 */

#include <errno.h>
#include <stddef.h>
#include <sys/types.h>

#include "cgroups/limits.h"

struct ct_spec;
struct err;

#define CT_SCOPE_MOST 256

struct ct_scope {
	pid_t pid; /* of the placeholder, our child; 0: none */
	int hold;  /* the socket whose end ends it */
};
#define CT_SCOPE_INIT           \
	{                       \
		.hold = -EBADF, \
	}

/* Whether cgroupsPath fits who is to make the group: "SLICE:PREFIX:NAME" or "SLICE:NAME" is for systemd alone, and the only form for it. Whether the annotations name a group below it. Class CONFIG. */
int ct_scope_judge(const struct ct_spec *spec, struct err *e);

/* The name that the container's scope is to have. */
int ct_scope_name(const struct ct_spec *spec, const char *id, char name[CT_SCOPE_MOST],
		  struct err *e);

/* Makes it. -EEXIST: there is a unit of that name, somebody else's. group: the relative path of its control group, for cg_adopt(). */
int ct_scope_start(const char *name, const struct ct_spec *spec, const char *id,
		   struct ct_scope *scope, char *group, size_t size, struct err *e);

/* Ends the placeholder. */
void ct_scope_release(struct ct_scope *scope);

/* crun's annotation run.oci.systemd.subgroup: the group below the scope that the container is to be in; NULL: none. ct_scope_judge() has refused what names none. */
const char *ct_scope_subgroup(const struct ct_spec *spec);

/* Moves one process to a group, open, of the scope's or below (cg_v2_fd(), cg_exec_fd()). For a user's own systemd, whose group a user may not reach from another one's. */
int ct_scope_attach(const char *name, int group, pid_t pid, struct err *e);

/* Changes those of the limits that systemd has words for. */
int ct_scope_set(const char *name, const struct cg_limits *limits, struct err *e);

/* Gone already is success; so is a systemd that cannot be reached, with a warning: a scope without processes goes by itself. */
int ct_scope_stop(const char *name, struct err *e);
