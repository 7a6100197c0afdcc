/* SPDX-License-Identifier: GPL-2.0-only */
/* What is known of a template, as JSON. */
#pragma once

#include "base/json.h"
#include "storage/template.h"

struct err;

/* The first entry of an exported template's archive: this JSON, which is no file of the template. */
#define ST_TEMPLATE_ENTRY     ".skep-template.json"
#define ST_TEMPLATE_ENTRY_MAX 65536

/* From a file or an archive, so whatever is in it fits its field; the name is not in it. */
int st_template_from_json(const json_t *j, struct st_template *t, struct err *e);
/* NULL: out of memory, or a field is no text. */
json_t *st_template_to_json(const struct st_template *t);
