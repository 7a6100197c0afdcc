/* SPDX-License-Identifier: GPL-2.0-only */
/* Userfaultfds made in other processes, and the kernel's list of pages that were written since. */
#pragma once

/*
 * Life: cr_uffd_take() makes one in each of several processes and brings it here; cr_uffd_follow() for a range of addresses, once; cr_uffd_scan() as often as wanted. Closing
 * the descriptor, or our death, takes every trace of it out of the process.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "checkpoint/pagemap_scan.h"

/* One process to be entered. */
struct cr_uffd_ask {
	pid_t pid;
	uint64_t ticks; /* its start, proc_start_time() */
	/* the answer */
	int fd; /* the caller's, close-on-exec; -errno when it could not be: see cr_inject_begin(), or the kernel's for userfaultfd(2) */
	uint64_t stop_ns; /* how long it stood still */
};

/*
 * Makes them, in a child of ours that is waited for: -errno of one process is in its `fd` and no failure. A process that does not stop costs
 * cr_uffd_stop_wait_ms: 300, and more for a test that wants every process entered, however busy the host is. 0, or -errno when there can be no child.
 */
extern int cr_uffd_stop_wait_ms;
int cr_uffd_take(struct cr_uffd_ask *asks, size_t count, struct err *e);

/* The same in the calling process, for one of our own. Returns the descriptor. */
int cr_uffd_own(struct err *e);

/*
 * Follows [start, end): nothing is protected yet. Also clears what an earlier follower left: before Linux 6.13 mremap(2) takes the mapping out of its userfaultfd, but leaves the
 * protection marks in the page table, and PAGEMAP_SCAN never protects a page again that has one. -EBUSY: it has another userfaultfd; -ENOMEM: the address space is gone (execve, exit);
 * others: a mapping that cannot be. e untouched.
 */
int cr_uffd_follow(int uffd, uint64_t start, uint64_t end);

/* What to look for in anonymous mappings. All kinds: present or swapped out pages, not the page of zeroes, not guards. */
enum cr_scan {
	CR_SCAN_LOOK,	     /* those written since they were protected */
	CR_SCAN_PROTECT,     /* the same, and protects them */
	CR_SCAN_PROTECT_ALL, /* all, and protects them */
	CR_SCAN_PRESENT,     /* all; needs no userfaultfd */
};

/*
 * Scans *start..end, which no file is mapped in, by an open /proc/PID/pagemap. Returns how many regions are in v (at most room) and moves *start behind what was scanned; at most `pages` pages (0: any
 * number). -EPERM: something in the range is not followed. After an error any page of the range may have been protected without being
 * named: all of it must count as written. e untouched.
 */
int cr_uffd_scan(int pagemap, enum cr_scan what, uint64_t *start, uint64_t end, uint64_t pages,
		 struct cr_region *v, size_t room);
