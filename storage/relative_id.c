// SPDX-License-Identifier: GPL-2.0-only
/* Shifting owners, capability root ids (struct vfs_ns_cap_data) and ACL entries (struct posix_acl_xattr_entry). */
#include "storage/relative_id.h"

#include <endian.h>
#include <string.h>

#include "base/own.h"

bool st_id_translate(uint32_t *id, uint32_t base, enum st_id_way way)
{
	if (base == 0)
		return *id != UINT32_MAX;
	if (way == ST_ID_TO_RELATIVE) {
		if (*id < base || *id - base >= ST_ID_RANGE)
			return false;
		*id -= base;
		return true;
	}
	if (*id >= ST_ID_RANGE)
		return false;
	*id += base;
	return true;
}

static bool translate_at(uint8_t *p, uint32_t base, enum st_id_way way)
{
	uint32_t id;

	memcpy(&id, p, 4);
	id = le32toh(id);
	if (!st_id_translate(&id, base, way))
		return false;
	id = htole32(id);
	memcpy(p, &id, 4);
	return true;
}

/* Revision 3 carries the id of the user namespace's root in its last word (linux/capability.h). */
static bool translate_capability(uint8_t *v, size_t len, uint32_t base, enum st_id_way way)
{
	if (len != 24 || v[3] != 3)
		return len == 12 || len == 20;
	return translate_at(v + 20, base, way);
}

/* A version word, then entries of tag, permissions and id; the id counts for named users (2) and groups (8). */
static bool translate_acl(uint8_t *v, size_t len, uint32_t base, enum st_id_way way)
{
	if (len < 4 || (len - 4) % 8)
		return false;
	for (uint8_t *p = v + 4; p < v + len; p += 8)
		if ((p[0] == 2 || p[0] == 8) && !translate_at(p + 4, base, way))
			return false;
	return true;
}

bool st_id_translate_xattr(const char *name, void *value, size_t len, uint32_t base,
			   enum st_id_way way)
{
	if (!strcmp(name, "security.capability"))
		return translate_capability(value, len, base, way);
	if (!strncmp(name, "system.posix_acl_", 17))
		return translate_acl(value, len, base, way);
	return true;
}

/*
 * Of overlayfs' marks those travel that say what the layer means. origin, impure, nlink and uuid are file handles into the lower
 * layer of this very host, and what follows from them: on another one they are wrong at best.
 */
bool st_xattr_travels(const char *name)
{
	static const char *const all[] = {
		"security.capability",	      "system.posix_acl_access",
		"system.posix_acl_default",   "trusted.overlay.opaque",
		"trusted.overlay.redirect",   "trusted.overlay.whiteout",
		"trusted.overlay.xwhiteouts",
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (!strcmp(name, all[i]))
			return true;
	return !strncmp(name, "user.", 5);
}
