// SPDX-License-Identifier: GPL-2.0-only
/* What a start and a restore stand on: the cgroup with its limits, the root file system as a detached mount. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/delegate.h"
#include "cgroups/device.h"
#include "cgroups/limits.h"
#include "ns/rootfs.h"
#include "runtime/container.h"
#include "runtime/ground.h"
#include "runtime/ledger.h"
#include "storage/disk.h"
#include "storage/overlay.h"

int ct_ground_devices(const struct cg *cg, const struct ct_spec *spec, struct err *e)
{
	size_t n = cg_device_default_count + spec->n_device_rules;
	auto_free struct cg_device_rule *all = NULL;
	struct err why = {0};

	/* It has no control group. */
	if (!cg->path[0])
		return 0;
	all = calloc(n, sizeof(*all));
	if (!all)
		return err_set(e, ENOMEM, "out of memory for device rules");
	memcpy(all, cg_device_default, cg_device_default_count * sizeof(*all));
	if (spec->n_device_rules)
		memcpy(all + cg_device_default_count, spec->device_rules,
		       spec->n_device_rules * sizeof(*all));
	if (cg_devices_apply(cg, all, n, &why) >= 0)
		return 0;
	/* Whose user namespace is not the host's can neither filter devices nor make one. */
	if (spec->rootless && (why.no == EPERM || why.no == EACCES))
		return 0;
	*e = why;
	return -e->no;
}

void ct_ground_describe(struct ct *ct, const struct ct_spec *spec, const char *id, bool system)
{
	struct ct_state *s = &ct->s;

	snprintf(s->bundle, sizeof(s->bundle), "%s", spec->bundle);
	snprintf(s->rootfs, sizeof(s->rootfs), "%s",
		 system || !spec->root_path ? "" : spec->root_path);
	if (spec->manager != CT_MANAGER_CGROUPFS)
		s->cgroup[0] = 0; /* systemd's is known when it is made */
	else if (spec->cgroup)
		snprintf(s->cgroup, sizeof(s->cgroup), "%s", spec->cgroup);
	else
		snprintf(s->cgroup, sizeof(s->cgroup), "skep-%s", id);
	if (!ct_spec_userns(spec) || !ns_idmap_to_host(spec->uids, spec->n_uids, 0, &s->id_base))
		s->id_base = 0;
	s->stop_signal = spec->stop_signal;
	s->stop_timeout_s = spec->stop_timeout_s;
	s->system = system;
	s->annotations = json_incref(spec->annotations);
}

/* Without a control group: what was asked of one cannot be had. Device rules are no reason: in a user namespace no device can be made, and --cgroup-manager disabled says so. */
static int do_without(const struct ct_spec *spec, const char *why, struct err *e)
{
	const struct cg_limits *l = &spec->limits;
	bool any = l->cpus[0] || l->mems[0] || l->io_count || spec->n_raw_limits;
	const char *first = "linux.resources";

	for (int i = CG_LIMIT_COUNT - 1; i >= 0; i--)
		if (l->set[i]) {
			any = true;
			first = cg_limit_to_str((enum cg_limit)i);
		}
	if (!any) {
		log_info("no control group: %s", why);
		return 0;
	}
	err_set(e, EOPNOTSUPP, "%s cannot be set: %s", first, why);
	err_hint(e, "leave limits out, or use --systemd-cgroup in a session of the user's");
	return err_class(e, ERR_LIMIT);
}

/*
 * Whether the container may come to write to its control group: it manages its own processes there, a file system of them is mounted writable, or it can mount one. Without a cgroup namespace's
 * "nsdelegate" its limits would then be in its reach.
 */
static bool writes_groups(const struct ct *ct, const struct ct_spec *spec)
{
	const struct ct_process *p = &spec->process;

	if (ct->s.system || !p->has_caps || p->caps.bounding & UINT64_C(1) << CAP_SYS_ADMIN)
		return true;
	for (size_t i = 0; i < spec->n_mounts; i++) {
		const struct ns_mount *m = &spec->mounts[i];

		if (m->remount || (m->fstype && !strncmp(m->fstype, "cgroup", strlen("cgroup")) &&
				   !((m->attr_set | m->rec_attr_set) & MOUNT_ATTR_RDONLY)))
			return true;
	}
	return false;
}

static int make_group(struct ct *ct, const struct ct_spec *spec, struct cg *cg, struct err *e)
{
	int r = cg_vacate(ct->s.cgroup, e);

	if (r >= 0)
		r = ct_ledger_add(ct->dir, CT_LEDGER_CGROUP, ct->s.cgroup, e);
	return r < 0 ? r : cg_make(ct->s.cgroup, writes_groups(ct, spec), cg, e);
}

