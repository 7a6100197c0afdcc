/* SPDX-License-Identifier: GPL-2.0-only */
/* What skep-pages and the source say to each other about pages that come after the restore. */
#pragma once

/*
 * A stream (pipe pair or socket), the daemon first. All numbers little-endian, no gaps. The daemon sends struct cr_pages_request; each is answered, in order, by one or more struct cr_pages_answer that cover the asked range
 * from its start without a hole, each followed by npages pages of data unless it is flagged CR_PAGES_ZERO or CR_PAGES_GONE. The daemon asks for single pages that a task waits for and, behind them, for long runs; it has at most
 * CR_PAGES_ASKED_MOST requests open, which any pipe or socket holds, and no more pages under way than the link needs (pages_flow.h), so that an answer to an urgent one is not behind many. CR_PAGES_DONE as request: nothing is missing any more; the source may end its
 * copy. It has no answer. The end of the stream without it is a broken link, never a consent.
 */

#include <stdint.h>

#define CR_PAGES_WIRE_MAGIC 0x3170676du
#define CR_PAGES_ASKED_MOST 64

/* X(NAME, number) */
enum cr_pages_request_kind {
	CR_PAGES_WANT = 1, /* a task waits */
	CR_PAGES_FILL = 2, /* nobody waits yet */
	CR_PAGES_DONE = 3, /* id, vaddr, npages are 0 */
};

struct cr_pages_request {
	uint32_t magic; /* CR_PAGES_WIRE_MAGIC */
	uint32_t kind;
	uint32_t id;
	uint32_t npages; /* 1 .. CR_PAGES_RUN_MOST */
	uint64_t vaddr;
};

enum cr_pages_answer_flags {
	CR_PAGES_ZERO = 1, /* all of them are zeroes: no data */
	CR_PAGES_GONE =
		2, /* the source has no such page: it is fatal for the container, which is told so */
};

struct cr_pages_answer {
	uint32_t magic;
	uint32_t flags;
	uint32_t id;
	uint32_t npages;
	uint64_t vaddr;
	uint64_t sum; /* cr_pages_sum() of the data, 0 without data */
};

_Static_assert(sizeof(struct cr_pages_request) == 24, "a message of the protocol");
_Static_assert(sizeof(struct cr_pages_answer) == 32, "a message of the protocol");
