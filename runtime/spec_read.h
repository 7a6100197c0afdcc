/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of runtime/spec*.c: config.json read by tables of members, so that each member is honoured or refused by its JSON path. */
#pragma once

/*
 * An object is read by a table: a member with a reader is honoured, one without is known to runtime-spec and not implemented by us, so it
 * is refused unless it is empty (null, false, 0, "", [], {}, or made of such). A member that is in no table is ignored:
 * runtime-spec, "Extensibility", wants unknown properties ignored. null is "not there" everywhere.
 */

#include <stddef.h>

#include "base/json.h"
#include "ns/lsm.h"
#include "runtime/spec.h"

struct err;

/* Reads value, whose JSON path is `path`, into what the table's offset points at. */
typedef int ct_reader(const json_t *value, const char *path, void *into, struct err *e);

struct ct_member {
	const char *key;
	ct_reader *read; /* NULL: refused unless empty */
	size_t offset;	 /* of the reader's `into` in the struct that the object fills */
};

#define CT_PATH_MOST 256

/* Reads the members of obj in the order of the table. path "" is the top. */
int ct_read_members(const json_t *obj, const char *path, const struct ct_member *table, size_t n,
		    void *into, struct err *e);

/* Calls read for each member of an array with PATH[i] and an item of `size` bytes, zeroed, of *items; *n counts those begun. */
int ct_read_list(const json_t *array, const char *path, ct_reader *read, size_t size, void **items,
		 size_t *n, struct err *e);

/* Readers of single values: into char *, char ** (NULL-terminated list), bool, int64_t, uint32_t. */
ct_reader ct_read_str, ct_read_strings, ct_read_bool, ct_read_i64, ct_read_u32;

/* An error of class CONFIG: "PATH: reason". Returns -EINVAL. */
int ct_refuse(struct err *e, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts the path before an error that a leaf folder gave, which becomes class CONFIG unless memory was the reason. */
int ct_refuse_why(struct err *e, const char *path);

/* 0, or the error of a missing member. */
int ct_need(bool there, const char *path, struct err *e);

int ct_no_memory(struct err *e);

/* path made absolute below dir; NULL with e filled. */
char *ct_path_below(const char *dir, const char *path, struct err *e);

/* The parts of the spec, each in its own file. `into` is the struct ct_spec, but for process and its own struct. */
ct_reader ct_read_process, ct_read_mounts, ct_read_linux, ct_read_annotations,
	ct_read_spec_resources, ct_read_seccomp;

/* A list of id map lines; *map is the caller's, also after a failure. */
int ct_read_idmap(const json_t *value, const char *path, struct ns_idmap **map, size_t *n,
		  struct err *e);

/* Whether the process's ids, and its groups, are among those that are mapped. */
int ct_judge_ids(const struct ct_spec *spec, struct err *e);

/* Into a struct ct_process (spec_schedule.c). */
ct_reader ct_read_scheduler, ct_read_ioprio, ct_read_exec_affinity;

/* Into a struct ct_spec (spec_net_devices.c). */
ct_reader ct_read_net_devices;
void ct_net_devices_done(struct ct_spec *spec);

/* Into a struct cg_rdt (spec_rdt.c). */
ct_reader ct_read_rdt;
void ct_rdt_done(struct cg_rdt *rdt);

/* Into a struct ns_numa (spec_memory_policy.c). */
ct_reader ct_read_memory_policy;

/* Into a struct ct_hooks. Into char **, each NAME=VALUE. */
ct_reader ct_read_hooks, ct_read_env;

/* ct_config_load_at() for ct_spec_load_at(): fills spec->text and spec->filter, or spec->seccomp_text for the one who compiles it. */
int ct_config_load_but_filter(int dir, const char *name, int cache, struct ct_spec *spec,
			      json_t **out, struct err *e);
