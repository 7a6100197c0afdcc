/* SPDX-License-Identifier: GPL-2.0-only */
/* skepctl's front: its verbs, one file each (cmd_*.c), and its global options. */
#pragma once

/*
 * Life: everything here is static and const. main() gives ctl_skepctl to ctl_parse(); help, completion and the manual's check read the same tables. A new
 * verb is a new cmd_NAME.c, a line in CTL_COMMANDS, and an entry in the manual.
 */

#include "ctl/options.h"

#define SKEP_VERSION "0.1"

/* X(variable's end): the order of the help, hidden ones last. */
#define CTL_COMMANDS(X)    \
	X(template)        \
	X(create)          \
	X(start)           \
	X(stop)            \
	X(restart)         \
	X(destroy)         \
	X(list)            \
	X(info)            \
	X(set)             \
	X(exec)            \
	X(enter)           \
	X(console)         \
	X(pause)           \
	X(suspend)         \
	X(resume)          \
	X(migrate)         \
	X(stat)            \
	X(doctor)          \
	X(migrate_receive) \
	X(reap)

#define X(name) extern const struct ctl_command ctl_cmd_##name;
CTL_COMMANDS(X)
#undef X

extern const struct ctl_front ctl_skepctl;
