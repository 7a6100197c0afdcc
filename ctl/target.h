/* SPDX-License-Identifier: GPL-2.0-only */
/* What the words of a command line point at: this host, a container on it, a template; with did-you-mean when it is not there. */
#pragma once

#include "ctl/options.h"
#include "runtime/system.h"

struct err;

/* The host of --root, --state and --best-effort. */
int ctl_host(const struct ctl_line *line, struct ct_host *h, struct err *e);

/* ct_system_open() with the nearest name as a hint. verb NULL: for reading, without the lock. */
int ctl_system(const struct ct_host *h, const char *name, const char *verb, struct ct_system *s,
	       struct err *e);

/* ct_system_open_to_end() with the nearest name as a hint. */
int ctl_system_to_end(const struct ct_host *h, const char *name, const char *verb,
		      struct ct_system *s, struct err *e);

/* Refuses a name that is no container's (class VALUE) or that there is none of (class NO_SUCH_CT), without opening it: for destroy, which also removes remnants. */
int ctl_system_missing(const struct ct_host *h, const char *name, struct err *e);

/* For an err of class NO_TEMPLATE of a container that there is: its own files are safe. Returns -e->no. */
int ctl_template_lost(struct err *e);

/* For an err of class NO_TEMPLATE: adds the nearest template, or how to make one. Returns -e->no. */
int ctl_template_hint(const struct ct_host *h, const char *name, struct err *e);

/* The container's runtime state (STATE/NAME), opened for reading. 0: it has none; 1: ct is the caller's to close. */
int ctl_runtime(const struct ct_system *s, struct ct *ct, struct err *e);

/* The same, and it is an error of class NOT_RUNNING if it has none. */
int ctl_runtime_running(const struct ct_system *s, struct ct *ct, struct err *e);

/* Refuses one that is migrating or moved for a verb that needs it running: what it is, and what ends that. Class NOT_RUNNING, so that --all passes it by. */
int ctl_refuse_moving(const struct ct_system *s, struct err *e);

/* For a refusal of class NOT_RUNNING by the engine: of one that a migration has frozen, or that is suspended, it says that, and what to do. Returns -e->no. */
int ctl_runtime_explain(const struct ct_system *s, struct err *e);

/* And locked, for a verb of the engine. */
int ctl_runtime_lock(const struct ct_system *s, const char *verb, struct ct *ct, struct err *e);
