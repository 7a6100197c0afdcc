/* SPDX-License-Identifier: GPL-2.0-only */
/* Which mode a migration takes, by what both hosts can, and why. */
#pragma once

#include "checkpoint/migrate.h"
#include "checkpoint/protocol.h"

struct err;

/* What this host can, found by trying: bit 1 << enum cr_can. */
unsigned cr_can_here(void);

/*
 * wanted: CR_MODE_AUTO, or what the operator asked for, which is never replaced: -EOPNOTSUPP, class UNSUPPORTED, names what is missing where. here, there: what
 * this host and the other (host) can. why: one sentence for the operator; empty when he chose himself.
 */
int cr_plan(enum cr_mode wanted, unsigned here, unsigned there, const char *host,
	    enum cr_mode *mode, char why[256], struct err *e);

/*
 * The live modes bring memory by userfaultfd(2), which puts pages into one address space: what forked processes shared each has for itself at the target. So mode is not live when
 * apart, what they would have together, is beyond limit (bytes; 0: none): CR_MODE_AUTO takes suspend, where a process shares again with its living parent (family.h), and why says so; anything else that was wanted
 * is -EOPNOTSUPP, class UNSUPPORTED.
 */
int cr_plan_memory(enum cr_mode wanted, uint64_t apart, uint64_t limit, enum cr_mode *mode,
		   char why[256], struct err *e);
