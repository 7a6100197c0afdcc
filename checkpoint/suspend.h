/* SPDX-License-Identifier: GPL-2.0-only */
/* A container to disk and back: ROOT/ct/NAME/checkpoint/. */
#pragma once

/*
 * The file CT_CHECKPOINT_MARKER in it decides: it is written (images flushed before it) while the tasks are stopped and before they are killed; it is removed while the
 * restored tasks are stopped and before they run. So at every instruction the container is running, or can be resumed, and never both.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/system.h"

struct err;
struct net_hold;

struct cr_suspend {
	bool unchecked; /* without the preflight (preflight.h) */
	bool keep_running; /* only the images are made; they have no marker: for an experiment or a backup */
	uint64_t *
		frozen_ns; /* out, may be NULL: how long the tasks were stopped, until killed or running again */
	/*
	 * Images and marker are not flushed to disk: shorter frozen, and whole after the death of any process, but not after a power failure, which
	 * takes the memory of a running container, too. For migration, where they are needed for a moment only.
	 */
	bool unflushed;
	/* For migration, each may be NULL. */
	uint64_t *
		stopped_at_ns; /* out: log_now_ns() when the tasks had been stopped; set before commit */
	/* As cr_dump's: it runs, and is about to be stopped. */
	int (*stopping)(void *arg, struct err *e);
	/* Images complete, tasks stopped, marker not yet written. Not 0: they go on, as after any failure. images: borrowed. */
	int (*commit)(int images, void *arg, struct err *e);
	/* The tasks are dead, the marker is written; the state, cgroups and links are not yet cleaned. Its failure is returned after the cleaning. */
	int (*killed)(void *arg, struct err *e);
	void *arg;
	/*
	 * The images hold no private memory and get no marker: during commit the tasks are frozen (cr_dump.journal), and when it has said 0 they are killed. A failed commit that
	 * has set *stay leaves them frozen: nobody knows yet whose they are. Both are for live migration, with a journal beside the container.
	 */
	bool live;
	const bool *stay;
	/* What arrives from the freeze on is held here (held.h) instead of being dropped, for who runs it next; it is given back if that is this host. NULL: dropped. */
	struct net_hold *frames;
	/* Out, when 0 is returned; may be NULL: the lock of its traffic, which ends when the caller closes this. That takes a grace period (shed.h). */
	int *hold;
};

/* s: locked. Class NOT_RUNNING, CHECKPOINT (it goes on running). how may be NULL. */
int cr_suspend(struct ct_system *s, const struct cr_suspend *how, struct err *e);

/* Like ct_system_start: the monitor is forked. Class RESTORE (the images stay: it can be tried again), RUNNING, NOT_RUNNING when there is no checkpoint. */
int cr_resume(struct ct_system *s, struct err *e);

/*
 * As cr_resume, with a last word: ready is called in the process that will be the monitor, when every task is restored and stopped before its first
 * instruction, before the marker is removed. Not 0: they are killed, all is undone but the images, and its err is returned.
 */
struct cr_resume_last {
	int (*ready)(void *arg, struct err *e);
	void (*runs)(
		void *arg); /* in the caller, as soon as it runs and its addresses are announced; may be NULL */
	/* Frames that came for it meanwhile (held.h), a batch that ready may set, or NULL; and in the caller's and that process the socket to give them through. */
	const int *held;
	int held_sock;
	void *arg;
	const int *keep; /* descriptors that ready needs in that process (ct_guardian_task) */
	size_t n_keep;
	const struct cr_pages *
		pages; /* what the images do not hold (live migration): brought by a daemon while it runs already; NULL: they are whole */
	int (*hungry)(void *arg, struct err *e); /* as cr_restore's */
};
int cr_resume_when(struct ct_system *s, const struct cr_resume_last *last, struct err *e);

/* Throws the images away, so that `start` boots anew. None: success. Running: success, left-overs are removed. */
int cr_checkpoint_drop(struct ct_system *s, struct err *e);

/* 1: can be resumed, 0: not. */
int cr_checkpoint_exists(const struct ct_system *s, struct err *e);
