/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of skep-pages: the restored processes, their missing pages, and where these come from. */
#pragma once

/*
 * One loop, one epoll set. Each process (struct cr_task, pages_task.c) has a userfaultfd and two lists of ranges: `left` lies in the store, `absent` has to be asked from the source (pages_source.c), whose
 * answers go into the store and move ranges from absent to left. Faults are served as they come, from whichever list has the page; pages_push.c pushes the rest of `left` in chunks between them. A process whose lists are empty after criu has said "finished" is complete: its
 * userfaultfd is closed. The rules for the kernel's events are those of criu's own daemon (criu/uffd.c).
 *
 * The kernel answers -EAGAIN to a copy while it has told, or is about to tell, of a fork, a move or a removal: until we have read it *and* the task that caused it has gone on. So a copy never
 * races with an event: what was copied before a fork is in the child, what was not is in the lists when the event is read.
 *
 * The source is asked from the start on, before there is a process: that goes into the store. Later an answer goes straight into the process, if it is the only one that can have it.
 *
 * Errors: -ENOMEM of our own and all that cannot be explained end the daemon (cr_lazy_run() fails), upon which the keeper kills the container.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/pages_daemon.h"
#include "checkpoint/pages_flow.h"
#include "checkpoint/pages_hand.h"
#include "checkpoint/pages_index.h"
#include "checkpoint/pages_ranges.h"
#include "checkpoint/pages_wire.h"

struct cr_pagemap;
struct err;

#define CR_LAZY_PUSH_LEAST \
	16 /* pages pushed in one copy while tasks fault: they wait for one at most */
#define CR_LAZY_PUSH_MOST 64 /* doubled up to this as long as none does */
#define CR_LAZY_AHEAD_MOST \
	64 /* pages put in behind a fault that goes on where the last one ended */
#define CR_LAZY_BUFFER 64
#define CR_LAZY_HALF   128 /* pages of each of two that push at once, when nobody faults */

/* How long after the restore those who let the tasks run are thought of before us. */
#define CR_LAZY_GIVE_WAY_NS UINT64_C(100000000)

/* Pages of processes that are one by fork are kept in the store. */
struct cr_family {
	unsigned members;
	bool forked;
};

struct cr_task {
	int uffd;	   /* owned; -EBADF: complete or dead */
	uint32_t id, slot; /* slot 0: the store has nothing of it */
	struct cr_ranges left, absent;
	struct cr_family *family;
	uint64_t *waiting; /* addresses of faults that could not be served yet */
	size_t waiting_count, waiting_room;
	bool again;	   /* the kernel said EAGAIN or ENOMEM: the others first */
	uint64_t ahead_at; /* where the last fault ended, with what was put in behind it */
	uint32_t ahead;	   /* how much that was */
};

/* Asked from the source, in this order. */
struct cr_asked {
	uint32_t id, npages;
	uint64_t img;
	bool wanted;
	struct cr_flow_mark mark;
};

struct cr_source {
	int in, out;   /* owned; -EBADF: none now */
	bool expected; /* there was or will be one: what is absent is waited for */
	struct cr_asked asked[CR_PAGES_ASKED_MOST];
	unsigned asked_count;
	struct cr_flow flow;
	/* The answer that is coming in. */
	struct cr_pages_answer head;
	size_t head_have;
	uint8_t *data; /* CR_PAGES_RUN_MOST pages */
	size_t data_have;
};

struct cr_lazy {
	/* Owned, placed by skep_pages_main.c; -EBADF: not there. */
	int store, images, criu_listener, ask_listener, control, events;
	/* The rest is filled by cr_lazy_run(). */
	int epoll, criu; /* criu: the connection */
	int asker;	 /* of pages.sock; one at a time */
	struct cr_pages_index *index;
	struct cr_task **tasks;
	size_t task_count, task_room;
	struct cr_task **
		plan; /* until `finished`: what all processes of the images will miss, under their ids; they have no userfaultfd */
	size_t plan_count;
	size_t turn; /* whose pages are pushed now */
	struct cr_source source;
	struct cr_pages_report report;
	uint8_t *buffer; /* CR_LAZY_BUFFER pages */
	uint32_t push_pages;
	struct cr_hand *hand; /* NULL: there is one processor */
	bool thawed; /* the tasks run: nobody who lets them run needs our second processor any more */
	uint8_t head[4]; /* of criu's next word */
	size_t head_have;
	bool finished;	     /* criu has said so: the tasks are whole, and may run at any time */
	int32_t expected_id; /* whose userfaultfd comes next; 0: none */
	/* CLOCK_MONOTONIC since when the kernel says ENOMEM; 0: it does not. That is a matter of the container's limits: it may kill one of its processes, and then there is room. */
	uint64_t starved_ns;
};