/* Below the scope, if the annotations say so: all of the container's is there, limits too. What is written down is the scope's group, and with it what is below. */
static int enter_subgroup(struct ct_state *s, const struct ct_spec *spec, pid_t holder,
			  struct err *e)
{
	const char *name = ct_scope_subgroup(spec);
	size_t len = strlen(s->cgroup);

	if (!name)
		return 0;
	if (len + 1 + strlen(name) >= sizeof(s->cgroup))
		return err_set(e, ENAMETOOLONG, "%s/%s is too long for a control group", s->cgroup,
			       name);
	if (cg_descend(s->cgroup, name, holder, e) < 0)
		return -e->no;
	snprintf(s->cgroup + len, sizeof(s->cgroup) - len, "/%s", name);
	return 0;
}

/* Systemd's answer names the group, which is noted before anything but the placeholder is put there. */
static int make_scope(struct ct *ct, const struct ct_spec *spec, struct cg *cg,
		      struct ct_scope *scope, struct err *e)
{
	struct ct_state *s = &ct->s;
	struct err why = {0};
	int r = ct_scope_name(spec, s->id, s->scope, e);

	if (r >= 0)
		r = ct_ledger_add(ct->dir, CT_LEDGER_SCOPE, s->scope, e);
	if (r >= 0)
		r = ct_scope_start(s->scope, spec, s->id, scope, s->cgroup, sizeof(s->cgroup), e);
	/* What is not ours must not be stopped when this is cleaned up; and where systemd is not to be reached, nothing was asked of it. */
	if ((r == -EEXIST || r == -ENOTCONN) &&
	    ct_ledger_drop(ct->dir, CT_LEDGER_SCOPE, s->scope, &why) < 0)
		log_warn("%s", why.text);
	if (r >= 0)
		r = ct_ledger_add(ct->dir, CT_LEDGER_CGROUP, s->cgroup, e);
	if (r >= 0)
		r = enter_subgroup(s, spec, scope->pid, e);
	/* A user moves processes there by a word to systemd, which has PATH/ct in it (start_host.c). */
	return r < 0 ? r
		     : cg_adopt(s->cgroup, scope->pid, spec->rootless || writes_groups(ct, spec),
				cg, e);
}

static int limit(const struct cg *cg, const struct ct_spec *spec, bool best_effort, struct err *e)
{
	int r = fault_at("start.limits", e);

	if (r >= 0)
		r = cg_limits_apply(cg, &spec->limits, best_effort, e);
	return r < 0 ? r : ct_raw_limits_apply(cg, spec->raw_limits, spec->n_raw_limits, e);
}

/*
 * runtime-spec, "Cgroup ownership": who mounts it writable, in a cgroup namespace of its own, is to own it. Not without cgroup2: cgroup v1 cannot be given away safely.
 */
static int give_group(const struct ct *ct, const struct ct_spec *spec, const struct cg *cg,
		      struct err *e)
{
	uint32_t uid = spec->process.uid;
	bool mounted = false;

	if (ct->s.system)
		return spec->own[CT_NS_USER]
			       ? cg_delegate(cg, ct->s.id_base, ct->s.id_base, true, e)
			       : 0;
	for (size_t i = 0; i < spec->n_mounts; i++) {
		const struct ns_mount *m = &spec->mounts[i];

		if (!strcmp(m->target, "/sys/fs/cgroup"))
			mounted = m->fstype && !strncmp(m->fstype, "cgroup", strlen("cgroup")) &&
				  !((m->attr_set | m->rec_attr_set) & MOUNT_ATTR_RDONLY);
	}
	if (!mounted || !spec->own[CT_NS_CGROUP] || spec->rootless)
		return 0;
	if (spec->n_uids && !ns_idmap_to_host(spec->uids, spec->n_uids, uid, &uid))
		return 0;
	return uid ? cg_delegate(cg, uid, (gid_t)-1, false, e) : 0;
}

int ct_ground_cgroup(struct ct *ct, const struct ct_spec *spec, bool best_effort, struct cg *cg,
		     struct ct_scope *scope, struct err *e)
{
	int r = fault_at("start.cgroup", e);

	if (r < 0)
		return r;
	if (spec->manager == CT_MANAGER_DISABLED)
		return do_without(spec, "--cgroup-manager is disabled", e);
	if (spec->rootless && spec->manager == CT_MANAGER_CGROUPFS &&
	    !cg_may_create(ct->s.cgroup)) {
		ct->s.cgroup[0] = 0;
		return do_without(spec, "we may make no control group", e);
	}
	r = spec->manager == CT_MANAGER_SYSTEMD ? make_scope(ct, spec, cg, scope, e)
						: make_group(ct, spec, cg, e);
	if (r >= 0)
		r = limit(cg, spec, best_effort, e);
	if (r < 0)
		return r;
	return give_group(ct, spec, cg, e);
}

static int open_dir(int at, const char *path, const char *what, struct err *e)
{
	int fd = openat(at, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "open %s %s", what, path) : fd;
}

