/* SPDX-License-Identifier: GPL-2.0-only */
/* The target's side of one migration, as its files share it: the talk (target.c), what is received (receive.c), whose it becomes (take.c). */
#pragma once

/*
 * Life: cr_migrate_receive() has one on its stack. The container is reserved, its files and memory come, then one of cr_target_run_*() restores or starts it: in the middle of
 * that stands take(), READY and COMMIT and the record. What fails before is given back, with ERROR to the source; what may have run is not (lost).
 */

#include <stdbool.h>

#include "checkpoint/offer.h"
#include "checkpoint/protocol.h"
#include "checkpoint/upper.h"
#include "runtime/system.h"

struct cr_pages;
struct err;

struct cr_target {
	const struct ct_host *h;
	struct cr_link link;
	struct cr_offer offer;
	struct ct_system s; /* what is being received; open as long as it is not a container yet */
	struct cr_upper upper;
	struct cr_pages *pages; /* live modes: the memory that came */
	int held;	 /* frames that came for it until COMMIT (held.h); -EBADF: none yet */
	int held_sock;	 /* to give them through; borrowed */
	int haste;	 /* haste.h; -EBADF: none */
	bool soon;	 /* the source has said so */
	int patience_ms; /* that the source has asked for, beside what protocol.h grants it */
	bool late; /* the last frames that were held for it did not come in time, and are still to be read */
	bool ran;  /* here: it cannot be given back */
	bool lost; /* it was not given back: the source must not hear ERROR */
};

/* --- receive.c --- */

/* All that the source sends before READY: files, memory, images with a marker (cr_offer_has_images()). */
int cr_target_receive(struct cr_target *t, struct err *e);

/* --- take.c --- */

/* From its images: it runs when this returns 0, and is a container. live: its memory may still be on the way from the store. */
int cr_target_run_restored(struct cr_target *t, struct err *e);
/* Of a container without memory, or one that reboots here. */
int cr_target_run_started(struct cr_target *t, struct err *e);
/* This is a connection of its own, for the daemon of a container that another one brought: it is the daemon's until all is there. */
int cr_target_feed(struct cr_target *t, const json_t *who, struct err *e);
/* Reads what came too late, without the container's lock: the source's last word is behind it. */
void cr_target_skip_late(struct cr_target *t);
/* When all memory is in place. Not live: at once. */
int cr_target_await_memory(struct cr_target *t, struct err *e);
/* Not of one that has ended: whether it is known by now that memory was lost, and the container killed for it. */
int cr_target_check_memory(const struct cr_target *t, struct err *e);
