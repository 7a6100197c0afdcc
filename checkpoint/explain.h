/* SPDX-License-Identifier: GPL-2.0-only */
/* From a criu log to one line of cause and one of remedy. */
#pragma once

struct err;

/*
 * Fills e from a log: the first known cause in it, else its first real error line (harmless noise and the follow-up errors of a failure left out). what:
 * "checkpoint", "restore". Returns -e->no (EIO when nothing fits better; EAGAIN for what is gone in a moment).
 */
int cr_explain(const char *log, const char *what, struct err *e);

/* The same for the file `name` in dir; a log that is not there says so. */
int cr_explain_at(int dir, const char *name, const char *what, struct err *e);