/* The directory that upper and work are relative to: the mounted disk image, or none (they are absolute). */
static int open_disk(const struct ct_spec *spec, struct err *e)
{
	auto_fd int dir = -EBADF;
	const char *slash = strrchr(spec->disk, '/');
	char parent[512];

	if (!slash || slash == spec->disk || (size_t)(slash - spec->disk) >= sizeof(parent)) {
		err_set(e, EINVAL, "disk image %s is no absolute path", spec->disk);
		return err_class(e, ERR_CONFIG);
	}
	memcpy(parent, spec->disk, (size_t)(slash - spec->disk));
	parent[slash - spec->disk] = 0;
	dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "open %s", parent);
	return st_disk_mount(dir, slash + 1, false, e);
}

static int mount_overlay(const struct ct_spec *spec, int userns, struct err *e)
{
	int lower[ST_OVERLAY_LOWER_MAX], n = 0, r;
	auto_fd int disk = -EBADF;
	auto_fd int upper = -EBADF;
	auto_fd int work = -EBADF;

	if (spec->n_lower > ST_OVERLAY_LOWER_MAX) {
		err_set(e, E2BIG, "%zu layers are more than %d", spec->n_lower,
			ST_OVERLAY_LOWER_MAX);
		return err_class(e, ERR_CONFIG);
	}
	if (spec->disk) {
		disk = open_disk(spec, e);
		if (disk < 0)
			return disk;
	}
	if (spec->upper) {
		int at = disk >= 0 ? disk : AT_FDCWD;

		upper = open_dir(at, spec->upper, "the container's layer", e);
		if (upper < 0)
			return upper;
		work = open_dir(at, spec->work, "the layer's work directory", e);
		if (work < 0)
			return work;
	}
	for (r = 0; n < (int)spec->n_lower; n++) {
		lower[n] = open_dir(AT_FDCWD, spec->lower[n], "template layer", e);
		if (lower[n] < 0) {
			r = lower[n];
			break;
		}
	}
	if (r >= 0)
		r = st_overlay_mount(lower, n, upper, work, userns, false, e);
	while (n > 0)
		own_close_fd(&lower[--n]);
	return r;
}

int ct_ground_rootfs(const struct ct_spec *spec, int userns, struct err *e)
{
	int r = fault_at("start.rootfs", e);

	if (r < 0)
		return r;
	if (spec->n_lower)
		return mount_overlay(spec, userns, e);
	/* A directory of OCI's: its owner has given it the ids the container sees (runtime-spec, "root"). */
	return ns_rootfs_open(spec->root_path, -EBADF, spec->propagation, e);
}

int ct_ground_note_root(const struct ct *ct, const struct ct_spec *spec, int rootfs, struct err *e)
{
	auto_free char *path = NULL;
	struct ns_rootfs_id id;
	char line[512];

	if (spec->own[CT_NS_MOUNT] || spec->join[CT_NS_MOUNT] || !spec->root_path)
		return 0;
	if (ns_rootfs_id(rootfs, &id, e) < 0)
		return -e->no;
	/* Attaching follows a link at its end, undoing must not: it may lead elsewhere by then. */
	path = realpath(spec->root_path, NULL);
	if (!path)
		return err_sys(e, "find %s", spec->root_path);
	if (snprintf(line, sizeof(line), "%" PRIu64 " %" PRIu64 " %s", id.unique, id.id, path) >=
	    (int)sizeof(line))
		return err_set(e, ENAMETOOLONG, "path too long: %.64s...", spec->root_path);
	return ct_ledger_add(ct->dir, CT_LEDGER_MOUNT, line, e);
}

int ct_ground_make(struct ct *ct, const struct ct_spec *spec, bool best_effort,
		   struct ct_ground *ground, struct err *e)
{
	int r = spec->manager == CT_MANAGER_DISABLED
			? err_set(e, EOPNOTSUPP, "a restore needs a control group")
			: ct_ground_cgroup(ct, spec, best_effort, &ground->cg, &ground->scope, e);

	if (r >= 0)
		r = ct_spec_keep(ct, spec, e);
	if (r >= 0)
		r = ct_ground_devices(&ground->cg, spec, e);
	if (r < 0)
		return r;
	if (spec->own[CT_NS_USER]) {
		ground->userns =
			ns_idmap_userns(spec->uids, spec->n_uids, spec->gids, spec->n_gids, e);
		if (ground->userns < 0)
			return ground->userns;
	}
	ground->rootfs = ct_ground_rootfs(spec, ground->userns, e);
	return ground->rootfs < 0 ? ground->rootfs : 0;
}

void ct_ground_done(struct ct_ground *ground)
{
	own_close_fd(&ground->rootfs);
	own_close_fd(&ground->userns);
	ct_scope_release(&ground->scope);
	cg_close(&ground->cg);
}
