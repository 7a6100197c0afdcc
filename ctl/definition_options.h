/* SPDX-License-Identifier: GPL-2.0-only */
/* The options of create and set: words on the command line to members of a definition. */
#pragma once

/*
 * One table (definition_options.c) holds for each option its help and the function that puts its value into the definition; OpenVZ's spellings are
 * entries of their own because their units differ:
 *   --cpuunits N   weight, 1000 is the default: cgroup v2 weight = N / 10, kept within 1..10000, whose default is 100
 *   --cpulimit N   percent of one CPU, 100 is one CPU, 0 is no limit
 *   --diskspace N  KiB when the number has no unit
 *   A:B            of --ram --swap --numproc --diskspace (barrier:limit): the limit B counts
 */

#include <stdbool.h>

#include "ctl/options.h"
#include "runtime/conf.h"
#include "runtime/definition.h"

struct err;

extern const struct ctl_option ctl_definition_options[];

/*
 * Applies the options of line that are in the table to d, in the order they were typed. conf: the host's bridge and pools. A new container without
 * --network gets one interface on the bridge with an address of the pool. Returns how many options changed something. Class VALUE.
 */
int ctl_definition_apply(const struct ctl_line *line, const struct ct_conf *conf, bool new,
			 struct ct_definition *d, struct err *e);
