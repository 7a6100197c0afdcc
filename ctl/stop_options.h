/* SPDX-License-Identifier: GPL-2.0-only */
/* How a container is brought to its end: what stop and restart have in common. */
#pragma once

#include "ctl/options.h"
#include "runtime/system.h"

struct err;

/* --timeout, --kill and OpenVZ's --fast. */
extern const struct ctl_option ctl_stop_options[];

/* ct_system_stop() as the options say. s: locked. */
int ctl_stop(const struct ctl_line *line, struct ct_system *s, struct err *e);
