// SPDX-License-Identifier: GPL-2.0-only
/* The table of skepctl's verbs and its global options. */
#include "ctl/skepctl.h"

static const struct ctl_option globals[] = {
	{.name = "root",
	 .arg = "DIR",
	 .help = "where containers and templates are kept (/var/lib/skep)"},
	{.name = "state",
	 .arg = "DIR",
	 .help = "where the state of running ones is kept (/run/skep)"},
	{.name = "best-effort", .help = "a limit that this host lacks is a warning, not an error"},
	{.name = "quiet", .letter = 'q', .help = "say nothing when all went well"},
	{.name = "verbose", .letter = 'v', .help = "say what is being done"},
	{.name = "debug", .help = "say all of it, with the time of each step"},
	{.name = "version", .help = "print the version"},
	{0},
};

static const struct ctl_command *const commands[] = {
#define X(name) &ctl_cmd_##name,
	CTL_COMMANDS(X)
#undef X
		NULL};

const struct ctl_front ctl_skepctl = {
	.name = "skepctl",
	.page = "skepctl",
	.summary =
		"small isolated Linux systems on one host: make, limit, enter, suspend, move them",
	.global = globals,
	.commands = commands,
	.exit_codes = true,
};
