/* SPDX-License-Identifier: GPL-2.0-only */
/* Presets: named sets of changes inside a container, which its operator asks for by name. */
#pragma once

#include <stdbool.h>

#include "runtime/definition.h"

struct err;

/*
 * checkpointable: for systemd inside. Its units get no namespaces within the container's own (hostname, ipc, user; control groups, which systemd 257's
 * ProtectControlGroups=private makes), as CRIU cannot dump such, and no memory.pressure
 * file bound into their mount namespace, on which CRIU's restore fails ("Failed to move_mount"); PID 1 does not watch its own memory.pressure, which CRIU
 * opens again without the trigger that was written to it: PID 1 would then spin. Nothing else of the units' sandboxes changes.
 */
struct ct_preset {
	const char *name, *what; /* what: for `--help` and `info` */
	const char *const *env;	 /* of init; NULL-terminated */
};

/* NULL: there is none of that name. "" and "none" are no preset: NULL, too. */
const struct ct_preset *ct_preset_find(const char *name);

/* Whether the word is "", "none", or a preset's name. */
bool ct_preset_ok(const char *name);

/*
 * Before the program runs; root: a descriptor of the container's root file system, of which every name is hostile. Writes the files of its preset and takes away those of
 * the others, unless somebody changed them. A root file system without systemd has none.
 */
int ct_preset_apply(const struct ct_definition *d, int root, struct err *e);
