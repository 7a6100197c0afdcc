// SPDX-License-Identifier: GPL-2.0-only
/* Init's side of a start, its files: from the host's mounts to a root of its own with /dev and what the spec lists. */
#include "runtime/start_mounts.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>

#include "base/err.h"
#include "base/own.h"
#include "base/path.h"
#include "base/sync.h"
#include "ns/console.h"
#include "ns/dev.h"
#include "ns/idmap.h"
#include "ns/mask.h"
#include "ns/mount.h"
#include "ns/outside.h"
#include "ns/rootfs.h"
#include "ns/self.h"
#include "runtime/ground.h"
#include "runtime/start_init.h"

static const struct ns_mount *mount_at(const struct ct_spec *spec, const char *target)
{
	const struct ns_mount *last = NULL;
	size_t len = strlen(target);

	/* A later one hides those before it. */
	for (size_t i = 0; i < spec->n_mounts; i++) {
		const char *at = spec->mounts[i].target;

		if (!strncmp(at, target, len) && strspn(at + len, "/") == strlen(at + len))
			last = &spec->mounts[i];
	}
	return last;
}

static bool has_mount_at(const struct ct_spec *spec, const char *target)
{
	return mount_at(spec, target);
}

static bool is_bound_at(const struct ct_spec *spec, const char *target)
{
	const struct ns_mount *m = mount_at(spec, target);

	return m && m->bind;
}

/* Of the host's mounts, as far as any of ours wants to hear of what becomes of them there. */
static unsigned long propagation_of_all(const struct ct_spec *spec)
{
	unsigned long all = spec->propagation;

	for (size_t i = 0; i < spec->n_mounts; i++)
		all |= spec->mounts[i].propagation;
	return all;
}

int ct_step_rootfs(struct ct_stage *s, struct err *e)
{
	struct err there = {0};
	int r = 0;

	if (s->in->rootfs >= 0)
		s->root = take_fd(&s->in->rootfs);
	else
		r = sync_expect(&s->in->sync, CT_STEP_ROOTFS, s->in->late ? SYNC_OK : SYNC_FD, NULL,
				s->in->late ? NULL : &s->root, e);
	if (r < 0)
		return r;
	/* Another's mounts are not to be changed, and its root not to be covered: ours is attached at its own path there, and entered by chroot(2). */
	if (!s->in->spec->own[CT_NS_MOUNT]) {
		if (!s->in->spec->root_path)
			return err_set(
				e, EINVAL,
				"layers cannot be mounted in a mount namespace of somebody else");
		r = ns_rootfs_attach_among(s->root, s->in->spec->root_path, e);
		if (r < 0 && s->in->spec->join[CT_NS_MOUNT])
			return err_wrap(e, "in mount namespace %s", s->in->spec->join[CT_NS_MOUNT]);
		return r;
	}
	r = ns_rootfs_isolate(propagation_of_all(s->in->spec), e);
	/* In a mount namespace of my own, where my user namespace may copy mounts. */
	if (r >= 0 && s->in->late)
		r = s->root = ct_ground_rootfs(s->in->spec, -EBADF, e);
	if (r < 0)
		return r;
	if (!ct_has_create_hooks(s->in->spec))
		return ns_rootfs_attach(s->root, NULL, e);
	/* Where a hook that mounts something into the container looks for it. Ids of the container's may have no way to that place: no hook of theirs has either. */
	if (s->in->spec->root_path &&
	    ns_rootfs_attach(s->root, s->in->spec->root_path, &there) == 0)
		return 0;
	return ns_rootfs_attach(s->root, NULL, e);
}

/* Its own that is made ahead. As late as can be: it may still be in the making. */
static int enter_network(struct ct_stage *s, struct err *e)
{
	auto_fd int netns = -EBADF;
	int r;

	if (!s->in->netns_comes || s->in_network)
		return 0;
	r = sync_expect(&s->in->sync, CT_STEP_NETWORK, SYNC_FD, NULL, &netns, e);
	if (r < 0)
		return r;
	if (setns(netns, CLONE_NEWNET) < 0)
		return err_sys(e, "enter the network namespace");
	s->in_network = true;
	return 0;
}

