/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages of memory over the link of a migration: gathered and sent here, judged and stored there. */
#pragma once

/*
 * A frame PAGES says how many bytes follow it, or, if it names "packed", how many they become when that many are unpacked (squeeze.h): runs, each a struct cr_memory_run and, unless it is all zeroes, its pages. At the end of a round stands a frame ROUND,
 * which the target answers when all of it is in its store: so the source knows how fast the link is, and that it is not ahead of it.
 * Life: cr_memory_out_init(); cr_memory_out_run() as the tracker's sink; cr_memory_out_round() at the end of each round; cr_memory_out_done().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/protocol.h"

struct cr_pages;
struct cr_pace;
struct err;

/* Bytes behind one PAGES: 256 KiB of pages, each alone at the worst: they stay in a processor's cache from one copy to the next. */
#define CR_MEMORY_PAGES_MOST 64u
#define CR_MEMORY_BYTES_MOST (CR_MEMORY_PAGES_MOST * (4096u + 32u))

/* Little-endian. zero: no pages follow. sum: cr_pages_sum() of the pages. */
struct cr_memory_run {
	uint32_t id;
	uint32_t npages;
	uint64_t vaddr;
	uint32_t zero;
	uint32_t reserved;
	uint64_t sum;
};
_Static_assert(sizeof(struct cr_memory_run) == 32, "a part of the protocol");
_Static_assert(CR_MEMORY_BYTES_MOST <= SQUEEZE_MOST, "one chunk");

struct cr_memory_out {
	struct cr_link *link;  /* borrowed */
	struct cr_pace *pace;  /* borrowed; NULL: as fast as it goes */
	unsigned char *buffer; /* of CR_MEMORY_BYTES_MOST */
	size_t used;
	unsigned pages;	 /* in the buffer */
	uint64_t bytes;	 /* of memory, given to it so far */
	uint64_t zeroes; /* of these, not sent as they are all zeroes */
};

int cr_memory_out_init(struct cr_memory_out *o, struct cr_link *link, struct cr_pace *pace,
		       struct err *e);
void cr_memory_out_done(struct cr_memory_out *o);

/* A cr_track_sink; arg: struct cr_memory_out. -EINTR when a signal has come. */
int cr_memory_out_run(void *arg, uint32_t id, uint64_t vaddr, uint32_t npages, const void *data,
		      struct err *e);

/* Sends what is left in the buffer, says that the round is over and waits until the target has it. */
int cr_memory_out_round(struct cr_memory_out *o, unsigned number, struct err *e);
/* Sends what is left in the buffer. */
int cr_memory_out_flush(struct cr_memory_out *o, struct err *e);

/* What stands behind a PAGES frame, into the store. All of it is untrusted: -EPROTO; a wrong sum is -EBADMSG. */
int cr_memory_in(struct cr_link *l, const json_t *pages, struct cr_pages *store, struct err *e);
