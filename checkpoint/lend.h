/* SPDX-License-Identifier: GPL-2.0-only */
/* Post-copy: the source gives pages of its frozen processes to a container that runs at the target already. */
#pragma once

/*
 * Life: a second connection to the target is opened before the freeze. When the target's daemon is up (frame FEED) cr_lend_start() tells that connection whose pages it is for, and
 * forks the process that answers the daemon (pages_serve.h) until it says that nothing is missing any more. That process dies with us; the tasks stay frozen, the daemon at the
 * target waits, the tasks there that need a page wait with it, and `migrate --continue` is cr_lend_again().
 */

#include <sys/types.h>

#include "checkpoint/journal.h"
#include "checkpoint/pages_serve.h"
#include "checkpoint/peer.h"

struct cr_track;
struct ct_system;
struct err;

struct cr_lend {
	struct cr_peer peer;
	int pidfd; /* of the process that answers; -EBADF: none */
	pid_t pid;
	struct cr_pages_served *served; /* shared with it; NULL before */
};
#define CR_LEND_INIT                                  \
	{                                             \
		.peer = CR_PEER_INIT, .pidfd = -EBADF \
	}

int cr_lend_open(struct cr_lend *l, const struct cr_remote *remote, struct err *e);
/* track: of the container, which is stopped; borrowed. */
int cr_lend_start(struct cr_lend *l, const struct ct_system *s, const struct cr_journal *j,
		  struct cr_track *track, struct err *e);
/* As cr_link_expect(); the end of the answering process in a failure is one, too. */
int cr_lend_expect(struct cr_lend *l, struct cr_link *link, enum cr_frame want, int ms,
		   struct err *e);
void cr_lend_close(struct cr_lend *l);

/* All of it once more, by this process, for a container that an earlier command left frozen: returns when nothing is missing. */
int cr_lend_again(const struct ct_system *s, const struct cr_journal *j,
		  const struct cr_remote *remote, struct err *e);
