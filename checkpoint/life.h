/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether a container runs, is suspended or stopped, journal or not; and bringing it back to what it was. */
#pragma once

#include "checkpoint/journal.h"

struct err;

/*
 * ct_system_status() says "migrating" as long as there is a journal: this looks behind it. What is neither of the three (being started, paused) is
 * refused: class RUNNING.
 */
int cr_life_now(const struct ct_system *s, enum cr_life *life, struct err *e);

/*
 * After a migration that was given up, before which it was `was`: removes the journal, then resumes a running one from the images that were made of it, or starts
 * one that was stopped for it (mode restart). Runs already: success.
 */
int cr_life_restore(struct ct_system *s, enum cr_mode mode, enum cr_life was, struct err *e);

/* Ends and removes what a start or a restore left of its runtime, so that its data can go. */
int cr_life_clean(const struct ct_system *s, struct err *e);
