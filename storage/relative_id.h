/* SPDX-License-Identifier: GPL-2.0-only */
/* Ids of a container's files on disk, and the same relative to the container's first id. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A container has this many ids: those of a base above 0 may not reach further. */
#define ST_ID_RANGE 65536U

enum st_id_way { ST_ID_TO_RELATIVE, ST_ID_TO_HOST };

/* Translates one id in place; false if it is not one of the container's. base 0: any id, unchanged. */
bool st_id_translate(uint32_t *id, uint32_t base, enum st_id_way way);

/* Translates the ids in the value of a capability or ACL xattr; other names are left alone. false as above, or if it is malformed. */
bool st_id_translate_xattr(const char *name, void *value, size_t len, uint32_t base,
			   enum st_id_way way);

/* Whether an xattr belongs to the content of a tree that can go to another host. */
bool st_xattr_travels(const char *name);
