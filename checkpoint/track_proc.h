/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tracker (track.h) knows of each process, and what its backends do with it. For track*.c only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "checkpoint/track.h"
#include "checkpoint/track_memory.h"
#include "checkpoint/track_set.h"
#include "checkpoint/track_still.h"
#include "checkpoint/uffd.h"

/* As many attempts to enter a process that refuses. */
#define CR_TRACK_TRIES 5
/* Pages that tell whether somebody else has cleared the marks of a process. */
#define CR_TRACK_WITNESSES 8u

/* Backend soft-dirty. */
struct cr_soft {
	int dir;	     /* /proc/PID, from before a moment of standing still to its end */
	struct cr_run *runs; /* where pages can be, as of this round */
	int count;	     /* of runs */
	bool cleared;	     /* its marks, in the latest moment of standing still */
	bool doubted;	     /* somebody else had cleared them since the one before */
	struct cr_leaves
		frames; /* the word of /proc/PID/pagemap that each sent page had, without its flags */
	struct cr_leaves todo;		      /* pages to be read in this round */
	uint64_t witness[CR_TRACK_WITNESSES]; /* their addresses */
	uint64_t drawn[CR_TRACK_WITNESSES];   /* those that may be next */
	unsigned witnesses, seen;	      /* seen: that drawn were drawn from */
};

struct cr_proc {
	pid_t pid, parent;
	uint64_t ticks;
	uint32_t id;
	char state;   /* proc_pid_status(5) */
	bool listed;  /* is in the latest list */
	bool partial; /* some mapping could not be followed in the latest round */
	bool begun;   /* has been scanned once since it was entered */
	bool direct;  /* devices may write into its memory */
	bool pinned;  /* and for longer than any round: nothing of it is certain */
	int uffd;     /* -errno: not followed */
	unsigned refused;
	struct cr_leaves sent; /* the target has them as they were when they were protected last */
	struct cr_leaves ever; /* were given at some time: for the statistics only */
	struct cr_leaves
		echo; /* given in the latest round, to be given once more; empty unless direct */
	struct cr_leaves hashes; /* backends content and soft-dirty */
	struct cr_soft soft;
};

#define CR_TRACK_REGIONS 512u
#define CR_TRACK_SECRET	 192u

struct cr_track {
	const struct cg *cg;
	enum cr_track_backend backend;
	struct cr_proc *procs; /* sorted by pid */
	size_t count;
	bool began;			 /* there was a round */
	bool stopped;			 /* listed since the tasks were stopped */
	uint8_t secret[CR_TRACK_SECRET]; /* of the hashes */
	struct cr_still still;
	uint64_t marked, differed; /* backend soft-dirty, latest round: pages read, and sent */
	struct cr_reader reader;
	struct cr_region regions[CR_TRACK_REGIONS];
};

/* One process and whom its pages go to. */
struct cr_send {
	struct cr_track *t;
	struct cr_proc *p;
	cr_track_sink sink;
	void *arg;
	struct cr_track_stats *stats;
};

/* After its pages were protected or their marks cleared: who may be writing all the same has his descriptor open now. */
void cr_proc_look_for_pins(struct cr_proc *p, bool aio);
/* Brings t->procs up to date. */
int cr_procs_list(struct cr_track *t, struct cr_track_stats *stats, struct err *e);
/* Forgets all that was sent, and gives the userfaultfd back. */
void cr_proc_forget(struct cr_proc *p);

/* Gives pages to the sink and counts them as sent: `got` of a reader whose arg is a struct cr_send. */
int cr_send_pages(void *arg, uint64_t vaddr, uint32_t npages, const void *data, struct err *e);

/* A userfaultfd in each process that has none and can be entered. */
int cr_track_uffd_enter(struct cr_track *t, struct cr_track_stats *stats, struct err *e);
/* A round of one process. */
int cr_track_uffd_round(struct cr_send *s, struct err *e);
/* Takes out of p->sent all that was written since, or may have been; protects nothing that is not followed. The process is stopped. */
int cr_track_uffd_settle(struct cr_track *t, struct cr_proc *p, struct err *e);
/* What lies between the mappings was unmapped or is none of ours: nothing there counts as sent. */
void cr_proc_forget_gaps(struct cr_proc *p, const struct cr_run *maps, int count);
/* What a round would send. */
int cr_track_uffd_pending(struct cr_track *t, struct cr_proc *p, uint64_t *pages, struct err *e);

/* The container stands still: finds the pages of all processes that were written, and clears their marks. */
int cr_track_soft_begin(struct cr_track *t, struct cr_track_stats *stats, struct err *e);
int cr_track_soft_round(struct cr_send *s, struct err *e);
int cr_track_soft_settle(struct cr_track *t, struct cr_proc *p, const struct cr_run *needed,
			 size_t count, struct err *e);
int cr_track_soft_pending(struct cr_track *t, struct cr_proc *p, uint64_t *pages, struct err *e);

int cr_track_content_round(struct cr_send *s, struct err *e);
/* `got` of a round: sends the runs of pages that differ from what was sent; all of them count as sent then. */
int cr_content_compare(void *arg, uint64_t vaddr, uint32_t npages, const void *data, struct err *e);
/* `got` of the final's comparison: what differs does not count as sent any more; and its `missed`. */
int cr_content_doubt(void *arg, uint64_t vaddr, uint32_t npages, const void *data, struct err *e);
int cr_content_unreadable(void *arg, uint64_t vaddr, struct err *e);
/* As cr_send_pages(), and keeps the hashes. */
int cr_content_send(void *arg, uint64_t vaddr, uint32_t npages, const void *data, struct err *e);
/* Takes out of p->sent the pages of `needed` whose content differs from what was sent. */
int cr_track_content_settle(struct cr_track *t, struct cr_proc *p, const struct cr_run *needed,
			    size_t count, struct err *e);