/* Whether a mount may show, or keep, the network namespace that it is made in, as sysfs and NFS do. */
static bool shows_network(const struct ns_mount *m)
{
	static const char *const others[] = {"proc",   "tmpfs",	 "devpts",
					     "mqueue", "cgroup", "cgroup2"};

	if (m->bind || m->remount || !m->fstype)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (!strcmp(m->fstype, others[i]))
			return false;
	return true;
}

static int for_each_before(const struct ct_spec *spec, size_t n,
			   int (*fn)(struct ns_mount *m, struct err *e), struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = fn(&spec->mounts[i], e);
	return r;
}

/* What copies a tmpfs that is to be read-only, or changes how it is mounted, has to find it so; whatever else comes may have its place in it. */
static int mount_one(struct ct_stage *s, size_t i, struct err *e)
{
	const struct ct_spec *spec = s->in->spec;
	struct ns_mount *m = &spec->mounts[i];
	bool copies = m->in_root && !m->optional;
	int r = 0;

	if (s->any_sealed && (m->remount || copies)) {
		r = for_each_before(spec, i, ns_mount_seal, e);
		if (r >= 0)
			r = m->remount ? ns_mount_one(s->root, m, e)
				       : ns_mount_open_in_root(s->root, m, e);
		if (r < 0)
			return m->remount ? r : err_wrap(e, "mount %s", m->target);
		r = for_each_before(spec, i, ns_mount_lift, e);
		if (m->remount)
			return r;
	}
	if (r >= 0)
		r = ns_mount_one(s->root, m, e);
	s->any_sealed |= m->seal_fd >= 0;
	return r;
}

int ct_step_mounts(struct ct_stage *s, struct err *e)
{
	const struct ct_spec *spec = s->in->spec;
	int r = 0;

	if (!has_mount_at(spec, "/dev"))
		r = ns_dev_mount(s->root, spec->mount_label, e);
	for (size_t i = 0; r >= 0 && i < spec->n_mounts; i++) {
		r = shows_network(&spec->mounts[i]) ? enter_network(s, e) : 0;
		if (r >= 0)
			r = mount_one(s, i, e);
	}
	return r < 0 ? r : enter_network(s, e);
}

/* A terminal of the host's devpts on /dev/console: whoever restores this container can give it another one. */
static int bind_system_console(struct ct_stage *s, struct err *e)
{
	auto_fd int at = path_mount_point_in(s->root, "/dev/console", false, e);

	if (at < 0)
		return at;
	return ns_mount_attach(s->in->console_mount, at, "/dev/console", e);
}

static int make_oci_console(struct ct_stage *s, struct err *e)
{
	const struct ct_process *p = &s->in->spec->process;
	int r = ns_console_new(s->root, &s->console_master, &s->console_slave, e);

	if (r < 0)
		return r;
	/* Its group is what the devpts was mounted with: tty, whose members write(1) to each other. */
	r = ns_console_chown(s->console_slave, p->uid, (gid_t)-1, e);
	if (r < 0)
		return r;
	if (p->rows && p->cols) {
		r = ns_console_resize(s->console_master, p->rows, p->cols, e);
		if (r < 0)
			return r;
	}
	if (p->plain_lines && ns_console_plain_lines(s->console_slave, e) < 0)
		return -e->no;
	return ns_console_bind(s->root, s->console_slave, e);
}

