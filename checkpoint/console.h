/* SPDX-License-Identifier: GPL-2.0-only */
/* The terminal of a restored container: a new one of the host's, in the place of the one that it had. */
#pragma once

/*
 * Life: cr_console_make() before criu runs; cr_console_attach() in criu's process, on the shelf (shelf.h); the two give criu's words the slave to inherit and the path of
 * /dev/console's mount; cr_console_done().
 */

#include "runtime/state.h"

struct cr_criu;
struct cr_record;
struct err;

struct cr_console {
	int slave;    /* of the new terminal */
	int mount;    /* the same as a detached mount; -EBADF: the container has none */
	char old[64]; /* "rdev:dev" of the one it had, as criu's images name it */
	char ctty
		[64]; /* and of /dev/tty, which is the same terminal (ctty.h); "": nobody held it */
	char old_path[64]; /* where that was on the host */
};
#define CR_CONSOLE_INIT                          \
	{                                        \
		.slave = -EBADF, .mount = -EBADF \
	}

/* record: without a terminal nothing is made. s->terminal becomes the new one's. *master is the caller's. */
int cr_console_make(struct cr_console *c, const struct cr_record *record, struct ct_state *s,
		    int *master, struct err *e);
/* Behind cr_shelf_make(). */
int cr_console_attach(const struct cr_console *c, struct err *e);
void cr_console_add(const struct cr_console *c, struct cr_criu *criu);
void cr_console_done(struct cr_console *c);
