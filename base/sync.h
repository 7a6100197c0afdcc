/* SPDX-License-Identifier: GPL-2.0-only */
/* The talk between the host side and the init side of a start: named steps over a SOCK_SEQPACKET pair. */
#pragma once

/*
 * Life: sync_pair() before clone; each side closes the other's end. A message is one fixed struct: a step, a kind, and on
 * ERROR the struct err of the side that failed, so that the operator reads the child's own words. The end of the stream is -EPIPE with the
 * name of the step that was awaited: never consent. The step names come from the caller's X-macro, as a to-string function.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum sync_kind { SYNC_ASK, SYNC_OK, SYNC_FD, SYNC_ERROR };

struct sync_msg {
	uint32_t step;
	uint32_t kind;
	int64_t value;
	struct err err;
};

struct sync {
	int fd;
	const char *peer; /* "init", "host": for messages */
	const char *(*step_to_str)(unsigned step);
	bool filtered; /* we send by write(2), which a filter of system calls that is loaded by now lets through when sendmsg(2) is not; SIGPIPE is as it is then */
};

int sync_pair(int *ours, int *theirs, struct err *e);

/* Sends step/kind with a value, and with fd if fd >= 0 (borrowed; the receiver gets its own). */
int sync_send(struct sync *s, unsigned step, enum sync_kind kind, int64_t value, int fd,
	      struct err *e);

/* Tells the other side that we failed, with our err. Never fails loudly: the peer may be gone. */
void sync_send_error(struct sync *s, unsigned step, const struct err *why);

/*
 * Receives the next message and wants it to be (step, kind); an ERROR fills e with the peer's words. fd may be NULL; a descriptor
 * that came is the caller's (*fd), or closed; SYNC_FD without one is -EMFILE, with *value filled all the same. value may be NULL.
 */
int sync_expect(struct sync *s, unsigned step, enum sync_kind kind, int64_t *value, int *fd,
		struct err *e);

/*
 * Whether a message is there, without taking it: 1; 0: the stream has ended, or, with MSG_DONTWAIT in flags, there is none yet. A peer that ended before it read all of ours is no failure: what it said is read as from any other.
 */
int sync_peek(struct sync *s, int flags, struct err *e);
