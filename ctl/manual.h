/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of a manual page that tables know: verbs, options, examples, exit codes; as man(7) source. */
#pragma once

#include <stdio.h>

#include "ctl/options.h"

/*
 * Copies a page's source (ctl/man/NAME.8.in) from in to out. A line "@commands@" becomes all verbs of the front with their options and examples,
 * "@options@" the global options, "@exit@" the exit codes, "@version@" within a line the version. So the page cannot drift from what --help says.
 */
void ctl_manual_write(const struct ctl_front *front, FILE *in, FILE *out);
