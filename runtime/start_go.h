/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the host's side of a creation and that of a start. */
#pragma once

#include <stdbool.h>

/*
 * A container that is created waits on start.sock in its state directory, which init inherits as a listening socket, so that any later command can start it
 * (ct_start()). One that is started by who creates it (ct_create.at_once) has none: init waits for the answer to its READY.
 */

struct ct;
struct err;
struct sync;

/* Makes start.sock. The caller's. */
int ct_start_listen(const struct ct *ct, struct err *e);

/* When we fail because init failed first (a send, or the opening of its namespaces), its own words are in the socket: they are the first cause. */
void ct_prefer_words_of_init(struct sync *sync, struct err *e);

/* When init died without a word (EPIPE): if the kernel killed it for memory, that is said. ENOMEM then. */
void ct_blame_memory(const struct ct *ct, struct err *e);

/*
 * The word to an init that waits for the answer to its READY, or will: that it runs is written down first, for it may outlive us from now on. foreground: its signals are ours to pass
 * on (ct_exec_signals()) from now on, too.
 */
int ct_start_say(struct ct *ct, int init, bool foreground, struct err *e);
