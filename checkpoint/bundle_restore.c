// SPDX-License-Identifier: GPL-2.0-only
/* runc's restore in criu's words, and what the bundle's mounts need for it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "checkpoint/bundle_conf.h"
#include "checkpoint/bundle_words.h"
#include "checkpoint/criu.h"
#include "checkpoint/record.h"
#include "checkpoint/restore.h"
#include "checkpoint/shelf.h"
#include "net/veth.h"
#include "net/netns.h"
#include "ns/mount.h"
#include "runtime/hook.h"

static bool is_plain(const struct cr_bundle *how)
{
	return how->groups && !strcmp(how->groups, "ignore");
}

/* What a checkpoint writes first and last. */
static int judge_images(int images, const char *path, struct err *e)
{
	static const char *const names[] = {CR_BUNDLE_DESCRIPTORS, CR_RECORD_FILE};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (faccessat(images, names[i], F_OK, 0) == 0)
			continue;
		err_set(e, ENOENT, "%s holds no whole checkpoint: it has no %s", path, names[i]);
		return err_hint(e, "give the directory of a checkpoint that did not fail");
	}
	return 0;
}

/* Three words, from who gave us the images. */
static int load_streams(int images, json_t **out, struct err *e)
{
	auto_free char *text = NULL;

	if (file_read_at(images, CR_BUNDLE_DESCRIPTORS, 65536, &text, e) < 0)
		return -e->no;
	*out = json_loads(text, 0, NULL);
	if (!json_is_array(*out))
		return err_set(e, EINVAL, CR_BUNDLE_DESCRIPTORS ": is no list");
	return 0;
}

static void add_streams(struct cr_criu *c, const struct cr_bundle_words *w)
{
	for (size_t i = 0; i < 3; i++) {
		const char *was = json_string_value(json_array_get(w->streams, i));
		bool twice = false;

		/* A pipe that is two of them is one: the first place counts. */
		for (size_t k = 0; was && k < i; k++) {
			const char *other = json_string_value(json_array_get(w->streams, k));

			twice |= other && !strcmp(was, other);
		}
		if (!was || twice ||
		    (strncmp(was, "pipe:[", 6) != 0 && strncmp(was, "file[", 5) != 0))
			continue;
		cr_criu_add(c, "--inherit-fd");
		cr_criu_add(c, "fd[%d]:%s", cr_criu_pass(c, w->stdio[i]), was);
	}
}

static void add_namespaces(struct cr_criu *c, const struct cr_bundle_words *w)
{
	for (size_t i = 0; i < CR_BUNDLE_OUTSIDE; i++)
		if (w->fds[cr_bundle_outside[i].ns] >= 0) {
			cr_criu_add(c, "--inherit-fd");
			cr_criu_add(c, "fd[%d]:%s",
				    cr_criu_pass(c, w->fds[cr_bundle_outside[i].ns]),
				    cr_bundle_outside[i].key);
		}
	for (enum ct_namespace n = 0; n < CT_NS_COUNT; n++)
		if (w->spec->join[n] && n != CT_NS_NETWORK && n != CT_NS_PID) {
			cr_criu_add(c, "--join-ns");
			cr_criu_add(c, "%s:/proc/self/fd/%d", ct_namespace_to_str(n),
				    cr_criu_pass(c, w->fds[n]));
		}
}

/* Where criu finds a bind mount's source. */
static void source_of(const struct cr_bundle_words *w, size_t i, char path[PATH_MAX])
{
	if (w->spec->own[CT_NS_USER])
		snprintf(path, PATH_MAX, CR_SHELF "/mount-%zu", i);
	else
		snprintf(path, PATH_MAX, "%s", w->spec->mounts[i].source);
}

static void add_restore(struct cr_criu *c, void *arg)
{
	const struct cr_bundle_words *w = arg;

	cr_bundle_add_common(c, w);
	add_streams(c, w);
	add_namespaces(c, w);
	if (w->how->lsm_profile)
		cr_bundle_add_pair(c, "--lsm-profile", w->how->lsm_profile);
	if (w->how->lsm_mount_context)
		cr_bundle_add_pair(c, "--lsm-mount-context", w->how->lsm_mount_context);
	for (size_t i = 0; i < w->spec->n_mounts; i++)
		if (w->spec->mounts[i].bind) {
			char path[PATH_MAX];

			source_of(w, i, path);
			cr_criu_add(c, "--external");
			cr_criu_add(c, "mnt[%s]:%s", w->spec->mounts[i].target, path);
		}
}

/* The mount that it is made in, or NULL: it is the root file system; *below: where in there. */
static const struct ns_mount *made_in(const struct ct_spec *spec, size_t i, const char **below)
{
	const struct ns_mount *found = NULL;
	const char *target = spec->mounts[i].target;
	size_t most = 0;

	*below = target;
	for (size_t k = 0; k < i; k++) {
		const struct ns_mount *m = &spec->mounts[k];
		size_t len = strlen(m->target);

		if (m->remount || len < most || strncmp(target, m->target, len) != 0 ||
		    target[len] != '/')
			continue;
		found = m;
		most = len;
		*below = target + len;
	}
	return found;
}

/*
 * The root file system may be another copy, in which nobody has made the places of its mounts yet; so may be a directory of the host's that is bound into it. criu makes none. What is
 * below any other mount is that one's, and criu's.
 */
