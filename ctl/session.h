/* SPDX-License-Identifier: GPL-2.0-only */
/* A program run in a container for whoever sits at this terminal: what exec and enter have in common. */
#pragma once

#include <stdbool.h>

#include "ctl/options.h"
#include "runtime/system.h"

struct err;

/* --user, --cwd, --env, --tty, --no-tty. */
extern const struct ctl_option ctl_session_options[];

/*
 * Runs args (NULL-terminated) as the options of line say, with our standard descriptors or, when both ends are terminals, on a new one of the
 * container. Returns its exit status, 0..255; class NOT_RUNNING, NOT_FOUND, NOT_RUNNABLE.
 */
int ctl_session(const struct ctl_line *line, const struct ct_system *s, char **args, struct err *e);
