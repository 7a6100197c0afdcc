/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames that arrived for a container while it was on the move (net/hold.h), between the two hosts of a migration. */
#pragma once

/*
 * The source holds them from criu's pre-dump stage on (cr_dump.frames) and sends what came so far right before COMMIT, and what came since as soon as it hears RUNS, when the
 * target has announced the container's addresses, so that hardly anything comes later. Each time it is one frame HELD {"bytes": N} and N bytes, also when there are none. The target
 * gives the first ones to the container when its links are open and before it runs, the second ones when they come. They are only a favour to the container's clients: no
 * failure to hold, keep or give them is one of the migration; one of the link is.
 */

#include "net/hold.h"
#include "runtime/container.h"
#include "runtime/system.h"

struct err;
struct cr_link;

/* Source, before the freeze; without the means to hold frames they are lost as ever. */
void cr_held_open(const struct ct_system *s, struct net_hold *hold);

/* Source: all that came since the last time. hold may be closed. */
int cr_held_send(struct cr_link *l, struct net_hold *hold, struct err *e);

/* Source: the container goes on here, its traffic is free again: what came is given to it. NULL or closed: nothing to do. */
void cr_held_return(const struct ct_system *s, const struct ct *ct, struct net_hold *hold);

/* Target: one HELD. Returns a batch (an fd), the caller's. -EPROTO: more than any source sends. */
int cr_held_receive(struct cr_link *l, int ms, struct err *e);

/* Target: gives a batch to the container, whose links are open; batch < 0: nothing. sock: of net_hold_socket(). nets: with their host names. */
void cr_held_give(int sock, const struct net_if *nets, unsigned count, int batch);

/* The same for a container that runs, whose links are found by its name. */
void cr_held_give_running(int sock, const struct ct_system *s, int batch);
