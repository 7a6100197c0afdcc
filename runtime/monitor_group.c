// SPDX-License-Identifier: GPL-2.0-only
/* Where monitors live: the name of it, and its end. */
#include "runtime/monitor_group.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "cgroups/leaf.h"
#include "runtime/compile.h"
#include "runtime/remains.h"

#define PATH_SIZE 256

static void path_of(const char *name, const char *state, char path[PATH_SIZE])
{
	char container[PATH_SIZE / 2];

	ct_compile_cgroup(name, state, container, sizeof(container));
	snprintf(path, PATH_SIZE, CT_CGROUP_TOP "/.monitors%s", strchr(container, '/'));
}

int ct_monitor_group_open(const char *name, const char *state, struct cg_leaf *leaf, struct err *e)
{
	char path[PATH_SIZE];

	path_of(name, state, path);
	return cg_leaf_open(path, leaf, e);
}

void ct_monitor_group_remove(const char *name, const char *state)
{
	char path[PATH_SIZE];
	struct err why = {0};

	path_of(name, state, path);
	/* -EBUSY: who is in it calls this again as its last act (a reaper), or is removed with by the next end of this container. */
	if (cg_leaf_remove(path, CT_KILL_WAIT_MS, &why) < 0 && why.no != EBUSY)
		log_warn("%s", why.text);
}

void ct_monitor_group_end(const char *name, const char *state)
{
	char path[PATH_SIZE];
	struct err why = {0};

	path_of(name, state, path);
	if (cg_leaf_leave(path, &why) < 0)
		log_warn("%s", why.text);
	else
		ct_monitor_group_remove(name, state);
}
