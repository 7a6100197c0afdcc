/* SPDX-License-Identifier: GPL-2.0-only */
/* A second processor for skep-pages: a thread that puts one part of a piece while the loop puts the other. */
#pragma once

/*
 * Life: cr_hand_start(); then any number of cr_hand_give() and, before anything else is done with the process or the store, cr_hand_take(); cr_hand_stop().
 * Between the two the caller must not read an event of that userfaultfd, nor open a descriptor. The thread knows nothing of ranges, families and faults: it stops at the first
 * page that cannot be put, and whoever gave it the job finds out why when he comes to that page himself.
 */

#include <stdbool.h>
#include <stdint.h>

struct err;
struct cr_hand;

struct cr_hand_job {
	int uffd, store;
	uint64_t addr;	 /* in the process */
	uint64_t at;	 /* in the store */
	uint32_t npages; /* contiguous in both, registered with uffd as far as the caller knows */
	bool keep;	 /* not to be freed in the store */
	uint32_t done;	 /* out: so many from the first on are in place, and, unless kept, freed */
	int error;	 /* out: what stands against the next one; 0: all are done */
};

/* The caller must have no signals that anybody handles: the thread gets them, too. -errno, with e, when there can be none: then the caller works alone. */
int cr_hand_start(struct cr_hand **h, struct err *e);
/* job: borrowed until cr_hand_take() has returned. */
void cr_hand_give(struct cr_hand *h, struct cr_hand_job *job);
/* Waits until it is done. */
void cr_hand_take(struct cr_hand *h);
/* NULL is fine. */
void cr_hand_stop(struct cr_hand *h);
