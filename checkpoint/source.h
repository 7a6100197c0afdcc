/* SPDX-License-Identifier: GPL-2.0-only */
/* The source's side of one migration, as its files share it: the talk (source.c), what is sent (passes.c), the ways of handing over (hand_over.c). */
#pragma once

/*
 * Life: cr_migrate() has one on its stack; it is journaled, then offered, then its files go, then cr_hand_over() stops the container and
 * gives it away. When that fails, in_doubt says whose the container is: false: ours, and cr_migrate() takes it back.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cgroups/group.h"
#include "checkpoint/journal.h"
#include "checkpoint/lend.h"
#include "checkpoint/memory.h"
#include "checkpoint/migrate.h"
#include "checkpoint/offer.h"
#include "checkpoint/pace.h"
#include "checkpoint/peer.h"
#include "checkpoint/progress.h"
#include "checkpoint/track.h"
#include "checkpoint/upper.h"
#include "net/hold.h"

struct err;
struct st_manifest;

struct cr_source {
	struct ct_system *s;
	const struct cr_migrate *how;
	struct cr_report *report;
	struct cr_journal j;
	struct cr_offer offer;
	struct cr_peer peer;
	struct cr_upper upper;
	struct st_manifest *sent; /* what the first pass sent */
	struct cr_progress progress;
	int shed_frames, shed_lock, shed_links; /* for cr_shed_wait() */
	struct net_hold frames; /* that come for it while it is stopped; closed: none are held */
	uint64_t pass_bytes;	/* of files, in the last pass: what the next may be */
	struct cr_pace pace;	/* also of the files */
	/* The live modes: */
	struct cg cg;
	struct cr_track *track;
	struct cr_memory_out memory;
	struct cr_lend lend;	   /* postcopy, hybrid */
	uint64_t fixed_ns;	   /* what a freeze takes here without memory, by the last ones */
	uint64_t link_bytes_per_s; /* as the last telling round found it; 0: none was */
	uint64_t
		stopped_at; /* log_now_ns() when nothing of it ran any more; 0: it runs, or never did */
	bool journaled;
	bool live;
	bool in_doubt; /* COMMIT may have been heard, and the answer was not */
	bool done;     /* the target has it */
};

/* From now on nothing of it runs anywhere: no limit holds, and nothing is tried out. */
static inline void cr_source_hurry(struct cr_source *m)
{
	m->pace.off = true;
	squeeze_hurry(m->peer.link.squeeze);
}

/* --- passes.c: what goes to the target; each is one stage of the account --- */

/* The files, while it runs; what was sent is remembered in m->sent. */
int cr_source_first_pass(struct cr_source *m, struct err *e);
/* The files that differ by now, while it runs: right before the freeze. */
int cr_source_live_pass(struct cr_source *m, struct err *e);
/* The files that differ from what was sent: nothing of it runs, or may run. */
int cr_source_second_pass(struct cr_source *m, struct err *e);
/* A directory of images. */
int cr_source_send_images(struct cr_source *m, int images, struct err *e);
/* The target has everything, and holds it restored but not running. */
int cr_source_await_ready(struct cr_source *m, struct err *e);

/*
 * The point of no return. Nothing of it runs here any more. Behind the write of the journal it is given away: only an ERROR, which the target sends after it has
 * forgotten the container, gives it back. 0: the target has it (m->done), and, of a live one with all its memory, runs it. < 0: m->in_doubt says whether it may have it.
 */
int cr_source_commit(struct cr_source *m, struct err *e);
/*
 * The end of one whose memory went before: cr_source_commit() was over when it ran there, so that here its processes, links and groups are removed while the target puts the memory in place and
 * flushes the files. Its files stay until this has returned 0; < 0: m->in_doubt. Others: 0, they have heard it.
 */
int cr_source_await_done(struct cr_source *m, struct err *e);

/* --- rounds.c: the live modes --- */

/* Its memory, while it runs, until little is left; what that took is in the account. Class MIGRATE when it cannot become little enough. */
int cr_source_rounds(struct cr_source *m, struct err *e);
/*
 * Right before its tasks are stopped: what they have written since the last round, if that costs no more than its own bytes. Nobody waits for the answer: these pages cross the link while criu
 * works. So what is left for the freeze does not grow with the memory.
 */
int cr_source_parting_round(struct cr_source *m, struct err *e);
/* After one that went well: what its freeze took without memory, for the next one's prediction. */
void cr_source_learn(const struct cr_source *m);
/* For who reads its memory without rounds. */
int cr_source_open_memory(struct cr_source *m, struct err *e);
/* Postcopy, hybrid: which of the pages that were sent are others by now. */
int cr_source_stale_pages(struct cr_source *m, int images, struct err *e);
/* What is left when it is frozen and the images are complete. */
int cr_source_last_pages(struct cr_source *m, int images, struct err *e);

/* --- hand_over.c --- */

/* By the container's life and the mode: stops it, sends the rest, commits. */
int cr_hand_over(struct cr_source *m, struct err *e);
