/* SPDX-License-Identifier: GPL-2.0-only */
/* What tells one ROOT of one host from all others, so that a container is not given to where it is. */
#pragma once

/*
 * The boot id and what stat(2) says of the directory ROOT: the same by whatever name the host was called, and whatever path leads to ROOT. Two
 * ROOTs on one host are two homes. It goes with the offer as "home".
 */

#include "base/json.h"

struct err;

#define CR_BOOT_SIZE 37

/* Which run of this host's kernel it is. */
int cr_home_boot(char out[CR_BOOT_SIZE], struct err *e);

/* Adds it to an offer. */
int cr_home_offer(const char *root, json_t *offer, struct err *e);

/* On the target. Class MIGRATE when the offer comes from this very ROOT. An offer without one is not judged. */
int cr_home_check(const char *root, const json_t *offer, struct err *e);
