// SPDX-License-Identifier: GPL-2.0-only
/* The host's side of mounts and devices. */
#include "runtime/start_sources.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/err.h"
#include "base/own.h"
#include "cgroups/group.h"
#include "ns/dev.h"
#include "ns/idmap.h"
#include "ns/mount.h"
#include "runtime/spec.h"
#include "runtime/state.h"

/*
 * A user namespace may mount cgroup2 only over a cgroup namespace of its own (EPERM from fsopen(2)'s FSCONFIG_CMD_CREATE else): without one, as Podman wants it on hosts with v1 controllers, its view begins at
 * the container's group all the same.
 */
static bool needs_group(const struct ct_spec *spec, const struct ns_mount *mount)
{
	return mount->fstype && !strncmp(mount->fstype, "cgroup", strlen("cgroup")) &&
	       ct_spec_userns(spec) && !spec->own[CT_NS_CGROUP] && !spec->join[CT_NS_CGROUP];
}

/*
 * A user namespace may mount sysfs only over a network namespace of its own, for that is what /sys/class/net shows (EPERM else, fs/sysfs/mount.c). With the host's network the host's is the very same
 * one, in which the container's ids own nothing; Podman writes that bind itself, crun makes it.
 */
static bool needs_sysfs(const struct ct_spec *spec, const struct ns_mount *mount)
{
	return mount->fstype && !strcmp(mount->fstype, "sysfs") && ct_spec_userns(spec) &&
	       !spec->own[CT_NS_NETWORK] && !spec->join[CT_NS_NETWORK];
}

/* Without what is mounted in it, unless we are in a namespace that may not look below that (mount_namespaces(7), "Restrictions"). */
static int clone_sysfs(struct err *e)
{
	struct err ignored = {0};
	int fd = ns_mount_clone(AT_FDCWD, "/sys", 0, &ignored);

	return fd >= 0 ? fd : ns_mount_clone(AT_FDCWD, "/sys", AT_RECURSIVE, e);
}

/* For a file system that init may not make itself; -EBADF: it may. */
static int open_instead(const struct ct_spec *spec, const struct ns_mount *mount,
			const struct cg *cg, struct err *e)
{
	int fd = -EBADF;

	if (needs_group(spec, mount) && cg->ct >= 0)
		fd = ns_mount_clone(cg->ct, "", AT_EMPTY_PATH, e);
	else if (needs_sysfs(spec, mount))
		fd = clone_sysfs(e);
	if (e->no)
		return err_wrap(e, "mount %s", mount->target);
	return fd;
}

/* What of path is below dir, or NULL: also of one that leaves it again. */
static const char *below(const char *dir, const char *path)
{
	size_t n = strlen(dir);
	const char *rest = path + n;

	if (strncmp(path, dir, n) != 0 || rest[0] != '/' || !rest[1])
		return NULL;
	for (const char *at = rest; (at = strstr(at, "/..")); at += 3)
		if (!at[3] || at[3] == '/')
			return NULL;
	return rest;
}

/*
 * What is listed later may be a part of what is listed before, seen through the path of the root file system; and /proc/self/mountinfo lists mounts by their age (fs/namespace.c, m_start(): they are a tree
 * by id since 6.8). So init opens a source when its turn comes, wherever it finds there what we would find here: not with other ids, in other mounts, cut off from those that it is to share with the host
 * (with rootfsPropagation, as in the other runtimes), or where descriptors of ours are looked for.
 */
static bool open_in_turn(const struct ct_spec *spec, struct ns_mount *mount)
{
	static const char *const ours[] = {"/proc/", "/dev/fd/", "/dev/std"};

	if (mount->idmap || mount->ridmap || !spec->own[CT_NS_MOUNT])
		return false;
	mount->in_root = spec->root_path ? below(spec->root_path, mount->source) : NULL;
	if (mount->in_root)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (!strncmp(mount->source, ours[i], strlen(ours[i])))
			return false;
	return !ct_spec_userns(spec) && !(mount->propagation & spec->propagation & MS_SHARED);
}

