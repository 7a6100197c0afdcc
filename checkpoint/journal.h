/* SPDX-License-Identifier: GPL-2.0-only */
/* What each side of a migration remembers: the journal beside the container, and the target's record of what it took. */
#pragma once

/*
 * ROOT/ct/NAME/migration.json is there from before the offer until the end, on both sides. On the source its point says who may run the container (migrate.h); on the target
 * it says whose offer the incoming container is. ROOT/taken/TOKEN on the target is the other fact that decides: it is the target's. It goes when
 * the source has said that it remembers; until then it outlives the container, which may have been destroyed or moved on. All writes are durable.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "checkpoint/home.h"
#include "checkpoint/migrate.h"

struct err;

#define CR_TOKEN_SIZE	33 /* 32 hex digits */
#define CR_REMOTE_WORDS 16
#define CR_REMOTE_WORD	512
#define CR_TAKEN_DIR	"taken"

/* X(name, word) */
#define CR_POINTS(X)                                                                          \
	X(STARTED, "started")	  /* source: not yet given away; the target cannot run it */  \
	X(COMMITTED, "committed") /* source: never runs here by itself any more */            \
	X(MOVED, "moved")	  /* source: the target said that it has it; to be deleted */ \
	X(KEPT, "kept")		  /* as moved, but left here by the operator's wish */        \
	X(RECEIVING, "receiving") /* target */

enum cr_point {
#define X(name, word) CR_POINT_##name,
	CR_POINTS(X)
#undef X
};

/* X(name, word): how the container was before. */
#define CR_LIVES(X)           \
	X(STOPPED, "stopped") \
	X(RUNNING, "running") \
	X(SUSPENDED, "suspended")

enum cr_life {
#define X(name, word) CR_LIFE_##name,
	CR_LIVES(X)
#undef X
};

const char *cr_point_to_str(enum cr_point point);
const char *cr_life_to_str(enum cr_life life);
int cr_life_from_str(const char *word, enum cr_life *life, struct err *e);

struct cr_journal {
	enum cr_point point;
	enum cr_mode mode;
	enum cr_life was;
	bool keep;
	char token[CR_TOKEN_SIZE];
	char host[256];
	char rsh[CR_REMOTE_WORDS]
		[CR_REMOTE_WORD]; /* how the host was reached; up to the first empty one */
	char skepctl[CR_REMOTE_WORDS][CR_REMOTE_WORD];
	/* Of a target: whose it is, and who receives it; a journal without them is not an error. */
	char uuid[37];
	pid_t receiver;
	uint64_t receiver_start; /* proc_start_time() */
};

/* A new token, and the remote's words. Class VALUE for words that are too long or many. */
int cr_journal_init(struct cr_journal *j, const struct cr_remote *remote, struct err *e);

/* dir: ROOT/ct/NAME. 1: read, 0: there is none. */
int cr_journal_load(int dir, struct cr_journal *j, struct err *e);
int cr_journal_save(int dir, const struct cr_journal *j, struct err *e);
int cr_journal_remove(int dir, struct err *e);

struct cr_taken {
	char name[65];
	char uuid[37];
	char moved_to[256]; /* the host that it went to later; empty: none */
	bool start;	    /* it ran at the source, is to be started here, and was not yet */
	char boot
		[CR_BOOT_SIZE]; /* cr_home_boot() when it was taken; empty: an older skep took it */
	bool flushed;		/* its files are on disk: the source may delete its own */
};

/* Whether it is one: it comes from another host and becomes a file name. */
bool cr_token_ok(const char *token);

/* root: ROOT. 1: read, 0: there is none. */
int cr_taken_load(const char *root, const char *token, struct cr_taken *t, struct err *e);
int cr_taken_save(const char *root, const char *token, const struct cr_taken *t, struct err *e);
int cr_taken_remove(const char *root, const char *token, struct err *e);
/* Notes in all records of the container with this uuid that it moved on to host. */
int cr_taken_moved_on(const char *root, const char *uuid, const char *host, struct err *e);
/* Makes ROOT/taken: before the container is frozen. */
int cr_taken_prepare(const char *root, struct err *e);
