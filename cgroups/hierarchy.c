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

const char *cg_controller_v1(enum cg_controller c)
{
	return names[c].v1;
}

/* 0: neither, or a mount that we cannot reach: others have been laid over it, or our root is another one. */
static int mount_version(const char *dir, struct err *e)
{
	struct statfs fs;

	if (statfs(dir, &fs))
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES
			       ? 0
			       : err_sys(e, "look at %s", dir);
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
static bool find_unified(struct cg_host *h, struct err *e)
{
	static const char standard[] = "/sys/fs/cgroup";

	if (mount_version(standard, e) != 2)
		return false;
	memcpy(h->unified, standard, sizeof(standard));
	return true;
}

static void find_by_libcgroup(struct cg_host *h, struct err *e)
{
	/* Its default logger writes to stdout, which belongs to the user's program. */
	cgroup_set_default_logger(-1);
	/* Fails when no controller is mounted at all; cgroup2's core may be there all the same. What it failed to read it leaves out without a word: find_by_mounts() has it. */
	if (cgroup_init())
		return;
	for (int c = 0; c < CG_CONTROLLER_COUNT; c++) {
		for (int version = 1; version <= 2; version++) {
			const char *name = version == 1 ? names[c].v1 : names[c].v2;
			auto_free char *mount = NULL;

			if (!name[0] || cgroup_get_subsys_mount_point(name, &mount) || !mount)
				continue;
			/* Names like "cpu" mean both kinds: the file system says which one it is. */
			if (mount_version(mount, e) == version)
				note(h, (enum cg_controller)c, version, mount);
		}
	}
}

static void note_mount(struct cg_host *h, const struct mntent *ent, struct err *e)
{
	int version = strncmp(ent->mnt_type, "cgroup", strlen("cgroup")) != 0
			      ? 0
			      : mount_version(ent->mnt_dir, e);

	if (version == 2 && !h->unified[0] && strlen(ent->mnt_dir) < sizeof(h->unified))
		memcpy(h->unified, ent->mnt_dir, strlen(ent->mnt_dir) + 1);
	for (int c = 0; version == 1 && c < CG_CONTROLLER_COUNT; c++)
		if (hasmntopt(ent, names[c].v1))
			note(h, (enum cg_controller)c, 1, ent->mnt_dir);
}

/*
 * cgroup2 without controllers, and hierarchies with only a name, are not in libcgroup's table (2.0.2, 3.1). The rest of it is looked through again, because a hierarchy that is
 * overlooked once, for want of memory, is one in which a deleted container's group stays for ever.
 */
static int find_by_mounts(struct cg_host *h, struct err *e)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent ent;
	char buf[4096];

	if (!mounts)
		return err_sys(e, "open /proc/self/mounts");
	while (getmntent_r(mounts, &ent, buf, sizeof(buf)))
		note_mount(h, &ent, e);
	if (ferror(mounts))
		err_set(e, EIO, "read /proc/self/mounts: %s", strerror(EIO));
	endmntent(mounts);
	return -e->no;
}

/*
 * Kernels without the v1 half of a controller leave it out of /proc/cgroups, on which libcgroup leans; the
 * root's cgroup.controllers is what counts for v2.
 */
static int find_by_controllers(struct cg_host *h, struct err *e)
{
	char path[sizeof(h->unified) + 32], *save = NULL;
	auto_free char *text = NULL;
	int r;

	if (!h->unified[0])
		return 0;
	snprintf(path, sizeof(path), "%s/cgroup.controllers", h->unified);
	r = file_try_read_at(AT_FDCWD, path, 4096, &text, e);
	if (r < 0)
		return -e->no; /* 0 when it is not there: that of an old kernel's root */
	for (char *w = strtok_r(text, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
		for (int c = 0; c < CG_CONTROLLER_COUNT; c++)
			if (!strcmp(w, names[c].v2))
				note(h, (enum cg_controller)c, 2, h->unified);
	return 0;
}

static int look(struct cg_host *h, struct err *e)
{
	*h = (struct cg_host){0};
	if (!find_unified(h, e) && !e->no) {
		find_by_libcgroup(h, e);
		if (!e->no)
			find_by_mounts(h, e);
	}
	return e->no ? -e->no : find_by_controllers(h, e);
}

const struct cg_host *cg_host(struct err *e)
{
	static struct cg_host host;
	static bool known;
	struct err why = {0};
	bool any;

	if (!known && look(&host, &why) < 0) {
		*e = why;
		err_wrap(e, "find the control group hierarchies");
		return NULL;
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
