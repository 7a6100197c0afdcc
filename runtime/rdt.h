/* SPDX-License-Identifier: GPL-2.0-only */
/* A container's groups of resctrl (linux.intelRdt). */
#pragma once

#include <sys/types.h>

struct ct;
struct ct_spec;
struct err;

/* All of it does nothing for a spec without intelRdt. Makes the groups, notes them in the ledger, writes their schemata. */
int ct_rdt_make(const struct ct *ct, const struct ct_spec *spec, struct err *e);

/* Puts init, or a program that enters, into them, before it has children. */
int ct_rdt_add(const struct ct *ct, const struct ct_spec *spec, pid_t pid, struct err *e);

/* Other lines for the group of a container that has one (class CONFIG: it has none); NULL: stays. */
int ct_rdt_update(const struct ct *ct, const struct ct_spec *spec, const char *l3, const char *mb,
		  struct err *e);
