/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tracker (track.h) knows of each process, and what its two backends do with it. For track*.c only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "checkpoint/track.h"
#include "checkpoint/track_memory.h"
#include "checkpoint/track_set.h"
#include "checkpoint/uffd.h"

/* As many attempts to enter a process that refuses. */
#define CR_TRACK_TRIES 5

struct cr_proc {
	pid_t pid, parent;
	uint64_t ticks;
	uint32_t id;
	char state;   /* proc_pid_status(5) */
	bool listed;  /* is in the latest list */
	bool partial; /* some mapping could not be followed in the latest round */
	bool begun;   /* has been scanned once since it was entered */
	bool direct;  /* devices may write into its memory */
	int uffd;     /* -errno: not followed */
	unsigned refused;
	struct cr_leaves sent; /* the target has them as they were when they were protected last */
	struct cr_leaves ever; /* were given at some time: for the statistics only */
	struct cr_leaves
		echo; /* given in the latest round, to be given once more; empty unless direct */
	struct cr_leaves hashes; /* backend content */
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
/* What a round would send. */
int cr_track_uffd_pending(struct cr_track *t, struct cr_proc *p, uint64_t *pages, struct err *e);

int cr_track_content_round(struct cr_send *s, struct err *e);
/* As cr_send_pages(), and keeps the hashes. */
int cr_content_send(void *arg, uint64_t vaddr, uint32_t npages, const void *data, struct err *e);
/* Takes out of p->sent the pages of `needed` whose content differs from what was sent. */
int cr_track_content_settle(struct cr_track *t, struct cr_proc *p, const struct cr_run *needed,
			    size_t count, struct err *e);
