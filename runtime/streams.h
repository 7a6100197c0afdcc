/* SPDX-License-Identifier: GPL-2.0-only */
/* What a container's standard streams were when it was made: "external_descriptors" of runc's and crun's states, the text of descriptors.json. */
#pragma once

#include "base/json.h"

struct err;

/*
 * The program may close them, or put others in their places, while a child of its goes on with what its caller gave it: so a checkpoint cannot ask the program. out: owned, a list of three strings as
 * readlink(2) says them of the caller's descriptors ("pipe:[123]", "/dev/null", "/var/log/x"; "" for one that cannot be said in UTF-8).
 */
int ct_streams_note(const int stdio[3], json_t **out, struct err *e);

/* The same as one string, a list in JSON, which is how crun keeps it; NULL: no memory, or NULL was given. */
json_t *ct_streams_to_text(const json_t *streams);

/* out: NULL if text (borrowed) is NULL; class CONFIG if it is no such list. */
int ct_streams_from_text(const json_t *text, json_t **out, struct err *e);
