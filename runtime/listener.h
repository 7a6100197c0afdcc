/* SPDX-License-Identifier: GPL-2.0-only */
/* The agent outside that answers what a container's system call filter asks (linux.seccomp.listenerPath). */
#pragma once

/*
 * Life: host side, with a listenerPath: ct_listener_new() at create, kept in the state. When the program to be has loaded the filter it sends the listener's descriptor over the sync
 * socket at step PROCESS (ct_program_become()), and whoever told it to go hands it on by ct_listener_send(). From then on the agent answers; until then, the program waits in its next such call.
 */

#include <sys/types.h>

#include "base/json.h"
#include "runtime/spec.h"
#include "runtime/state.h"

struct err;
struct sync;

/* What the state keeps of it; *out is the caller's, and NULL without a listenerPath. */
int ct_listener_new(const struct ct_spec *spec, json_t **out, struct err *e);

/*
 * Receives the listener of process pid at `step` and sends the OCI "container process state" with it to the agent: one connection for each. Waits seconds at most for an agent that does not accept.
 * An agent that is not there is a failure only where the filter asks it. After a failure nobody will ever answer that process: kill it.
 */
int ct_listener_pass(const struct ct *ct, const json_t *listener, enum ct_status status, pid_t pid,
		     struct sync *from, unsigned step, struct err *e);
