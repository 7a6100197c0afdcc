/* SPDX-License-Identifier: GPL-2.0-only */
/* How long we wait for somebody who may never answer. */
#pragma once

struct err;
struct ct_hooks;

#define CT_PATIENCE_ENV "SKEP_PATIENCE"
#define CT_PATIENCE_S	60

/*
 * Milliseconds, for poll(2): of $SKEP_PATIENCE (seconds, 0: without end, -1 here), else CT_PATIENCE_S. For a step of init's or of a process on its way into a container, which mounts, FUSE daemons and freezers of
 * others can hold, and for a reader or writer of a pipe that was given to us.
 */
int ct_patience_ms(void);

/* The same for a wait in which the hooks of that point have their turn: with their own limits, or -1 when one has none. hooks may be NULL. */
int ct_patience_with_hooks_ms(const struct ct_hooks *hooks, int point);

/* Bounds each recvmsg(2) on the socket: EAGAIN then. ms as above. */
int ct_patience_set(int sock, int ms, struct err *e);
