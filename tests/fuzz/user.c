// SPDX-License-Identifier: GPL-2.0-only
/* Any bytes as the etc/passwd and etc/group of an image, whose first line is also the user that is wanted. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "ns/user.h"
#include "tests/fuzz/judge.h"
#include "tests/fuzz/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge_user(const char *spec, const struct ns_user *u)
{
	char *end;
	unsigned long uid = strtoul(spec, &end, 10);

	if (u->n_groups < 0 || u->n_groups > NS_USER_GROUPS_MOST || u->uid == (uid_t)-1 ||
	    u->gid == (gid_t)-1 || u->home[0] != '/' || u->shell[0] != '/' ||
	    !memchr(u->name, 0, sizeof(u->name)) || !memchr(u->home, 0, sizeof(u->home)) ||
	    !memchr(u->shell, 0, sizeof(u->shell)))
		abort();
	/* A number is that number, whatever the file says (CVE-2026-30892). */
	if (spec[0] >= '0' && spec[0] <= '9' && (!*end || *end == ':') && uid != u->uid)
		abort();
	for (int i = 0; i < u->n_groups; i++)
		if (u->groups[i] == (gid_t)-1)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = memchr(data, '\n', size), *half;
	size_t len = line ? (size_t)(line - data) : size, rest = line ? size - len - 1 : 0;
	auto_free char *spec = strndup((const char *)data, len);
	static struct ns_user user;
	struct err e = {0};
	int dir = place_dir(), etc;

	if (mkdirat(dir, "etc", 0700) < 0 && errno != EEXIST)
		abort();
	etc = openat(dir, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* An empty line ends the one and begins the other. */
	half = rest ? memmem(line + 1, rest, "\n\n", 2) : NULL;
	place_file(etc, "passwd", line ? line + 1 : data, half ? (size_t)(half - line) : rest);
	place_file(etc, "group", half ? half + 2 : data,
		   half ? rest - (size_t)(half + 2 - (line + 1)) : 0);
	close(etc);
	if (ns_user_lookup(dir, spec, &user, &e) < 0)
		judge_error(&e);
	else
		judge_user(spec, &user);
	return 0;
}
