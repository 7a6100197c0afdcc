/* SPDX-License-Identifier: GPL-2.0-only */
/* What `skepctl migrate --status` prints. */
#pragma once

#include "ctl/options.h"
#include "runtime/system.h"

struct err;

/* How far a migration is that another command is at, or was; s is open, without its lock. Class MIGRATE: none is. */
int ctl_migrate_status(const struct ctl_line *line, const struct ct_system *s, struct err *e);
