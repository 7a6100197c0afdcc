/* SPDX-License-Identifier: GPL-2.0-only */
/* Help, written from the tables of options.h: what --help prints for a front and for one verb. */
#pragma once

#include <stdio.h>

#include "ctl/options.h"

/* All verbs with their summaries, the global options, where to read on. Hidden verbs are left out. */
void ctl_help_front(const struct ctl_front *front, FILE *out);

/* One verb: how it is called, its options (other names behind the one they mean), examples. */
void ctl_help_command(const struct ctl_front *front, const struct ctl_command *c, FILE *out);
