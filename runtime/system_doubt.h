/* SPDX-License-Identifier: GPL-2.0-only */
/* A container whose directory has a migration's journal: what it is to its operator, in the words of each command that refuses it. */
#pragma once

#include <stdbool.h>

struct err;

/* dir: ROOT/ct/NAME. Whether it moved, and was left here by its operator's wish: nothing is unfinished, and it never runs here unless `migrate --abort` finds that the other host has it no more. */
bool ct_dir_is_kept(int dir);

/* Fills e: that its migration is not finished, or that it moved and what is here is to be removed, with the command that does it. Class IN_DOUBT. */
int ct_dir_in_doubt(int dir, const char *name, struct err *e);
