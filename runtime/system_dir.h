/* SPDX-License-Identifier: GPL-2.0-only */
/* The directories ROOT/ct/NAME: opened, locked, told apart, taken away. */
#pragma once

/*
 * What a directory is, is decided by the name its definition has: definition.json, a container; definition.incoming, one that is being received;
 * definition.creating or none, one whose create works (it then holds the lock) or died: a remnant. A directory goes by one rename to .gone-NAME.N, whose
 * remover holds flock(2) on the directory itself; what a dead one left is removed by the next create or destroy.
 */

#include "runtime/system.h"

struct err;

enum ct_dir_kind { CT_DIR_REMNANT, CT_DIR_CREATING, CT_DIR_INCOMING, CT_DIR_CONTAINER };

/* fd of ROOT/ct, where a container of that name is or would be. */
int ct_dir_parent(const struct ct_host *h, const char *name, struct err *e);

/* By the names alone, without reading. */
enum ct_dir_kind ct_dir_kind(int dir);

/* Reads whichever definition there is. A remnant without any: *kind says so and d is untouched. */
int ct_dir_load(int dir, enum ct_dir_kind *kind, struct ct_definition *d, struct err *e);

/*
 * Opens containers/NAME, and locks it when verb is not NULL, waiting at most wait_ms; make: makes it when missing. Returns the descriptor; -ENOENT with
 * e untouched; class LOCKED.
 */
int ct_dir_open(int containers, const char *name, bool make, const char *verb, int wait_ms,
		int *lock, struct err *e);

/* Whether its lock is, or was last, that of a stop or restart. Only a hint: the next moment it may be another's. */
bool ct_dir_is_stopping(int dir);

/* Takes containers/NAME away: out of sight by one durable rename, then all in it. dir: its descriptor, locked by the caller. */
int ct_dir_retire(int containers, const char *name, int dir, struct err *e);

/* Ends what runs under that name, and takes what it has on the host. Names of OCI containers, which are in the same place, are left alone. */
int ct_dir_end(const struct ct_host *h, const char *name, bool force, struct err *e);

/*
 * Removes what creates and destroys that died have left of any name. What cannot be removed is a log_warn. Returns 1 if there was something of
 * `name` (may be NULL), else 0.
 */
int ct_dir_sweep(const struct ct_host *h, int containers, const char *name, struct err *e);
