/* SPDX-License-Identifier: GPL-2.0-only */
/* The source's half of post-copy: gives pages of its frozen processes to skep-pages at the target. */
#pragma once

#include <stdint.h>

struct err;

/*
 * Reads npages (1 .. CR_PAGES_RUN_MOST) pages of id from vaddr on into data. Returns how many of them, from the first on, are in data; 0: the first one does not exist there. -errno with e filled:
 * the source cannot read at all (its process is dead), which ends the service.
 */
typedef int (*cr_pages_read_fn)(uint32_t id, uint64_t vaddr, uint32_t npages, void *data, void *arg,
				struct err *e);

struct cr_pages_served {
	uint64_t requests, pages, zeroes, bytes;
};

/*
 * Answers requests that come from in, to out (both borrowed; may be the same), until the target says that all is there: 0. -EPIPE: the link broke, call again with another one. -EPROTO: nonsense came.
 * idle (may be NULL) is called each time before a request is waited for, and its err ends the service: for progress and for a look at an order to stop.
 */
int cr_pages_serve(int in, int out, cr_pages_read_fn read,
		   int (*idle)(const struct cr_pages_served *so_far, void *arg, struct err *e),
		   void *arg, struct cr_pages_served *served, struct err *e);

/* A cr_pages_read_fn body over process_vm_readv(2) for a caller that knows the host's pid of an id. */
int cr_pages_read_process(int32_t pid, uint64_t vaddr, uint32_t npages, void *data, struct err *e);
