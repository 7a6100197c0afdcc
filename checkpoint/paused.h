/* SPDX-License-Identifier: GPL-2.0-only */
/* Images of a container that is paused, and stays so. */
#pragma once

/*
 * criu runs code of its own in the tasks, which a frozen one does not do. Told of the frozen group (--freeze-cgroup) it stops all that are in it by ptrace, thaws it, and freezes it again before it lets them go, if it does
 * (freeze_processes(), freezer_restore_state() in criu/seize.c). A criu that was killed in between has let them go on: they are frozen again by us; if we were killed, too, they run.
 */

#include <limits.h>
#include <stdbool.h>

struct cg;
struct cr_criu;
struct err;

struct cr_paused {
	const struct cg *cg; /* borrowed */
	char path[PATH_MAX]; /* of the frozen group; "": it is not paused */
};

int cr_paused_find(struct cr_paused *p, const struct cg *cg, struct err *e);

static inline bool cr_paused_is(const struct cr_paused *p)
{
	return p->path[0];
}

/* Before criu is run; nothing for one that is not paused. c borrows the path. */
void cr_paused_add(struct cr_criu *c, const struct cr_paused *p);

/* When criu has ended and the tasks live: as it was. What goes wrong is a warning. */
void cr_paused_keep(const struct cr_paused *p);
