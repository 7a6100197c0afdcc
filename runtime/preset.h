/* SPDX-License-Identifier: GPL-2.0-only */
/* Presets: named sets of changes inside a container, which its operator asks for by name. */
#pragma once

#include <stdbool.h>

#include "runtime/definition.h"

struct err;

/*
 * checkpointable: for systemd inside. Its units get no namespaces within the container's own, as CRIU cannot dump such: hostname, ipc, and user (which a unit can have
 * only with --nesting, without it fails to start: 217/USER). They do not watch their memory.pressure, nor does PID 1: CRIU opens such a file again without the trigger that
 * was written to it, and poll(2) then returns at once for ever (journald, logind and networkd were seen to use all the CPU they got after a resume); where
 * ProtectControlGroups= is on, too, systemd binds that file into the unit's mounts, on which CRIU's restore fails ("Failed to move_mount"). Nothing else of the units'
 * sandboxes changes. ProtectControlGroups=private makes a namespace as well, but a drop-in for all would take ProtectControlGroups=yes, which harms nothing, from
 * all units: whoever asks for it (no unit of Debian does) is told so by the preflight.
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