static int open_mounts(const struct ct_spec *spec, const struct cg *cg, struct err *e)
{
	auto_fd int userns = -EBADF;

	for (size_t i = 0; i < spec->n_mounts; i++) {
		struct ns_mount *mount = &spec->mounts[i];
		auto_fd int own = -EBADF;

		mount->source_fd = open_instead(spec, mount, cg, e);
		if (e->no)
			return -e->no;
		if (!mount->bind || mount->remount || open_in_turn(spec, mount))
			continue;
		if (mount->n_uids) {
			own = ns_idmap_userns(mount->uids, mount->n_uids, mount->gids,
					      mount->n_gids, e);
			if (own < 0)
				return err_wrap(e, "mount %s", mount->target);
		} else if ((mount->idmap || mount->ridmap) && userns < 0) {
			userns = ns_idmap_userns(spec->uids, spec->n_uids, spec->gids, spec->n_gids,
						 e);
			if (userns < 0)
				return userns;
		}
		if (ns_mount_open_source(mount, own >= 0 ? own : userns,
					 spec->propagation & MS_SHARED, e) < 0)
			return -e->no;
	}
	return 0;
}

/*
 * Nobody can mknod(2) a device in a user namespace. What the host has under that very name, mode and owner is bound by init; for the rest a node is made where only the host's root comes to. An owner that
 * is none of the container's ids cannot be given to it: then the host's it is.
 */
static int make_devices(const struct ct *ct, const struct ct_spec *spec, struct err *e)
{
	for (size_t i = 0; i < spec->n_devices; i++) {
		struct ns_device *dev = &spec->devices[i];
		uint32_t uid, gid;
		char name[32];

		if (dev->type == 'p' ||
		    !ns_idmap_to_host(spec->uids, spec->n_uids, dev->uid, &uid) ||
		    !ns_idmap_to_host(spec->gids, spec->n_gids, dev->gid, &gid) ||
		    ns_dev_has_host(dev, uid, gid))
			continue;
		snprintf(name, sizeof(name), "node.%zu", i);
		dev->mount_fd = ns_dev_make_apart(ct->dir, name, dev, uid, gid, e);
		if (dev->mount_fd < 0)
			return -e->no;
	}
	return 0;
}

/*
 * A user's container without a cgroup namespace of its own cannot mount control groups (EPERM, as above). It has the host's, as with runc, and only to look at: those of the user are there, too
 * (CVE-2023-25809).
 */
static int show_groups(struct ns_mount *mount, struct err *e)
{
	char *source = strdup("/sys/fs/cgroup");

	if (!source)
		return err_set(e, ENOMEM, "out of memory for a mount");
	free(mount->source);
	free(mount->fstype);
	free(mount->data);
	mount->source = source;
	mount->fstype = mount->data = NULL;
	mount->bind = mount->recursive = true;
	/* What the host's mounts have they keep (mount_namespaces(7), "Restrictions"). */
	mount->attr_set &= MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	mount->attr_clr = mount->rec_attr_clr = 0;
	mount->rec_attr_set = MOUNT_ATTR_RDONLY;
	return 0;
}

int ct_sources_late(const struct ct_spec *spec, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < spec->n_mounts; i++) {
		struct ns_mount *mount = &spec->mounts[i];

		if (needs_group(spec, mount)) {
			r = show_groups(mount, e);
		} else if (mount->idmap || mount->ridmap) {
			err_set(e, EPERM, "mount %s: idmap takes root", mount->target);
			return err_class(e, ERR_UNSUPPORTED);
		} else if (mount->bind && !mount->remount) {
			(void)open_in_turn(spec, mount);
		}
	}
	return r;
}

int ct_sources_open(const struct ct *ct, const struct ct_spec *spec, const struct cg *cg,
		    struct err *e)
{
	int r = open_mounts(spec, cg, e);

	if (r >= 0 && ct_spec_userns(spec) && !spec->rootless)
		r = make_devices(ct, spec, e);
	return r;
}

void ct_sources_close(const struct ct_spec *spec)
{
	for (size_t i = 0; i < spec->n_mounts; i++)
		own_close_fd(&spec->mounts[i].source_fd);
	for (size_t i = 0; i < spec->n_devices; i++)
		own_close_fd(&spec->devices[i].mount_fd);
}
