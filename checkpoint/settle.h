/* SPDX-License-Identifier: GPL-2.0-only */
/* The target's answers after an interruption: does it have the container, and can it forget it? */
#pragma once

#include "base/json.h"
#include "runtime/system.h"

struct err;

/*
 * Each answers as the STATE frame: {"taken", "runs", "gone", "hungry" (it runs, and some of its memory is still with the source), "moved_to"}; *state is the caller's. Whoever still works on the container has its lock: then class
 * LOCKED, and nobody knows yet; but a receiver that has no record yet is ended by forget: its source, which asks, talks to it no more. finish: what was taken is made a container, and runs if it ran. forget: what was not taken is removed; a record whose
 * container is gone, too.
 */
int cr_settle_finish(const struct ct_host *h, const char *token, json_t **state, struct err *e);
int cr_settle_forget(const struct ct_host *h, const char *token, const char *name, json_t **state,
		     struct err *e);

/* What was to be started has been: it is not started again when it was stopped here meanwhile. */
int cr_settle_started(const struct ct_host *h, const char *token, struct err *e);

/*
 * The files of what was taken are on disk when this returns 0, and its record says so, unless that cannot be written. Class IN_DOUBT when nobody can know it any more: the host went down
 * between the record and this. Then the source must not delete its own. s: open.
 */
int cr_settle_flush(const struct ct_system *s, const char *token, struct err *e);

/*
 * Before another offer: removes what a conversation that died had received under that name and never taken; one of the same container (uuid) that still waits for its source is ended
 * first, as that source's command has ended. Taken: class EXISTS.
 */
int cr_settle_stale(const struct ct_host *h, const struct ct_definition *offered, struct err *e);

/*
 * For the operator of the target, without the source: abort removes what was not taken, else finishes what was. Each refuses the other's case, class
 * MIGRATE. Class NO_SUCH_CT: nothing is being received under this name.
 */
int cr_settle_here(const struct ct_host *h, const char *name, bool abort, struct err *e);
/* The same for one that is a container already, but was not yet brought back to what it was; s is open. */
int cr_settle_taken(struct ct_system *s, bool abort, struct err *e);
