/* SPDX-License-Identifier: GPL-2.0-only */
/* Ctrl-C during a migration: it ends as any broken one does, and not in the middle of a step. */
#pragma once

/*
 * Life: cr_interrupt_begin() takes SIGINT, SIGTERM and SIGHUP; each then only ends the remote shell and the link, so that the next word over it fails
 * and the way back is the usual one. cr_interrupt_hold() from the COMMIT on: they have no effect any more. cr_interrupt_end() puts back what was. One
 * migration a process at a time.
 */

#include <sys/types.h>

struct err;

void cr_interrupt_begin(void);
/* The remote shell, and our end of its link, a socket, borrowed until the next call; 0, -1: there is none. */
void cr_interrupt_shell(pid_t shell, int link);
void cr_interrupt_hold(void);
void cr_interrupt_end(void);

/* Between steps: -EINTR, class MIGRATE, if one of them came. */
int cr_interrupt_check(struct err *e);
