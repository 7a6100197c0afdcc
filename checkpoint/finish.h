/* SPDX-License-Identifier: GPL-2.0-only */
/* The source's last steps: remembering that the container moved, telling so, deleting. */
#pragma once

#include "checkpoint/journal.h"
#include "checkpoint/peer.h"

struct err;

/*
 * The target has it. Writes "moved" (or "kept"), tells the target that its record may go (peer NULL, or broken: over a new connection), closes s and deletes the container here. Each step
 * can be done again by `migrate --continue`.
 */
int cr_finish_moved(struct ct_system *s, struct cr_journal *j, const struct cr_remote *remote,
		    struct cr_peer *peer, struct err *e);

/*
 * One that moved, and was kept or not removed yet, and is destroyed is never asked for again, and its target may forget it: cr_finish_is_moved() before its end fills s (closed; its name alone counts) and j for cr_finish_say_last()
 * behind it, which tells the target so, once. A target that does not greet within AGAIN_MS, or is busy with it, keeps a small file. SIGPIPE must be ignored.
 */
bool cr_finish_is_moved(const struct ct_host *h, const char *name, struct ct_system *s,
			struct cr_journal *j);
void cr_finish_say_last(const struct ct_system *s, const struct cr_journal *j);

/* Asks an open peer to remove what it received and did not take. */
int cr_ask_forget(struct cr_peer *peer, const struct ct_system *s, const struct cr_journal *j,
		  struct err *e);
