/* SPDX-License-Identifier: GPL-2.0-only */
/* /dev/tty, held open by those whose controlling terminal is the container's console: shells that have jobs do so. */
#pragma once

/*
 * To criu an open /dev/tty (tty(4)) is a second end of a terminal of the container's own, and it gives up where that terminal is external (tty_verify_ctty() in criu/tty.c:
 * "no PTY peer with sid/pgrp needed"), as the console is. But what open(2) of it gives is the terminal itself (tty_open_current_tty() in drivers/tty/tty_io.c). So criu is told that this
 * device is external as well, and what holds it is given the new console. That is true of all holders or of none: criu knows the device and not who holds it.
 */

#include <stddef.h>

struct cg;
struct ct_state;
struct err;

/* name: "rdev:dev" as criu names it; "" when nobody holds it, or somebody does whose controlling terminal is another one (and for a system container). */
int cr_ctty_find(const struct ct_state *s, const struct cg *cg, char name[64], struct err *e);
