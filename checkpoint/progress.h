/* SPDX-License-Identifier: GPL-2.0-only */
/* What a migration tells while it goes on, and its account at the end. */
#pragma once

/*
 * Life: cr_progress_init(), cr_progress_stage() at each change, cr_progress_done(). The bar moves while the caller is busy in one long write:
 * a child process draws it from what the kernel counted for us (wchar of /proc/PID/io), and dies with us. Nothing is fatal here: a terminal
 * that goes away ends the drawing, not the migration. As JSON it is one line an event:
 *   {"event": "stage", "stage": "rootfs", "total": 1048576}      it begins; total in bytes, 0 when nobody knows
 *   {"event": "bytes", "stage": "rootfs", "bytes": 524288}       now and then
 *   {"event": "round", "round": 1, "pages": 46080, "bytes": 188743680, "ns": 1, "pending": 4096, "predicted_ns": 1}
 *   {"event": "stage done", "stage": "rootfs", "ns": 1, "bytes": 1048576}
 * and skepctl ends them, when it succeeded and does not print its account otherwise, with
 *   {"event": "done", "report": {as cr_report_to_json()}}
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/json.h"
#include "base/squeeze.h"

struct err;

/* X(name, word) */
#define CR_PROGRESS_KINDS(X) \
	X(NONE, "none")      \
	X(BAR, "bar")        \
	X(JSON, "json")

enum cr_progress_kind {
#define X(name, word) CR_PROGRESS_##name,
	CR_PROGRESS_KINDS(X)
#undef X
};

/* X(name, word): the stages, in their order. */
#define CR_STEPS(X)           \
	X(CONNECT, "connect") \
	X(CHECK, "check")     \
	X(ROOTFS, "rootfs")   \
	X(MEMORY, "memory")   \
	X(FREEZE, "freeze")   \
	X(PAGES, "pages")     \
	X(DELTA, "delta")     \
	X(IMAGES, "images")   \
	X(RESTORE, "restore") \
	X(COMMIT, "commit")   \
	X(CLEANUP, "clean up")

enum cr_step {
#define X(name, word) CR_STEP_##name,
	CR_STEPS(X)
#undef X
		CR_STEP_COUNT
};
const char *cr_step_to_str(enum cr_step step);

#define CR_ROUNDS_MOST 16

/* One round over the memory of a running container. */
struct cr_round {
	uint64_t pages;	       /* sent */
	uint64_t bytes;	       /* of those */
	uint64_t ns;	       /* until the target had them */
	uint64_t pending;      /* bytes that had been written again by then */
	uint64_t predicted_ns; /* how long it would be frozen now; 0: cannot be said yet */
};

/* The account: zeros to begin with. */
struct cr_report {
	struct {
		bool done; /* the stage was gone through */
		uint64_t ns;
		uint64_t bytes; /* written to the other host */
	} stage[CR_STEP_COUNT];
	struct cr_round round[CR_ROUNDS_MOST];
	unsigned rounds;
	char mode[16], why[256]; /* what was done, and why if the operator did not choose */
	char tracker[16];	 /* how the rounds found what was written; empty without rounds */
	char tracker_why[200];	 /* why not in a better way; empty: there is none */
	bool other_mode;	 /* it failed for a reason that another mode may not meet */
	uint64_t memory_bytes;	 /* of different pages that the target got */
	uint64_t frozen_ns;	 /* from freeze (or stop) until the target said that it runs */
	uint64_t total_ns;
	uint64_t bytes;
	struct squeeze_stats squeezed; /* of those: what became less */
};

/* "stage  seconds  bytes", a line each, and "frozen N ms": for stderr. Returns the length, cut at size. */
size_t cr_report_to_text(const struct cr_report *r, char *text, size_t size);
/* {"version": 1, "mode", "why", "tracker", "tracker_why", "stages": [{"stage", "ns", "bytes"}], "rounds": [{as in the event}], "frozen_ns", "total_ns", "bytes", "memory_bytes", "compressed": {"before", "after"}}. The caller owns it; NULL without memory. */
json_t *cr_report_to_json(const struct cr_report *r);

struct cr_progress {
	enum cr_progress_kind kind;
	int fd; /* borrowed */
	struct cr_report *report;
	int stage;	/* enum cr_step, -1 before the first */
	uint64_t since; /* log_now_ns() of the stage's start */
	uint64_t start;
	uint64_t total;		  /* bytes of the stage, 0 when nobody knows */
	uint64_t written_before;  /* what we had written when it began; 0 without a total */
	struct cr_canvas *canvas; /* shared with the painter; NULL: nothing is drawn */
	pid_t painter;
	const int *
		dir; /* where CR_PROGRESS_FILE is kept up to date for `migrate --status`; NULL, or closed by now: nowhere */
};

/*
 * ROOT/ct/NAME/progress.json, while a migration works on it: {"version": 1, "pid": 4711, "began": SECONDS, "since": SECONDS, "stage": "memory", "total": BYTES, "written_before": BYTES, "report": {as at the end}}.
 * The times are seconds since the epoch. It means something only while the container is locked.
 */
#define CR_PROGRESS_FILE "progress.json"

/* dir: of the container; who closes it sets it to -EBADF. */
void cr_progress_init(struct cr_progress *p, enum cr_progress_kind kind, int fd, const int *dir,
		      struct cr_report *report);

/* What the migration of another command has noted: 1, and *out is the caller's; 0: there is none. */
int cr_progress_read(int dir, json_t **out, struct err *e);

/* Bytes that it has sent since its stage began, by what the kernel counts for the process; 0 where the stage has no total. */
uint64_t cr_progress_sent(const json_t *progress);

/* Ends the present stage and begins the next; total_bytes 0: unknown. */
void cr_progress_stage(struct cr_progress *p, enum cr_step step, uint64_t total_bytes);
/* Bytes that went to the other host in the present stage, when it is over. */
void cr_progress_bytes(struct cr_progress *p, uint64_t bytes);

/* A round over its memory is over: a line, but for the bar. */
void cr_progress_round(struct cr_progress *p, unsigned number, const struct cr_round *round);

/* Ends the last stage and takes the painter away. Twice is once. */
void cr_progress_done(struct cr_progress *p);
