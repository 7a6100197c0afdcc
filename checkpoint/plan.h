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
