// SPDX-License-Identifier: GPL-2.0-only
/* Presets: the files they put into a container, and the environment of its init. */
#include "runtime/preset.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/path.h"

#define FILE_NAME "50-skep-checkpointable.conf"
#define HEAD	  "# Written by skep: --preset checkpointable. See skepctl(8).\n"

struct preset_file {
	const char *preset, *dir, *text;
};

static const char *const checkpointable_env[] = {"MEMORY_PRESSURE_WATCH=/dev/null", NULL};

static const struct ct_preset presets[] = {
	{"checkpointable", "systemd's units inside without what CRIU cannot take along",
	 checkpointable_env},
};

/*
 * Memory pressure is turned off for all units at once, by the manager: a unit's own MemoryPressureWatch= is unknown before systemd 254, which would say so for each
 * unit at each boot.
 */
static const struct preset_file files[] = {
	{"checkpointable", "etc/systemd/system/service.d",
	 HEAD "[Service]\nProtectHostname=no\nPrivateIPC=no\nPrivateUsers=no\n"},
	{"checkpointable", "etc/systemd/system.conf.d",
	 HEAD "[Manager]\nDefaultMemoryPressureWatch=off\n"},
};

const struct ct_preset *ct_preset_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(presets); i++)
		if (!strcmp(presets[i].name, name))
			return &presets[i];
	return NULL;
}

bool ct_preset_ok(const char *name)
{
	return !name[0] || !strcmp(name, "none") || ct_preset_find(name);
}

/* 1: there with that text; 0: not there, or other. Whatever cannot be read as a plain file is not ours. */
static int is_there(int dir, const char *text)
{
	auto_free char *now = NULL;
	struct err quiet = {0};
	struct stat st;

	if (fstatat(dir, FILE_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	return file_try_read_at(dir, FILE_NAME, 4096, &now, &quiet) >= 0 && now &&
	       !strcmp(now, text);
}

/* A directory that we had to make belongs to the container's root as all its files do. */
static int give(const struct ct_definition *d, int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || (st.st_uid == 0 && d->id_base &&
				   fchownat(fd, "", d->id_base, d->id_base, AT_EMPTY_PATH) < 0))
		return err_sys(e, "give a preset's file to the container");
	return 0;
}

static int put(const struct ct_definition *d, int root, const struct preset_file *f, struct err *e)
{
	auto_fd int dir = path_mkdirs_in(root, f->dir, 0755, e);
	auto_fd int fd = -EBADF;
	char path[128];

	if (dir < 0 || give(d, dir, e) < 0)
		return -e->no;
	if (is_there(dir, f->text))
		return 0;
	snprintf(path, sizeof(path), "%s/" FILE_NAME, f->dir);
	if (path_write_in(root, path, f->text, 0644, e) < 0)
		return -e->no;
	fd = path_open_in(root, path, O_PATH | O_NOFOLLOW, 0, e);
	return fd < 0 ? fd : give(d, fd, e);
}

static int take_away(int root, const struct preset_file *f, struct err *e)
{
	struct err quiet = {0};
	auto_fd int dir = path_try_open_in(root, f->dir, O_RDONLY | O_DIRECTORY, &quiet);

	if (dir < 0 || !is_there(dir, f->text))
		return 0;
	return unlinkat(dir, FILE_NAME, 0) < 0 ? err_sys(e, "remove a preset's file") : 0;
}

int ct_preset_apply(const struct ct_definition *d, int root, struct err *e)
{
	struct err quiet = {0};
	auto_fd int systemd =
		path_try_open_in(root, "etc/systemd/system", O_PATH | O_DIRECTORY, &quiet);
	int r = 0;

	if (systemd < 0)
		return 0;
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(files); i++)
		r = !strcmp(files[i].preset, d->preset) ? put(d, root, &files[i], e)
							: take_away(root, &files[i], e);
	return r < 0 ? err_wrap(e, "preset '%s'", d->preset) : 0;
}
