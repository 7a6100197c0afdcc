/* SPDX-License-Identifier: GPL-2.0-only */
/* A container to disk and back: ROOT/ct/NAME/checkpoint/. */
#pragma once

/*
 * The file CT_CHECKPOINT_MARKER in it decides: it is written (images flushed before it) while the tasks are stopped and before they are killed; it is removed while the
 * restored tasks are stopped and before they run. So at every instruction the container is running, or can be resumed, and never both.
 */

#include <stdbool.h>
#include <stdint.h>

#include "runtime/system.h"

struct err;

struct cr_suspend {
	bool keep_running; /* only the images are made; they have no marker: for an experiment or a backup */
	uint64_t *
		frozen_ns; /* out, may be NULL: how long the tasks were stopped, until killed or running again */
};

/* s: locked. Class NOT_RUNNING, CHECKPOINT (it goes on running). how may be NULL. */
int cr_suspend(struct ct_system *s, const struct cr_suspend *how, struct err *e);

/* Like ct_system_start: the monitor is forked. Class RESTORE (the images stay: it can be tried again), RUNNING, NOT_RUNNING when there is no checkpoint. */
int cr_resume(struct ct_system *s, struct err *e);

/* Throws the images away, so that `start` boots anew. None: success. Running: success, left-overs are removed. */
int cr_checkpoint_drop(struct ct_system *s, struct err *e);

/* 1: can be resumed, 0: not. */
int cr_checkpoint_exists(const struct ct_system *s, struct err *e);
