/* SPDX-License-Identifier: GPL-2.0-only */
/* Verbs that take one container or many: NAME..., or all of them. */
#pragma once

#include "ctl/options.h"
#include "runtime/system.h"

struct err;

/* What the verb does to one. line->words[0] is its name. */
typedef int (*ctl_for_one)(struct ctl_line *line, const struct ct_host *h, const char *name,
			   struct err *e);

/*
 * Does it to each container on the line; with the flag --all, which must be in the verb's table, to each one there is. A failure is
 * reported and the next one has its turn: the first one's exit code is returned. A single one's failure is the verb's own.
 */
int ctl_each_name(struct ctl_line *line, ctl_for_one fn, struct err *e);

/* {.name = "all"...}: for the option tables of such verbs. */
#define CTL_OPTION_ALL                                                 \
	{                                                              \
		.name = "all", .letter = 'a', .help = "all containers" \
	}
