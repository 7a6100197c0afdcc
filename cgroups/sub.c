// SPDX-License-Identifier: GPL-2.0-only
/* Control groups below a container's. */
#include "cgroups/sub.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/sys.h"
#include "cgroups/group.h"

/* Behind the controllers, without the slashes before it; "." for nothing but these. */
static const char *path_of(const char *word)
{
	const char *colon = strchr(word, ':'), *path;

	word = colon ? colon + 1 : word;
	path = word + strspn(word, "/");
	return *path || path == word ? path : ".";
}

int cg_sub_check(const char *word, struct err *e)
{
	const char *path = path_of(word);

	for (const char *p = path; *p; p += strcspn(p, "/"), p += strspn(p, "/"))
		if (strcspn(p, "/") == 2 && !strncmp(p, "..", 2)) {
			err_set(e, EINVAL,
				"invalid cgroup path `%s`: `..` components are not allowed", word);
			return err_class(e, ERR_VALUE);
		}
	if (*path)
		return 0;
	err_set(e, EINVAL, "invalid cgroup path `%s`: it names no group", word);
	return err_class(e, ERR_VALUE);
}

/* 1 with *fd replaced; 0: there is none. */
static int replace(int of, const char *path, int *fd, struct err *e)
{
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
					  RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
	int below = of < 0 ? -1 : sys_openat2(of, path, &how);

	if (of < 0 || (below < 0 && errno == ENOENT))
		return 0;
	if (below < 0)
		return err_sys(e, "open control group %s of the container", path);
	own_close_fd(fd);
	*fd = below;
	return 1;
}

static int no_such(const char *path, const char *where, struct err *e)
{
	err_set(e, ENOENT, "the container has no control group %s%s%s", path,
		where[0] ? " of controller " : "", where);
	err_hint(e, "it must be there already, below the container's own");
	return err_class(e, ERR_VALUE);
}

static int open_of(const struct cg *of, const char *controller, const char *path, struct cg *to,
		   struct err *e)
{
	for (int c = 0; c < CG_CONTROLLER_COUNT; c++) {
		int r;

		if (strcmp(cg_controller_v1(c), controller) != 0)
			continue;
		r = replace(of->v1[c], path, &to->v1[c], e);
		return r ? r : no_such(path, controller, e);
	}
	err_set(e, EINVAL, "'%.40s' is not a controller of cgroup v1", controller);
	return err_class(e, ERR_VALUE);
}

int cg_sub_open(const struct cg *of, const char *word, struct cg *to, struct err *e)
{
	const char *path = path_of(word), *colon = strchr(word, ':');
	auto_free char *controllers = colon ? strndup(word, (size_t)(colon - word)) : NULL;
	char *rest = controllers, *one;
	int in_v2, found;

	if (colon && !controllers)
		return err_set(e, ENOMEM, "out of memory for control groups");
	while ((one = strsep(&rest, ",")))
		if (open_of(of, one, path, to, e) < 0)
			return -e->no;
	if (colon)
		return 0;
	in_v2 = replace(of->ct, path, &to->ct, e);
	if (in_v2 < 0)
		return in_v2;
	found = in_v2;
	for (int c = 0; c < CG_CONTROLLER_COUNT; c++) {
		int r = replace(of->v1[c], path, &to->v1[c], e);

		if (r < 0)
			return r;
		found += r;
	}
	return found ? in_v2 : no_such(path, "", e);
}
