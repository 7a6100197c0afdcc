// SPDX-License-Identifier: GPL-2.0-only
/* Lines of /proc/PID/cgroup, taken apart. */
#include "cgroups/member.h"

#include <stddef.h>
#include <string.h>

#include "cgroups/group.h"

bool cg_member_next(char **rest, struct cg_member *member)
{
	char *line;

	while ((line = strsep(rest, "\n"))) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(++controllers, ':') : NULL;

		if (!path || path[1] != '/')
			continue;
		*path++ = 0;
		*member = (struct cg_member){controllers, path};
		return true;
	}
	return false;
}

const char *cg_member_path(char *text, const char *controllers)
{
	struct cg_member m;

	while (cg_member_next(&text, &m))
		if (!strcmp(m.controllers, controllers))
			return m.path;
	return NULL;
}

unsigned cg_member_bits(const char *controllers)
{
	unsigned bits = 0;

	if (!*controllers)
		return CG_MEMBER_V2;
	for (const char *at = controllers; *at; at += *at == ',') {
		size_t n = strcspn(at, ",");

		for (int c = 0; c < CG_CONTROLLER_COUNT; c++) {
			const char *name = cg_controller_v1((enum cg_controller)c);

			if (strlen(name) == n && !strncmp(at, name, n))
				bits |= 1u << c;
		}
		at += n;
	}
	return bits;
}

unsigned cg_member_bits_of(const struct cg *cg)
{
	unsigned bits = cg->v2 >= 0 ? CG_MEMBER_V2 : 0;

	for (int c = 0; c < CG_CONTROLLER_COUNT; c++)
		bits |= cg->v1[c] >= 0 ? 1u << c : 0;
	return bits;
}
