/* SPDX-License-Identifier: GPL-2.0-only */
/* A running container stands still for a moment, and goes on whatever happens to us meanwhile. */
#pragma once

/*
 * Life: CR_STILL_INIT; cr_still_begin() and cr_still_end() around each moment; cr_still_close(). Nothing thaws a frozen control group when its freezer dies, so the first
 * begin forks a keeper, which thaws it when our end of its socket closes during a moment. It is a session of its own and heeds no
 * signal that a terminal sends: only who kills it and us at once leaves the group frozen, and then `skepctl resume`, or the next `migrate`, is needed.
 */

#include <sys/types.h>

struct cg;
struct err;

struct cr_still {
	int keeper; /* the socket to it; -EBADF: there is none yet */
	pid_t pid;
	int begun; /* we froze it, and have to thaw it */
};
#define CR_STILL_INIT            \
	{                        \
		.keeper = -EBADF \
	}

/* All processes of cg stand still when it returns 0; after wait_ms -ETIMEDOUT, and they run. A group that somebody else has frozen is left to him. */
int cr_still_begin(struct cr_still *s, const struct cg *cg, int wait_ms, struct err *e);
/* They go on. Twice is once. */
int cr_still_end(struct cr_still *s, const struct cg *cg, struct err *e);
/* Ends the keeper. */
void cr_still_close(struct cr_still *s);
