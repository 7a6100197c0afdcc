// SPDX-License-Identifier: GPL-2.0-only
/* Who owns the files of a group. */
#include "cgroups/delegate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "cgroups/group.h"

static int give(int dir, const char *name, uid_t uid, gid_t gid, struct err *e)
{
	if (fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) && errno != ENOENT)
		return err_sys(e, "give control group file %s to uid %u", name, uid);
	return 0;
}

int cg_delegate(const struct cg *cg, uid_t uid, gid_t gid, bool init, struct err *e)
{
	/* When the kernel is older than its list of what may be given away (4.15). */
	char files[1024] = "cgroup.procs\ncgroup.threads\ncgroup.subtree_control\n", *save = NULL;
	auto_free char *listed = NULL;
	struct err ignored = {0};

	if (file_try_read_at(AT_FDCWD, "/sys/kernel/cgroup/delegate", sizeof(files) - 1, &listed,
			     &ignored) >= 0)
		snprintf(files, sizeof(files), "%s", listed);
	if (cg->ct >= 0) {
		for (char *f = strtok_r(files, "\n", &save); f; f = strtok_r(NULL, "\n", &save))
			if (!strchr(f, '/') && give(cg->ct, f, uid, gid, e) < 0)
				return -e->no;
		if (fchown(cg->ct, uid, gid))
			return err_sys(e, "give control group %s/ct to uid %u", cg->path, uid);
	}
	if (!init || cg->v1[CG_SYSTEMD] < 0)
		return 0;
	/* A hierarchy with only a name limits nothing, so the whole of it can be the container's. */
	if (give(cg->v1[CG_SYSTEMD], "cgroup.procs", uid, gid, e) < 0 ||
	    give(cg->v1[CG_SYSTEMD], "tasks", uid, gid, e) < 0)
		return -e->no;
	return fchown(cg->v1[CG_SYSTEMD], uid, gid)
		       ? err_sys(e, "give control group %s to uid %u", cg->path, uid)
		       : 0;
}
