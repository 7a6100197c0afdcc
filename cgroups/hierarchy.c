// SPDX-License-Identifier: GPL-2.0-only
/* Which controller is mounted where: asked of libcgroup, with what it leaves out taken from the kernel. */
#include "cgroups/hierarchy.h"

#include <errno.h>
#include <fcntl.h>
#include <libcgroup.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"

static const struct {
	const char *v1, *v2;
} names[] = {
#define X(name, v1, v2) [CG_##name] = {v1, v2},
	CG_CONTROLLERS(X)
#undef X
};

const char *cg_controller_to_str(enum cg_controller c)
{
	return names[c].v2[0] ? names[c].v2 : names[c].v1;
}

static int mount_version(const char *dir)
{
	struct statfs fs;

	if (statfs(dir, &fs))
		return 0;
	if (fs.f_type == CGROUP2_SUPER_MAGIC)
		return 2;
	return fs.f_type == CGROUP_SUPER_MAGIC ? 1 : 0;
}

static void note(struct cg_host *h, enum cg_controller c, int version, const char *mount)
{
	if (h->ctl[c].version || strlen(mount) >= sizeof(h->ctl[c].mount))
		return;
	h->ctl[c].version = version;
	memcpy(h->ctl[c].mount, mount, strlen(mount) + 1);
}

/*
 * cgroup2 at the standard place is the whole host's decision (systemd's "unified"): then no v1 controller is anybody's, and libcgroup, whose tables are
 * 2.4 MB that cgroup_init() walks (a quarter of a millisecond), is not asked.
 */
static bool find_unified(struct cg_host *h)
{
	static const char standard[] = "/sys/fs/cgroup";

	if (mount_version(standard) != 2)
		return false;
	memcpy(h->unified, standard, sizeof(standard));
	return true;
}

static void find_by_libcgroup(struct cg_host *h)
{
	/* Its default logger writes to stdout, which belongs to the user's program. */
	cgroup_set_default_logger(-1);
	/* Fails when no controller is mounted at all; cgroup2's core may be there all the same. */
	if (cgroup_init())
		return;
	for (int c = 0; c < CG_CONTROLLER_COUNT; c++) {
		for (int version = 1; version <= 2; version++) {
			const char *name = version == 1 ? names[c].v1 : names[c].v2;
			auto_free char *mount = NULL;

			if (!name[0] || cgroup_get_subsys_mount_point(name, &mount) || !mount)
				continue;
			/* Names like "cpu" mean both kinds: the file system says which one it is. */
			if (mount_version(mount) == version)
				note(h, (enum cg_controller)c, version, mount);
		}
	}
}

/* cgroup2 without controllers, and hierarchies with only a name, are not in libcgroup's table (2.0.2, 3.1). */
static void find_by_mounts(struct cg_host *h)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent ent;
	char buf[4096];

	if (!mounts)
		return;
	while (getmntent_r(mounts, &ent, buf, sizeof(buf))) {
		/* The table also has mounts that others have been laid over. */
		if (!strcmp(ent.mnt_type, "cgroup2") && !h->unified[0] &&
		    strlen(ent.mnt_dir) < sizeof(h->unified) && mount_version(ent.mnt_dir) == 2)
			memcpy(h->unified, ent.mnt_dir, strlen(ent.mnt_dir) + 1);
		if (!strcmp(ent.mnt_type, "cgroup") && hasmntopt(&ent, "name=systemd") &&
		    mount_version(ent.mnt_dir) == 1)
			note(h, CG_SYSTEMD, 1, ent.mnt_dir);
	}
	endmntent(mounts);
}

/*
 * Kernels without the v1 half of a controller leave it out of /proc/cgroups, on which libcgroup leans; the
 * root's cgroup.controllers is what counts for v2.
 */
static void find_by_controllers(struct cg_host *h)
{
	char path[sizeof(h->unified) + 32], *save = NULL;
	auto_free char *text = NULL;
	struct err ignored = {0};

	if (!h->unified[0])
		return;
	snprintf(path, sizeof(path), "%s/cgroup.controllers", h->unified);
	if (file_try_read_at(AT_FDCWD, path, 4096, &text, &ignored) < 0)
		return;
	for (char *w = strtok_r(text, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
		for (int c = 0; c < CG_CONTROLLER_COUNT; c++)
			if (!strcmp(w, names[c].v2))
				note(h, (enum cg_controller)c, 2, h->unified);
}

const struct cg_host *cg_host(struct err *e)
{
	static struct cg_host host;
	static bool known;
	bool any = false;

	if (!known) {
		if (!find_unified(&host)) {
			find_by_libcgroup(&host);
			find_by_mounts(&host);
		}
		find_by_controllers(&host);
	}
	any = host.unified[0];
	for (int c = 0; c < CG_CONTROLLER_COUNT; c++)
		any |= host.ctl[c].version != 0;
	if (!any) {
		err_set(e, EOPNOTSUPP, "no control group hierarchy is mounted");
		err_hint(e, "mount -t cgroup2 none /sys/fs/cgroup");
		err_class(e, ERR_UNSUPPORTED);
		return NULL;
	}
	known = true;
	return &host;
}
