/* SPDX-License-Identifier: GPL-2.0-only */
/* The process between a command and a container: it makes init, tells the command how that went, and becomes the monitor. */
#pragma once

#include <stdbool.h>

#include "runtime/container.h"
#include "runtime/system.h"

struct err;

/*
 * How a guardian makes a container: a start or a restore. Runs in the guardian. On failure nothing may remain but what ct's ledger names. ct: open
 * and locked, out: filled, when it returns >= 0.
 */
struct ct_guardian_task {
	const char *name; /* "start", "resume" */
	int (*make)(struct ct_system *s, void *arg, struct ct *ct, struct ct_created *made,
		    struct err *e);
	void *arg;
	bool no_way_back; /* when make has succeeded, a later failure (of the monitor) leaves it running: it cannot be made again */
	const int *keep;  /* further descriptors that make needs */
	size_t n_keep;
};

/*
 * Forks the guardian, and returns when the container runs and its monitor is in place: *init is its first process. When make fails, what there
 * is is deleted and its error is ours. The guardian dies with us until then, and holds s's lock as long as it works.
 */
int ct_guardian_run(struct ct_system *s, const struct ct_guardian_task *task, pid_t *init,
		    struct err *e);
