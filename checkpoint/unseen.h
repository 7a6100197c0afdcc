/* SPDX-License-Identifier: GPL-2.0-only */
/* The memory that criu dump is not shown, because it would take its time over it and carry none of it. */
#pragma once

/*
 * `criu dump --lazy-pages` leaves the private memory out of its images, and yet takes every page of it in its hands while the tasks are stopped: it lets the kernel list the pages with a
 * look at each one's struct, and its parasite puts each into a pipe (vmsplice(2)), a pipe for each MB, for a page server that we never let it become. Of 1 GB that is 12 + 17 ms in the kernel and
 * as much again for 1000 pipes and talks, and criu has no option against it. All of it follows from one question, ioctl PAGEMAP_SCAN on /proc/PID/pagemap. So over that file of each process
 * with much memory, in a mount namespace that only criu is in, lies one of ours (fuse_file.h), which passes each question on to the kernel, but of a large mapping that criu would leave to lazy
 * pages says that there are no pages in it. What there is goes into unseen-ID.img beside criu's images, as runs of a pagemap image; pagemap.h reads both as one.
 *
 * And over the /proc/PID/smaps of each of them lies one that has what criu reads of it (smaps.h), without the walk over all pages with which the kernel makes the rest: 8 to 12 ms more.
 *
 * Life: cr_unseen_open() before criu is started; cr_unseen_attach() in criu's process; cr_unseen_stopped() when the tasks are stopped and criu has not yet looked at one;
 * cr_unseen_serve() while criu runs; cr_unseen_save() when it has asked all it asks; cr_unseen_close(). Whatever fails on the way means that criu is told the truth, and the
 * freeze takes longer; only a list that cannot be saved is an error. If we die, criu's question fails, and its dump with it.
 */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "checkpoint/smaps.h"

struct cg;
struct cr_run;
struct err;

#define CR_UNSEEN_MOST	  16 /* processes of one container; criu is shown the memory of the others */
#define CR_UNSEEN_FILES	  (2 * CR_UNSEEN_MOST)
#define CR_UNSEEN_PROCESS (16u << 20) /* bytes of anonymous memory from which on it is worth it */
#define CR_UNSEEN_MAPPING \
	(2u << 20) /* as large must a mapping be; criu asks about several smaller ones at once */

struct cr_unseen_task {
	pid_t pid;
	uint32_t id; /* criu's pagemap id */
	int fuse;
	int fuse_smaps; /* -EBADF: criu reads the kernel's */
	char *smaps;	/* what it reads instead, since it is stopped */
	size_t smaps_len;
	int kernel_smaps; /* or what we read for it: the kernel's; -EBADF: `smaps` */
	struct cr_run *
		maps; /* its large mappings that may be lazy, since it is stopped; none: nothing is withheld */
	size_t map_count;
	uint64_t *
		stacks; /* pages with the top of a thread's stack: criu wants those in its images */
	size_t stack_count;
	struct cr_run *runs; /* what criu was not told of */
	size_t run_count, run_room;
	bool failed; /* out of memory: the list is not whole */
};

struct cr_unseen {
	struct cr_unseen_task task[CR_UNSEEN_MOST];
	size_t count;
	struct cr_smaps smaps;
};
#define auto_unseen __attribute__((cleanup(cr_unseen_close)))

/* The processes of the group that have much memory; none is no error. */
void cr_unseen_open(struct cr_unseen *u, const struct cg *cg);
void cr_unseen_close(struct cr_unseen *u);

/* I am criu's process: a mount namespace of my own, with our files in it. arg: the struct cr_unseen. */
int cr_unseen_attach(void *arg, struct err *e);

/* Every task is stopped, by ptrace, and none has a parasite yet. */
void cr_unseen_stopped(struct cr_unseen *u);

/* Fills p, of CR_UNSEEN_FILES, for poll(2); returns how many. Then, with what poll said. */
size_t cr_unseen_poll(const struct cr_unseen *u, struct pollfd *p);
void cr_unseen_serve(struct cr_unseen *u, const struct pollfd *p, size_t count);

/* Into images. Returns how many pages. */
int64_t cr_unseen_save(const struct cr_unseen *u, int images, struct err *e);
