/* SPDX-License-Identifier: GPL-2.0-only */
/* The other host, seen from the source: the child process `RSH HOST skepctl migrate-receive`, and the link to it. */
#pragma once

/*
 * Life: cr_peer_open() starts the child and greets; frames go over link; cr_peer_close() ends the talk and waits for the child. What the child
 * writes to its standard error is kept, up to a bound, and its last line explains an early end: "host-b ended the connection (ssh: Could not resolve...)".
 */

#include <sys/types.h>

#include "checkpoint/migrate.h"
#include "checkpoint/protocol.h"

struct err;

struct cr_peer {
	struct cr_link link;
	char call[224]; /* what it was called with, for messages */
	int fd;
	int said; /* what it wrote to its standard error */
	int pidfd;
	pid_t pid;
};
#define CR_PEER_INIT                                          \
	{                                                     \
		.fd = -EBADF, .said = -EBADF, .pidfd = -EBADF \
	}
#define auto_peer __attribute__((cleanup(cr_peer_close)))

/* Somebody may have to type a password before the first word comes. */
#define CR_GREETING_MS 120000

/* remote is borrowed until the close. ms: until its first word. Class MIGRATE when there is no talking to it, UNSUPPORTED, VALUE. */
int cr_peer_open(struct cr_peer *p, const struct cr_remote *remote, int ms, struct err *e);

/* After a failed talk: adds to an "ended the connection" what the child said at its end. Returns -e->no. */
int cr_peer_explain(struct cr_peer *p, struct err *e);

/* Twice is once. The child gets a moment to end by itself. */
void cr_peer_close(struct cr_peer *p);
