/* SPDX-License-Identifier: GPL-2.0-only */
/* Members of a definition's JSON: what definition_json.c and definition_limits.c share. */
#pragma once

#include "base/json.h"
#include "cgroups/limits.h"

struct err;

/* A complaint about a member, class CONFIG. */
int ct_member_bad(struct err *e, const char *key, const char *why);
/* The same of one that no table has. */
int ct_member_unknown(struct err *e, const char *key);

/* 1: was there, 0: was not, and *to is as it was. */
int ct_member_string(const json_t *j, const char *key, char *to, size_t size, struct err *e);
int ct_member_number(const json_t *j, const char *key, int64_t least, int64_t most, int64_t *to,
		     struct err *e);
int ct_member_limits(const json_t *j, const char *key, struct cg_limits *l, struct err *e);

/* Take value; NULL is a failure of jansson: no memory, or a string that is not UTF-8 (which ct_definition_check refuses before). */
int ct_member_put(json_t *j, const char *key, json_t *value, struct err *e);
int ct_member_append(json_t *a, json_t *value, struct err *e);
int ct_member_put_limits(json_t *j, const char *key, const struct cg_limits *l, struct err *e);
