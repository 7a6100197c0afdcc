/* SPDX-License-Identifier: GPL-2.0-only */
/* `suspend --check` and the source's half of `migrate --dry-run`: what stands in the way, printed. */
#pragma once

#include "base/json.h"
#include "ctl/options.h"
#include "runtime/system.h"

struct err;

/*
 * Looks at the running container s and prints each blocker on standard output, one a line ("CT web: process 212 (nginx, unit nginx.service) has an io_uring ...").
 * Returns how many there are, or -errno with e filled (class NOT_RUNNING). With --json of the line nothing is printed and *list (owned by the caller) is their array;
 * list may be NULL for a command without --json.
 */
int ctl_preflight(const struct ctl_line *line, const struct ct_system *s, json_t **list,
		  struct err *e);

/* Prints {name, blockers}, and the mode of a migration that is only tried (NULL: none is left); takes list. */
int ctl_preflight_print(const char *name, const char *mode, json_t *list, struct err *e);

/* 0 when there is none, else how many there are as an err of class CHECKPOINT. */
int ctl_preflight_judge(int count, struct err *e);
