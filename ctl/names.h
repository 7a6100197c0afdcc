/* SPDX-License-Identifier: GPL-2.0-only */
/* Verbs that take one container or many: NAME..., or all of them. */
#pragma once

#include "base/err.h"
#include "ctl/options.h"
#include "runtime/system.h"

/* What the verb does to one. line->words[0] is its name. */
typedef int (*ctl_for_one)(struct ctl_line *line, const struct ct_host *h, const char *name,
			   struct err *e);

/*
 * Does it to each container on the line; with --all, which must be in the verb's table, to each one there is; with --boot, if that is in the table, to
 * those that are to be started with the host, in their order. A failure is reported and the next one has its turn: the first one's exit code is
 * returned. A single one's failure is the verb's own. pointless: with --all and --boot, the class of those that the verb has nothing to do for (start: RUNNING), which
 * is no failure then; ERR_SYSTEM: none is.
 */
int ctl_each_name(struct ctl_line *line, ctl_for_one fn, enum err_class pointless, struct err *e);

/* The same for a verb that ends them: --all takes them in the opposite of their order, those of one order at the same time, each in a process of its own. */
int ctl_each_name_down(struct ctl_line *line, ctl_for_one fn, enum err_class pointless,
		       struct err *e);

/* For the option tables of such verbs. */
#define CTL_OPTION_ALL                                                 \
	{                                                              \
		.name = "all", .letter = 'a', .help = "all containers" \
	}