static int make_mount_point(const struct ct_spec *spec, size_t i, int rootfs, struct err *e)
{
	const struct ns_mount *m = &spec->mounts[i], *in;
	struct stat st = {.st_mode = S_IFDIR};
	auto_fd int at = -EBADF, bound = -EBADF;
	const char *below;

	in = made_in(spec, i, &below);
	if (m->remount || (in && !in->bind))
		return 0;
	if (in) {
		bound = open(in->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (bound < 0)
			return err_sys(e, "open %s", in->source);
	}
	if (m->bind && stat(m->source, &st) < 0)
		return err_sys(e, "look at %s", m->source);
	at = path_mount_point_in(in ? bound : rootfs, below, S_ISDIR(st.st_mode), e);
	return at < 0 ? at : 0;
}

static int shelve(const struct cr_bundle_words *w, size_t i, struct err *e)
{
	const struct ns_mount *m = &w->spec->mounts[i];
	char path[PATH_MAX];
	auto_fd int fd = -EBADF;

	if (!m->bind || !w->spec->own[CT_NS_USER])
		return 0;
	source_of(w, i, path);
	fd = ns_mount_clone(AT_FDCWD, m->source, m->recursive ? AT_RECURSIVE : 0, e);
	return fd < 0 ? fd : cr_shelf_put(path, fd, m->source, e);
}

/*
 * criu pivots by way of the /tmp in there, or of a directory that it makes for that (cr_pivot_root() in criu/mount.c), and cannot make one when it has made the root file system read-only.
 * One that cannot be made here, either, is criu's to tell.
 */
static void make_tmp(const struct ct_spec *spec, int rootfs)
{
	if (spec->root_readonly && mkdirat(rootfs, "tmp", 0755) < 0 && errno != EEXIST)
		log_info("no /tmp in the root file system: %s", strerror(errno));
}

static int prepare(const struct ct_ground *ground, void *arg, struct err *e)
{
	const struct cr_bundle_words *w = arg;

	make_tmp(w->spec, ground->rootfs);
	for (size_t i = 0; i < w->spec->n_mounts; i++)
		if (make_mount_point(w->spec, i, ground->rootfs, e) < 0 || shelve(w, i, e) < 0)
			return err_wrap(e, "mount %s", w->spec->mounts[i].target);
	return 0;
}

/* What create does to new namespaces, for the first of the programs to find. */
static int fill(const struct ct *ct, pid_t init, void *arg, struct err *e)
{
	const struct ct_spec *spec = ((const struct cr_bundle_words *)arg)->spec;
	auto_json json_t *state = NULL;
	auto_fd int netns = -EBADF;
	int r = 0;

	if (spec->own[CT_NS_NETWORK]) {
		r = netns = net_netns_open(init, e);
		if (r >= 0)
			r = net_loopback_up(netns, e);
	}
	if (r >= 0)
		r = ct_state_to_hook(ct, CT_CREATED, init, &state, e);
	if (r >= 0)
		r = ct_hooks_run(&spec->hooks, CT_HOOK_PRESTART, state, spec->bundle, e);
	if (r >= 0)
		r = ct_hooks_run(&spec->hooks, CT_HOOK_CREATE_RUNTIME, state, spec->bundle, e);
	return r;
}

/* Those that criu can put a restored container into. */
static int open_namespaces(struct cr_bundle_words *w, struct err *e)
{
	for (enum ct_namespace n = 0; n < CT_NS_COUNT; n++) {
		const char *path = w->spec->join[n];

		if (!path)
			continue;
		if (n == CT_NS_MOUNT || n == CT_NS_CGROUP) {
			err_set(e, EOPNOTSUPP, "criu restores into no %s namespace of others (%s)",
				ct_namespace_to_str(n), path);
			return err_class(e, ERR_UNSUPPORTED);
		}
		w->fds[n] = ct_namespace_open(path, e);
		if (w->fds[n] < 0)
			return w->fds[n];
	}
	return 0;
}

int cr_bundle_restore(const struct ct_create *start, const struct cr_bundle *how, struct ct *ct,
		      struct ct_created *out, struct err *e)
{
	auto_fd int images = open(how->images, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_bundle_conf struct cr_bundle_conf conf = {0};
	auto_json json_t *streams = NULL;
	struct cr_bundle all = *how;
	struct cr_bundle_words w = {.how = &all,
				    .conf = &conf,
				    .spec = start->spec,
				    .fds = {[0 ... CT_NS_COUNT - 1] = -EBADF},
				    .stdio = start->stdio};
	struct cr_restore_bundle bundle = {
		.state_root = start->state_root,
		.id = start->id,
		.spec = start->spec,
		.stdio = start->stdio,
		.add = add_restore,
		.prepare = prepare,
		.fill = fill,
		.arg = &w,
	};
	const struct cr_restore restore = {.bundle = &bundle, .images = images};
	char criu[256];
	int r = cr_bundle_judge_joined(start->spec, e);

	if (r >= 0)
		r = cr_bundle_conf_load(start->spec, &all, &conf, e);
	if (r >= 0)
		r = cr_criu_find(criu, e);
	bundle.plain_groups = is_plain(&all);
	if (r < 0)
		return r;
	if (images < 0)
		return err_sys(e, "open the images %s", how->images);
	r = judge_images(images, how->images, e);
	if (r >= 0)
		r = cr_bundle_open_work(&w, e);
	if (r >= 0)
		r = load_streams(images, &streams, e);
	w.streams = streams;
	if (r >= 0)
		r = open_namespaces(&w, e);
	if (r >= 0)
		r = cr_restore(&restore, ct, out, e);
	if (r >= 0)
		ct_state_show(ct);
	for (enum ct_namespace n = 0; n < CT_NS_COUNT; n++)
		own_close_fd(&w.fds[n]);
	own_close_fd(&w.work);
	return r < 0 ? err_class(e, ERR_RESTORE) : 0;
}