/* To its end: 0: all processes are complete (or dead). 1: cancelled, criu never came. -errno: pages are missing that will never come. */
int cr_lazy_run(struct cr_lazy *l, struct err *e);

/* --- pages_task.c --- */

/* A process of criu's; uffd is taken on success. */
int cr_task_add(struct cr_lazy *l, uint32_t id, int *uffd, struct err *e);
/* The kernel has something to tell: faults are served, events are followed. */
int cr_task_read(struct cr_lazy *l, struct cr_task *t, struct err *e);
/* Tries those faults again that had to wait. */
int cr_task_retry(struct cr_lazy *l, struct cr_task *t, struct err *e);
/* Copies up to npages of `left` from addr on. Returns how many; 0: not now (t->again). */
int cr_task_push(struct cr_lazy *l, struct cr_task *t, uint64_t addr, uint32_t npages,
		 struct err *e);
/*
 * An answer of the source, npages that were dumped from img on: straight into the process, where they are absent. Returns how many were put; what the kernel does not take now
 * stays absent.
 */
int cr_task_take(struct cr_lazy *l, struct cr_task *t, uint64_t img, uint32_t npages,
		 const uint8_t *data, struct err *e);
/* Nothing is missing. */
bool cr_task_is_complete(const struct cr_task *t);
/* Complete, or dead: its ranges are forgotten, its userfaultfd closed. */
void cr_task_end(struct cr_task *t);
void cr_task_free(struct cr_task *t);
void cr_task_drop(struct cr_task **t);
#define auto_task __attribute__((cleanup(cr_task_drop)))
/* Fills t's id, slot and ranges, which are empty, by what it had at the dump and what the store has of that. */
int cr_task_describe(struct cr_lazy *l, struct cr_task *t, const struct cr_pagemap *map,
		     struct err *e);

/* --- pages_push.c --- */

/* One piece of whose turn it is: a process is completed before the next one. 1: did, 0: there is nothing that could be pushed now. */
int cr_tasks_push(struct cr_lazy *l, struct err *e);

/* --- pages_plan.c --- */

/* What the processes of the images will miss and the store has not: it can be asked from the source while criu makes them. */
int cr_tasks_plan(struct cr_lazy *l, struct err *e);
void cr_tasks_plan_done(struct cr_lazy *l);
/* Pages of id that were dumped in [img, img_end) lie in the store: for those that come, and those that are there. */
int cr_tasks_arrive(struct cr_lazy *l, uint32_t id, uint32_t slot, uint64_t img, uint64_t img_end,
		    struct err *e);

/* --- pages_source.c --- */

/* A page is needed now. */
int cr_source_want(struct cr_lazy *l, uint32_t id, uint64_t img, struct err *e);
/* Asks for more as long as there is room for requests. */
int cr_source_fill(struct cr_lazy *l, struct err *e);
/* Something came. 1: an answer is complete, in the store, and the tasks have its ranges. 0: not yet, or the link broke. */
int cr_source_read(struct cr_lazy *l, struct err *e);
/* CLOCK_MONOTONIC. */
uint64_t cr_lazy_now_ns(void);

/* Another link; both descriptors are taken. */
int cr_source_set(struct cr_lazy *l, int in, int out, struct err *e);
/* The link is broken, or not needed any more (done: the source is told, and what it sends still is read first, for 2 s at most: so it can tell an end from a break). */
void cr_source_close(struct cr_lazy *l, bool done);
