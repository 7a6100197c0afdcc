/* SPDX-License-Identifier: GPL-2.0-only */
/* How many pages are to be under way from the source, so that the link is never idle and who waits for a page does not wait behind many. */
#pragma once

/*
 * What is asked for is sent in that order, so a page that a task waits for comes behind all that is under way. Less than the link's rate times its round trip lets the link be idle, more only makes
 * the queue longer. Both are measured by the answers: the round trip is the shortest time from a request to the beginning of its answer, the rate what came from a request to its end. As many pages
 * are to be under way as come in a round trip and a bit: while the link is not full the rate is just that number by the round trip, so the bit makes it grow, by half each time; when the link is full
 * it is what a task waits for others' pages. (It is the control of TCP Vegas and BBR, for which see tcp(7), tcp_congestion_control; there it is about packets.)
 *
 * Times are CLOCK_MONOTONIC in ns, passed in. Zeroed is a link of which nothing is known.
 */

#include <stdbool.h>
#include <stdint.h>

struct cr_flow {
	uint64_t round_ns;  /* the shortest round trip; 0: not known yet */
	uint64_t rate;	    /* pages a second, of late */
	uint64_t under_way; /* pages that are asked for */
	uint64_t come;	    /* pages that have come, in all */
	uint64_t waited_ns; /* when a task waited last; 0: none has */
};

/* Of a request, as long as it is open. */
struct cr_flow_mark {
	uint64_t sent_ns, come;
};

/* A request for npages is sent. */
struct cr_flow_mark cr_flow_ask(struct cr_flow *f, uint32_t npages, uint64_t now);
/* Its answer begins. */
void cr_flow_begin(struct cr_flow *f, const struct cr_flow_mark *m, uint64_t now);
/* So many pages of it are there; last: it is answered whole. */
void cr_flow_come(struct cr_flow *f, const struct cr_flow_mark *m, uint32_t npages, bool last,
		  uint64_t now);
/* A task waits for a page. */
void cr_flow_wait(struct cr_flow *f, uint64_t now);
/* How many pages the next request that nobody waits for is to be for, up to `most`; 0: enough are under way. */
uint32_t cr_flow_next(const struct cr_flow *f, uint32_t most, uint64_t now);
