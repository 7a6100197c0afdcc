/* SPDX-License-Identifier: GPL-2.0-only */
/* What stands in the way of a checkpoint: found by looking at a running container, before anything is stopped. */
#pragma once

/*
 * Life: cr_preflight() walks /proc of all processes of the container's control group, from the host, and stops, traces and changes nothing. It names everything that
 * criu would refuse or could not make again, and nothing else: each kind below has a row in tests/native/preflight.bats, which plants it and sees criu fail. What
 * criu takes along is no blocker, however odd. cr_dump() asks the same list, so there is one truth. A process that ends while it is looked at has nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/json.h"
#include "runtime/state.h"

struct ct_definition;
struct err;

struct cr_blocker {
	const char *kind; /* a word for programs: "io_uring", "socket"; static */
	pid_t pid;	  /* in the container's pid namespace; 0: not one process's */
	char name[64];	  /* of the process */
	char unit[128]; /* systemd's inside, from its control group ("nginx.service"); "" without */
	char what[256]; /* "has an io_uring (descriptor 5)": the process is the subject */
	char fix[200];	/* what to do about it: one clause, no dot */
	int no;		/* errno for those who stop at it */
	bool passing;	/* may be gone in a moment */
};

/* The container decides how much there is to name: it ends there. */
#define CR_BLOCKERS_MOST 256

struct cr_preflight {
	struct cr_blocker *list; /* owned */
	size_t count;
	bool more; /* there were more than CR_BLOCKERS_MOST */
};

void cr_preflight_done(struct cr_preflight *p);
#define auto_preflight __attribute__((cleanup(cr_preflight_done)))

enum cr_preflight_for {
	CR_PREFLIGHT_CHECK, /* what may pass is looked at for as long as a dump would try, and then named, too: a second at most */
	CR_PREFLIGHT_DUMP,  /* what may pass is left to the dump, which tries again */
};

/*
 * Fills p (a zeroed one). ct: open, its lock is not needed; d: its definition, which it may be restored with only. 0, also with blockers in p->list; an error only when it could not be looked (class NOT_RUNNING when it
 * does not run). Host side, as root; some ms for a container with twenty processes, twice that when there is something to name.
 */
int cr_preflight(const struct ct *ct, const struct ct_definition *d, enum cr_preflight_for what_for,
		 struct cr_preflight *p, struct err *e);

/* One line: "process 212 (nginx, unit nginx.service) has an io_uring; ...". */
void cr_blocker_to_str(const struct cr_blocker *b, char *text, size_t size);

/* 0 when there is none; else the first of them as an err of class CHECKPOINT, with how many there are. */
int cr_preflight_judge(const struct cr_preflight *p, struct err *e);

/* [{kind, pid, process, unit, what, fix}]; pid, process and unit are null where there is none. NULL: no memory. */
json_t *cr_preflight_to_json(const struct cr_preflight *p);
