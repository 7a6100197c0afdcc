/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether what criu restored is what a container of ours may be. */
#pragma once

/*
 * criu believes its images: they say which namespaces a task is in, which ids it has, which of the host's directories its mounts show. Images that
 * came from another host are that host's word, so at the pre-resume stage, when every task is stopped before its first instruction, we look at the
 * result: every thread is in the container's control groups, in namespaces that are not the host's, in a user namespace that maps none but the
 * container's ids, with none but such ids, behind a system call filter; and no mount shows anything of the host's file systems but what a start
 * puts there. What a task holds open is reached through those mounts, and is not looked at by itself.
 */

#include <sys/types.h>

#include "runtime/spec.h"

struct cg;
struct err;

struct cr_verify {
	pid_t init;
	const struct cg *cg;
	const struct ct_spec *spec;
	const char *terminal; /* the console's "rdev:dev", as in struct ct_state; "" : none */
};

/* Host side, with /proc and /dev of the host. 0, or class RESTORE with what is wrong. */
int cr_verify(const struct cr_verify *v, struct err *e);
