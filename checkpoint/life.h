/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether a container runs, is suspended or stopped, journal or not; and bringing it back to what it was. */
#pragma once

#include <stdbool.h>

#include "checkpoint/journal.h"

struct err;

/*
 * ct_system_status() says "migrating" as long as there is a journal: this looks behind it. One that is frozen by a live migration counts as running. What is neither of the three (being started, paused) is
 * refused: class RUNNING.
 */
int cr_life_now(const struct ct_system *s, enum cr_life *life, struct err *e);

/*
 * After a migration that was given up, before which it was `was`: removes the journal, then resumes a running one from the images that were made of it, or starts
 * one that was stopped for it (mode restart). Runs already: success. One that a live mode left frozen here goes on, with its links, and then the journal goes.
 */
int cr_life_restore(struct ct_system *s, enum cr_mode mode, enum cr_life was, struct err *e);

/*
 * With the lock, so that whoever migrated it is dead. One that died before it gave anything away ("started": COMMIT was not sent, and never will be, so the target cannot run it) is over, and its journal goes, when it
 * left the container living, or as it was before, or it has ended since: then nothing is to be brought back. What only `migrate --continue` brings back keeps the journal: it is frozen, or there are
 * images that were made of it, or it was stopped for mode restart, unless starting says that a start is what is wanted. Returns 0 either way; ct_system_status() tells.
 */
int cr_life_settle(struct ct_system *s, bool starting, struct err *e);

/*
 * The links of a container that is frozen for another host take and give nothing from now on, whoever dies: until cr_life_restore(), or until they are
 * removed with the container.
 */
int cr_life_cut(const struct ct_system *s, struct err *e);

/* For a migration that was interrupted, or whose other side went away (EINTR, EPIPE, ETIMEDOUT), and that is undone: where it is, and that it may be tried again. Another failure's hint is its own. */
int cr_life_hint(enum cr_life was, struct err *e);

/* Ends and removes what a start or a restore left of its runtime, so that its data can go. */
int cr_life_clean(const struct ct_system *s, struct err *e);
