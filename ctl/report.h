/* SPDX-License-Identifier: GPL-2.0-only */
/* The one place that prints a failure, and the sink for warnings: both go to standard error, one line each. */
#pragma once

/*
 *   skepctl: CT 101: start: /sbin/init: no such file           what, which container, why
 *   hint: set another program with skepctl set 101 --init      what to do next
 *   skepctl: warning: ...
 */

#include <stdbool.h>

#include "ctl/options.h"

struct err;

/* Prints e (and its hint); line says which container it was about, may be incomplete. Returns the exit code of e's class. */
int ctl_report(const struct ctl_line *line, const struct err *e);

/* Sends the library's notices here: warnings, with verbose also what is being done, with debug all. */
void ctl_report_init(const struct ctl_front *front, bool verbose, bool debug);

/* "CT 101: started": what a verb says when all went well; nothing with --quiet. */
void ctl_done(const struct ctl_line *line, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Standard output reached its reader? To be asked once at the end: a full disk or a closed pipe is a failure of list and stat, too. */
int ctl_flush(struct err *e);
