/* SPDX-License-Identifier: GPL-2.0-only */
/* What the source of a migration offers: who the container is and what it needs. It comes from another host and is judged like that. */
#pragma once

#include "checkpoint/cpu.h"
#include "checkpoint/journal.h"
#include "storage/template.h"

struct err;

struct cr_offer {
	char token[CR_TOKEN_SIZE];
	enum cr_mode mode;
	enum cr_life was;
	bool dry_run;
	uint64_t memory; /* bytes that its processes have in memory, when live; at a guess */
	uint64_t
		apart; /* bytes of anonymous memory that they would have if they shared none of it; stays here */
	uint64_t bytes, inodes; /* of its own layer, at a guess: files change */
	char template_id[ST_DIGEST_SIZE];
	int criu_version; /* 0: no memory is sent */
	char cpu[CR_CPU_FLAGS_SIZE]; /* what its programs may use of the processor (cpu.h); "": no memory is sent */
	unsigned foreign; /* bit N: interface N is on a bridge that the source's operator made */
	struct ct_definition d;
};

/* Whether its memory is sent: it is suspended, or is to be. */
static inline bool cr_offer_has_images(const struct cr_offer *o)
{
	return o->was == CR_LIFE_SUSPENDED ||
	       (o->was == CR_LIFE_RUNNING && o->mode != CR_MODE_RESTART);
}

/* Whether its memory comes in PAGES, and the rest in images, while the source keeps it frozen. */
static inline bool cr_offer_is_live(const struct cr_offer *o)
{
	return o->was == CR_LIFE_RUNNING && cr_mode_is_live(o->mode);
}

/* Fills template_id, bytes, inodes, criu_version, cpu, foreign and d from the container; upper: its layer. The rest is the caller's. */
int cr_offer_describe(const struct ct_system *s, int upper, struct cr_offer *o, struct err *e);

/* Fills memory and apart, for a running one. */
int cr_offer_measure_memory(const struct ct_system *s, struct cr_offer *o, struct err *e);

/* The caller owns *out. */
int cr_offer_to_json(const struct cr_offer *o, json_t **out, struct err *e);
/* Untrusted. Class CONFIG, VALUE. */
int cr_offer_from_json(const json_t *j, struct cr_offer *o, struct err *e);

/*
 * On the target: all that can be checked before anything is made, each with one clear line: template and its content (class NO_TEMPLATE), room (NO_SPACE),
 * CRIU and its version, the processor (UNSUPPORTED), the links that its interfaces are on (NETWORK).
 */
int cr_offer_check(const struct ct_host *h, const struct cr_offer *o, struct err *e);
