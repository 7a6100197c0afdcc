/* SPDX-License-Identifier: GPL-2.0-only */
/* The mappings of another process that criu leaves to us, and the pages in them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "checkpoint/track.h"

struct err;

/*
 * The private anonymous mappings of a process, in order, neighbours not joined: what criu calls lazy (vma_entry_can_be_lazy() in criu/include/vma.h), but for locked and droppable ones,
 * which only /proc/PID/smaps tells apart, at a hundred times the price. *runs is the caller's. Returns how many; 0 for a process that is gone, ended or
 * in the kernel. *aio: whether it has an asynchronous i/o ring. -ENOMEM, e filled.
 */
int cr_mappings_read(pid_t pid, struct cr_run **runs, bool *aio, struct err *e);

/* Who else may write into pages of a process, by its descriptors. */
enum cr_pins {
	CR_PINS_NONE,
	CR_PINS_PASSING, /* transfers: one was opened O_DIRECT */
	CR_PINS_LASTING, /* an io_uring, whose registered buffers stay pinned until it is closed */
};
enum cr_pins cr_pins_of(pid_t pid);

/* Pages on their way from one process to the sink, in few system calls. */
struct cr_reader {
	pid_t pid;
	uint8_t *data; /* CR_TRACK_BATCH pages */
	struct cr_run runs[CR_TRACK_BATCH];
	unsigned count, pages; /* of runs, in runs */
	bool gone;	       /* the process has ended: nothing is handed out any more */
	/* Gets what was read, in order: npages <= CR_TRACK_BATCH. */
	int (*got)(void *arg, uint64_t vaddr, uint32_t npages, const void *data, struct err *e);
	/* Gets a page that could not be read. NULL: skipped. */
	int (*missed)(void *arg, uint64_t vaddr, struct err *e);
	void *arg;
};

/* Empties it, for a process. */
void cr_reader_begin(struct cr_reader *r, pid_t pid,
		     int (*got)(void *arg, uint64_t vaddr, uint32_t npages, const void *data,
				struct err *e),
		     int (*missed)(void *arg, uint64_t vaddr, struct err *e), void *arg);
/* Adds pages; reads and hands out whenever a batch is full. Returns what a callback returned below 0. */
int cr_reader_add(struct cr_reader *r, uint64_t vaddr, uint64_t npages, struct err *e);
/* Hands out the rest. */
int cr_reader_flush(struct cr_reader *r, struct err *e);

/* Reads pages at once. Returns how many came, from the first on; -ESRCH when the process has ended. */
int cr_pages_read(pid_t pid, uint64_t vaddr, uint32_t npages, void *data);
