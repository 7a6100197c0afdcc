// SPDX-License-Identifier: GPL-2.0-only
/* The file systems of the two roots: layers tried for real, room, templates, programs that make them. */
#include "ctl/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/feat.h"
#include "base/file.h"
#include "base/own.h"
#include "base/path.h"
#include "base/size.h"
#include "ns/idmap.h"
#include "ns/idrange.h"
#include "storage/overlay.h"
#include "storage/template.h"

#define PART "storage"

#define ROOM_LEAST (1ull << 30)

static void room(struct ctl_doctor *d, int dir, const char *name)
{
	struct statfs fs;
	char size[32];
	uint64_t bytes;

	if (fstatfs(dir, &fs) < 0)
		return;
	bytes = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	size_to_str(bytes, size, sizeof(size));
	if (bytes < ROOM_LEAST || (fs.f_files > 0 && fs.f_ffree < 10000))
		ctl_doctor_find(d, PART, CTL_VERDICT_WARNING, "room",
				"make room, or set another \"root\" in " CT_CONF_FILE,
				"%s: %s and %llu files left", name, size,
				(unsigned long long)fs.f_ffree);
	else
		ctl_doctor_find(d, PART, CTL_VERDICT_OK, d->conf->root, NULL, "(%s free)", size);
}

/* One container's layers, as a start mounts them; try: an own directory. */
static int try_layers(int try, struct err *e)
{
	const struct ns_idmap map = {0, NS_IDRANGE_DEFAULT_FIRST, NS_IDRANGE_WIDTH};
	auto_fd int lower = -EBADF, upper = -EBADF, work = -EBADF, userns = -EBADF, merged = -EBADF;
	auto_fd int probe = -EBADF;
	int r;

	lower = file_mkdirs_at(try, "lower", 0755, e);
	if (lower < 0)
		return lower;
	r = st_layer_create(try, NS_IDRANGE_DEFAULT_FIRST, lower, &upper, &work, e);
	if (r < 0)
		return r;
	userns = ns_idmap_userns(&map, 1, &map, 1, e);
	if (userns < 0)
		return userns;
	merged = st_overlay_mount(&lower, 1, upper, work, userns, false, e);
	if (merged < 0)
		return merged;
	probe = path_open_in(merged, "file", O_WRONLY | O_CREAT | O_EXCL, 0644, e);
	return probe < 0 ? probe : 0;
}

static const char *layers_remedy(const struct err *e)
{
	if (e->no == ENOSPC || e->no == EDQUOT)
		return "make room there";
	return e->hint[0] ? e->hint
			  : "set a \"root\" on ext4, xfs, btrfs or tmpfs in " CT_CONF_FILE;
}

static void layers(struct ctl_doctor *d, int dir, const char *name)
{
	struct err e = {0}, ignored = {0};
	char own[48];
	auto_fd int try = -EBADF;

	snprintf(own, sizeof(own), ".skep-doctor-%d", (int)getpid());
	try = file_mkdirs_at(dir, own, 0700, &e);
	if (try >= 0)
		try_layers(try, &e);
	file_remove_tree_at(dir, own, &ignored);
	if (e.no)
		ctl_doctor_find(d, PART, CTL_VERDICT_MISSING, "layers", layers_remedy(&e), "%s: %s",
				name, e.text);
	else
		ctl_doctor_find(d, PART, CTL_VERDICT_OK, "layers", NULL,
				"(overlay over id-mapped templates)");
	if (ignored.no)
		ctl_doctor_find_err(d, PART, CTL_VERDICT_WARNING, own, "remove it", &ignored);
}

static void templates(struct ctl_doctor *d)
{
	auto_fd int root = open(d->conf->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd int dir = root < 0 ? -EBADF
				   : openat(root, "templates", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_free struct st_template *list = NULL;
	struct err e = {0};
	int n = dir < 0 ? 0 : st_template_list(dir, &list, &e);

	if (n > 0)
		ctl_doctor_find(d, PART, CTL_VERDICT_OK, "templates", NULL, "%d", n);
	else if (n < 0)
		ctl_doctor_find_err(d, PART, CTL_VERDICT_WARNING, "templates", NULL, &e);
	else
		ctl_doctor_find(d, PART, CTL_VERDICT_OK, "templates", NULL,
				"(none yet: `skepctl template build busybox` makes one)");
}

static void programs(struct ctl_doctor *d)
{
	static const struct {
		const char *name, *package, *what;
	} all[] = {
		{"mke2fs", "e2fsprogs", "no disks of a fixed size (--diskspace)"},
		{"resize2fs", "e2fsprogs", "disks cannot grow"},
		{"mmdebstrap", "mmdebstrap", "no `template build debian-12`"},
	};
	char remedy[64];

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		snprintf(remedy, sizeof(remedy), "apt-get install %s", all[i].package);
		if (ctl_doctor_program(all[i].name))
			ctl_doctor_find(d, PART, CTL_VERDICT_OK, all[i].name, NULL, "%s", "");
		else
			ctl_doctor_find(d, PART, CTL_VERDICT_WARNING, all[i].name, remedy, "%s",
					all[i].what);
	}
}

/* State that dies with a reboot, and that costs no write to a disk. */
static void state(struct ctl_doctor *d)
{
	char found[512], remedy[576];
	auto_fd int dir = ctl_doctor_nearest(d->conf->state, found, sizeof(found));
	struct statfs fs;

	if (dir < 0 || fstatfs(dir, &fs) < 0)
		return;
	snprintf(remedy, sizeof(remedy), "mkdir -p %s; mount -t tmpfs -o mode=755 tmpfs %s",
		 d->conf->state, d->conf->state);
	if (fs.f_type == TMPFS_MAGIC)
		ctl_doctor_find(d, PART, CTL_VERDICT_OK, d->conf->state, NULL, "(tmpfs)");
	else
		ctl_doctor_find(d, PART, CTL_VERDICT_WARNING, d->conf->state, remedy,
				"%s is not a tmpfs: slower, and it is not emptied by a reboot",
				found);
}

void ctl_doctor_storage(struct ctl_doctor *d)
{
	char found[512];
	auto_fd int dir = ctl_doctor_nearest(d->conf->root, found, sizeof(found));

	if (dir < 0) {
		ctl_doctor_find(d, PART, CTL_VERDICT_MISSING, "root",
				"set another \"root\" in " CT_CONF_FILE, "%s: %s", found,
				strerror(-dir));
		return;
	}
	room(d, dir, found);
	/* Others can neither mount nor look into what is root's: the kernel's part says so. */
	if (feat_has(FEAT_ROOT)) {
		layers(d, dir, found);
		templates(d);
	}
	state(d);
	programs(d);
}