int ct_step_dev(struct ct_stage *s, struct err *e)
{
	const struct ct_spec *spec = s->in->spec;
	/* Also in one that we were called in, as by Podman of a user's. */
	bool userns = ct_spec_userns(spec) || spec->rootless;
	uint32_t tty;
	/* A devtmpfs of the host's, bound here, looks as fresh as ours, and is not to be written to. */
	int r = is_bound_at(spec, "/dev") ? 0 : ns_dev_is_fresh(s->root, e);

	if (r < 0)
		return r;
	if (r) {
		r = ns_dev_default(s->root, userns, e);
		if (r >= 0 && !has_mount_at(spec, "/dev/pts"))
			r = ns_dev_mount_pts(
				s->root,
				!ct_spec_userns(spec) ||
					ns_idmap_to_host(spec->gids, spec->n_gids, 5, &tty),
				spec->mount_label, e);
		/* Whoever lists the one default file system below /dev, and not the other, wants none: Podman's --ipc=none. */
		if (r >= 0 && !has_mount_at(spec, "/dev/pts") && !has_mount_at(spec, "/dev/shm"))
			r = ns_dev_mount_shm(s->root, 64 << 20, spec->mount_label, e);
	}
	for (size_t i = 0; r >= 0 && i < spec->n_devices; i++)
		r = ns_dev_node(s->root, &spec->devices[i], userns, e);
	if (r < 0)
		return r;
	if (s->in->console_mount >= 0)
		return bind_system_console(s, e);
	return spec->process.terminal ? make_oci_console(s, e) : 0;
}

/* Whether the list puts a file system of that type there, or binds the host's. */
static bool has_kernel_fs(const struct ct_spec *spec, const char *target, const char *fstype)
{
	for (size_t i = 0; i < spec->n_mounts; i++) {
		const struct ns_mount *m = &spec->mounts[i];

		if (!strcmp(m->target, target) && !m->remount &&
		    (m->bind ? m->source && !strcmp(m->source, target)
			     : m->fstype && !strcmp(m->fstype, fstype)))
			return true;
	}
	return false;
}

int ct_step_masks(struct ct_stage *s, struct err *e)
{
	const struct ct_spec *spec = s->in->spec;
	struct ns_mask_tops tops;
	int r;

	if (!spec->n_masked && !spec->n_readonly)
		return 0;
	r = ns_mask_open(s->root, has_kernel_fs(spec, "/proc", "proc"),
			 has_kernel_fs(spec, "/sys", "sysfs"), &tops, e);
	if (r >= 0)
		r = ns_mask_paths(&tops, (const char *const *)spec->masked, spec->n_masked, e);
	if (r >= 0)
		r = ns_mask_readonly(&tops, (const char *const *)spec->readonly, spec->n_readonly,
				     e);
	ns_mask_close(&tops);
	return r;
}

/* While it can be made: later the root is read-only. What is in the way is told when it is entered. */
static void make_cwd(const struct ct_stage *s)
{
	struct err ignored = {0};
	auto_fd int dir = path_mkdirs_in(s->root, s->process.cwd, 0755, &ignored);

	(void)dir;
}

/* Not before: hooks of the creation may have something to put there, too (as with runc). */
static int seal_for_good(struct ns_mount *m, struct err *e)
{
	int r = ns_mount_seal(m, e);

	own_close_fd(&m->seal_fd);
	return r;
}

/* Point of no return: no host path can be opened afterwards. */
int ct_step_pivot(struct ct_stage *s, struct err *e)
{
	bool joined = !s->in->spec->own[CT_NS_MOUNT];
	int r = for_each_before(s->in->spec, s->in->spec->n_mounts, seal_for_good, e);

	if (r >= 0) {
		int (*leave)(int root, unsigned long propagation, struct err *e) =
			joined		  ? ns_rootfs_chroot
			: s->in->no_pivot ? ns_outside_leave
					  : ns_rootfs_pivot;

		if (ct_init_buries(s->in))
			ns_self_mount_bury();
		r = leave(s->root, s->in->spec->propagation, e);
		if (r == -EINVAL && leave == ns_rootfs_pivot)
			err_hint(
				e,
				"where the host's root is the initial ramdisk, `skep run --no-pivot` does");
	}
	if (r < 0 || !s->in->spec->root_readonly)
		return r;
	make_cwd(s);
	return ns_rootfs_readonly(s->root, e);
}
