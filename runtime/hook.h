/* SPDX-License-Identifier: GPL-2.0-only */
/* A container's hooks: programs of others that are run at six points of its life (runtime-spec, config.md, "POSIX-platform Hooks"). */
#pragma once

/*
 * Life: ct_read_hooks() fills the spec's. Those of a create are run from the spec, by the host side (prestart, createRuntime) and by init (createContainer,
 * and startContainer, for which it keeps its copy of our memory). poststart and poststop have their turn in other commands, when config.json may be another one:
 * ct_hooks_keep() writes them into the state directory, and those commands read them from there.
 *
 * A hook gets the state on its standard input, its own environment and nothing else of ours: no descriptor but 0, 1, 2, no signal setting. It dies with us.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

struct ct;
struct err;

/* X(name, OCI word): in the order of a container's life. */
#define CT_HOOKS(X)                            \
	X(PRESTART, "prestart")                \
	X(CREATE_RUNTIME, "createRuntime")     \
	X(CREATE_CONTAINER, "createContainer") \
	X(START_CONTAINER, "startContainer")   \
	X(POSTSTART, "poststart")              \
	X(POSTSTOP, "poststop")

enum ct_hook_point {
#define X(name, word) CT_HOOK_##name,
	CT_HOOKS(X)
#undef X
		CT_HOOK_POINTS
};

struct ct_hook {
	char *path;    /* absolute */
	char **args;   /* argv, NULL-terminated; NULL, or none in it: the path alone */
	char **env;    /* NULL-terminated; NULL: empty */
	int timeout_s; /* 0: none */
};

struct ct_hooks {
	struct ct_hook *list[CT_HOOK_POINTS];
	size_t n[CT_HOOK_POINTS];
	json_t *given; /* as config.json has them; NULL without any */
};

const char *ct_hook_point_to_str(enum ct_hook_point point);

/*
 * Runs those of a point, one after the other, until one fails: it cannot be executed, ends with anything but 0, or is not through in its time, at
 * which it is killed. The error, class HOOK, quotes the end of what it said. state is the OCI state document; cwd (may be NULL) is where they begin.
 */
int ct_hooks_run(const struct ct_hooks *hooks, enum ct_hook_point point, const json_t *state,
		 const char *cwd, struct err *e);

/* As ct_hooks_run, but each has its turn whatever became of the others; a failure is a log_warn. */
void ct_hooks_run_all(const struct ct_hooks *hooks, enum ct_hook_point point, const json_t *state,
		      const char *cwd);

/* Writes down, or reads, those that have their turn after create. Nothing is written without any; nothing there is none. */
int ct_hooks_keep(const struct ct *ct, const struct ct_hooks *hooks, struct err *e);
int ct_hooks_load(const struct ct *ct, struct ct_hooks *hooks, struct err *e);

/*
 * At the end of a container, under its lock: runs its poststop hooks, and forgets all that were written down, in this order: who is killed in between leaves them to the next one, and a hook may run twice. What fails is a
 * log_warn.
 */
void ct_hooks_end(const struct ct *ct);

/* Whether some are written down that nobody has run to their end. */
bool ct_hooks_are_kept(const struct ct *ct);

void ct_hooks_done(struct ct_hooks *hooks);
#define auto_hooks __attribute__((cleanup(ct_hooks_done)))
