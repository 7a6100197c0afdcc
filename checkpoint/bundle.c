// SPDX-License-Identifier: GPL-2.0-only
/* runc's checkpoint in criu's words. */
#include "checkpoint/bundle_words.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/feat.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/size.h"
#include "cgroups/group.h"
#include "checkpoint/bundle_conf.h"
#include "checkpoint/criu.h"
#include "checkpoint/dump.h"
#include "checkpoint/paused.h"
#include "ns/mountinfo.h"
#include "runtime/notify.h"

const struct cr_bundle_outside cr_bundle_outside[CR_BUNDLE_OUTSIDE] = {
	{CT_NS_NETWORK, "net", "extRootNetNS"},
	{CT_NS_PID, "pid", "extRootPidNS"},
};

static bool is_groups_word(const char *word)
{
	static const char *const words[] = {"soft", "full", "strict", "ignore"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

/* "10.0.0.1:27", "[fd00::1]:27": where the last colon is. */
static const char *port_of(const char *server, struct err *e)
{
	const char *colon = strrchr(server, ':');
	int64_t port;

	if (!colon || colon == server || !colon[1]) {
		err_set(e, EINVAL, "--page-server: '%.100s' is not ADDRESS:PORT", server);
		err_class(e, ERR_VALUE);
		return NULL;
	}
	return size_parse_number("--page-server", colon + 1, 1, 65535, &port, e) < 0 ? NULL
										     : colon + 1;
}

int cr_bundle_judge(const struct cr_bundle *how, struct err *e)
{
	if (how->groups && !is_groups_word(how->groups)) {
		err_set(e, EINVAL, "invalid manage-cgroups-mode value '%.40s'", how->groups);
		err_hint(e, "soft, full, strict or ignore");
		return err_class(e, ERR_VALUE);
	}
	if (how->parent && *how->parent == '/') {
		err_set(e, EINVAL, "--parent-path must be relative to the directory of images");
		return err_class(e, ERR_VALUE);
	}
	if (how->page_server && !port_of(how->page_server, e))
		return -e->no;
	if (how->status_fd >= 0 && fcntl(how->status_fd, F_GETFD) < 0) {
		err_set(e, EBADF, "--status-fd: descriptor %d is not open", how->status_fd);
		return err_class(e, ERR_VALUE);
	}
	/* criu without it does not say so but breaks ("BUG at criu/mem.c"). */
	if ((how->pre_dump || how->parent) && !feat_has(FEAT_SOFT_DIRTY)) {
		err_set(e, EOPNOTSUPP,
			"this kernel does not tell which memory has changed since (no soft-dirty)");
		err_hint(e, "%s; or checkpoint at once, without --pre-dump and --parent-path",
			 feat_remedy(FEAT_SOFT_DIRTY));
		return err_class(e, ERR_UNSUPPORTED);
	}
	return 0;
}

void cr_bundle_add_pair(struct cr_criu *c, const char *word, const char *value)
{
	cr_criu_add(c, "%s", word);
	cr_criu_add(c, "%s", value);
}

static void add_page_server(struct cr_criu *c, const struct cr_bundle *how)
{
	struct err ignored = {0};
	const char *port = how->page_server ? port_of(how->page_server, &ignored) : NULL;
	const char *address = how->page_server;
	int len;

	if (!port)
		return;
	len = (int)(port - address) - 1;
	if (*address == '[' && len > 2 && address[len - 1] == ']') {
		address++;
		len -= 2;
	}
	/* A server of lazy pages is criu itself, which others ask; else another one is sent the pages. That it is not there criu tells at this level only (explain.c). */
	if (!how->lazy_pages) {
		cr_criu_add(c, "-v3");
		cr_criu_add(c, "--page-server");
	}
	cr_criu_add(c, "--address");
	cr_criu_add(c, "%.*s", len, address);
	cr_bundle_add_pair(c, "--port", port);
}

/* What checkpoint and restore have in common. */
void cr_bundle_add_common(struct cr_criu *c, const struct cr_bundle_words *w)
{
	const struct cr_bundle *how = w->how;
	const struct {
		bool wanted;
		const char *word;
	} flags[] = {
		{how->tcp_established, "--tcp-established"},
		{how->ext_unix_sk, "--ext-unix-sk"},
		{how->shell_job, "--shell-job"},
		{how->file_locks, "--file-locks"},
		{how->lazy_pages, "--lazy-pages"},
		{how->auto_dedup, "--auto-dedup"},
	};

	c->tell_log = true;
	if (w->work >= 0)
		cr_criu_set_logs(c, w->work, w->work_path);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].wanted)
			cr_criu_add(c, "%s", flags[i].word);
	/* Mounts of the host's that the bundle does not name (masks, nodes): criu finds them by itself. */
	cr_bundle_add_pair(c, "--external", "mnt[]:sm");
	cr_criu_add(c, "--enable-external-sharing");
	cr_criu_add(c, "--enable-external-masters");
	if (w->spec->own[CT_NS_NETWORK])
		cr_bundle_add_pair(c, "--empty-ns", "net");
	cr_bundle_conf_add(c, w->conf);
}

static void add_checkpoint(struct cr_criu *c, void *arg)
{
	const struct cr_bundle_words *w = arg;
	const struct cr_bundle *how = w->how;

	cr_bundle_add_common(c, w);
	add_page_server(c, how);
	cr_criu_add(c, "--manage-cgroups=%s", how->groups ? how->groups : "soft");
	cr_bundle_add_pair(c, "--network-lock", how->tcp_established ? "nftables" : "skip");
	if (how->tcp_skip_in_flight)
		cr_criu_add(c, "--skip-in-flight");
	if (how->link_remap)
		cr_criu_add(c, "--link-remap");
	if (how->parent) {
		cr_bundle_add_pair(c, "--prev-images-dir", how->parent);
		cr_criu_add(c, "--track-mem");
	}
	if (how->status_fd >= 0) {
		cr_criu_add(c, "--status-fd");
		cr_criu_add(c, "%d", cr_criu_pass(c, how->status_fd));
	}
	for (size_t i = 0; i < CR_BUNDLE_OUTSIDE; i++)
		if (w->inodes[i]) {
			cr_criu_add(c, "--external");
			cr_criu_add(c, "%s[%llu]:%s", cr_bundle_outside[i].word,
				    (unsigned long long)w->inodes[i], cr_bundle_outside[i].key);
		}
	for (size_t i = 0; i < 3; i++) {
		const char *name = json_string_value(json_array_get(w->streams, i));

		if (name && !strncmp(name, "file[", 5))
			cr_bundle_add_pair(c, "--external", name);
	}
	for (size_t i = 0; i < w->spec->n_mounts; i++)
		if (w->spec->mounts[i].bind) {
			cr_criu_add(c, "--external");
			cr_criu_add(c, "mnt[%s]:%s", w->spec->mounts[i].target,
				    w->spec->mounts[i].target);
		}
}

static int open_dir(const char *path, struct err *e)
{
	int fd = file_mkdirs_at(AT_FDCWD, path, 0700, e);

	return fd < 0 ? err_wrap(e, "directory %s", path) : fd;
}

int cr_bundle_open_work(struct cr_bundle_words *w, struct err *e)
{
	const char *path = w->how->work;

	w->work = -EBADF;
	if (!path || !*path)
		return 0;
	w->work = open_dir(path, e);
	if (w->work >= 0 && !realpath(path, w->work_path))
		return err_sys(e, "find the directory %s", path);
	return w->work < 0 ? w->work : 0;
}

static int open_images(const struct cr_bundle *how, int *images, struct err *e)
{
	*images = open_dir(how->images, e);
	if (*images < 0)
		return *images;
	if (how->parent && faccessat(*images, how->parent, F_OK, 0) < 0)
		return err_sys(e, "--parent-path %s", how->parent);
	return 0;
}

/* Whether the container has no mount with the number that /proc/PID/fdinfo gives: a file there was its caller's. */
static bool is_outside(pid_t init, int fd, unsigned *mount)
{
	auto_free char *info = NULL, *mounts = NULL;
	struct ns_mountinfo m;
	char path[48], *rest;
	const char *at;
	struct err ignored = {0};
	int r;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", init, fd);
	if (file_read_at(AT_FDCWD, path, 65536, &info, &ignored) < 0)
		return false;
	at = strstr(info, "mnt_id:");
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", init);
	if (!at || sscanf(at, "mnt_id: %u", mount) != 1 ||
	    file_read_at(AT_FDCWD, path, NS_MOUNTINFO_MOST, &mounts, &ignored) < 0)
		return false;
	for (rest = mounts; (r = ns_mountinfo_next(&rest, &m));)
		if (r > 0 && m.id == *mount)
			return false;
	return true;
}

static bool is_pipe(const char *name)
{
	return strncmp(name, "pipe:[", strlen("pipe:[")) == 0;
}

/*
 * criu's name for what one of init's standard streams is outside of the container: "pipe:[123]", "file[1b:5a3]"; "": it is the container's own. Which pipe is the caller's was noted when the
 * container was made: init may have put one of the container's in its place. Where nothing was (it had a terminal), init's own pipe is taken for it.
 */
static int name_stream(struct ct *ct, int fd, char *name, size_t size, struct err *e)
{
	const char *made_with = json_string_value(json_array_get(ct->s.streams, (size_t)fd));
	char path[48];
	struct stat st;
	unsigned mount;
	ssize_t n;

	snprintf(name, size, "%s", made_with && is_pipe(made_with) ? made_with : "");
	if (name[0])
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", ct->s.pid, fd);
	if (stat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "look at descriptor %d of init", fd);
	if (S_ISFIFO(st.st_mode) && !made_with) {
		n = readlink(path, name, size - 1);
		name[n > 0 ? n : 0] = 0;
		if (!is_pipe(name)) /* a named one */
			name[0] = 0;
	}
	if (S_ISREG(st.st_mode) && is_outside(ct->s.pid, fd, &mount))
		snprintf(name, size, "file[%x:%llx]", mount, (unsigned long long)st.st_ino);
	if (!ct->s.terminal[0] && S_ISCHR(st.st_mode) && major(st.st_rdev) >= 136 &&
	    major(st.st_rdev) <= 143)
		snprintf(ct->s.terminal, sizeof(ct->s.terminal), "%llx:%llx",
			 (unsigned long long)st.st_rdev, (unsigned long long)st.st_dev);
	return 0;
}

static int look_at_streams(struct ct *ct, json_t *streams, struct err *e)
{
	for (int i = 0; i < 3; i++) {
		char name[64];

		if (name_stream(ct, i, name, sizeof(name), e) < 0)
			return -e->no;
		if (json_array_append_new(streams, json_string(name)) < 0)
			return err_set(e, ENOMEM, "note the standard streams: no memory");
	}
	return 0;
}

static int find_outside(const struct ct *ct, struct cr_bundle_words *w, struct err *e)
{
	for (size_t i = 0; i < CR_BUNDLE_OUTSIDE; i++) {
		char path[48];
		struct stat st;

		if (!w->spec->join[cr_bundle_outside[i].ns])
			continue;
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", ct->s.pid,
			 cr_bundle_outside[i].word);
		if (stat(path, &st) < 0)
			return err_sys(e, "look at the container's namespaces");
		w->inodes[i] = st.st_ino;
	}
	return 0;
}

/* A round of memory while it runs: nothing is decided, and nobody is asked. */
static int pre_dump(const struct ct *ct, int images, struct cr_bundle_words *w, struct err *e)
{
	auto_criu struct cr_criu c = CR_CRIU_INIT;
	auto_cg struct cg cg = CG_INIT;
	struct cr_paused paused = {0};
	int r = ct->s.cgroup[0] ? cg_open(ct->s.cgroup, &cg, e) : 0;

	if (r >= 0 && ct->s.cgroup[0])
		r = cr_paused_find(&paused, &cg, e);
	if (r >= 0)
		r = cr_criu_init(&c, "pre-dump", ERR_CHECKPOINT, images, e);
	if (r < 0)
		return r;
	cr_paused_add(&c, &paused);
	cr_criu_add(&c, "--tree");
	cr_criu_add(&c, "%d", ct->s.pid);
	cr_criu_add(&c, "--track-mem");
	add_checkpoint(&c, w);
	cr_criu_pass(&c, ct->lock);
	r = cr_criu_run(&c, NULL, e);
	cr_paused_keep(&paused);
	return r;
}

/* One that fails behind the freeze leaves it frozen (dump.h), unless it was paused before. */
static int dump_or_recover(const struct cr_dump *dump, bool paused, struct err *e)
{
	struct err why = {0};
	int r = cr_dump(dump, e);

	if (r < 0 && (paused ? cr_dump_mend(dump->ct, &why) : cr_dump_recover(dump->ct, &why)) < 0)
		log_warn("after a failed checkpoint: %s", why.text);
	return r;
}

int cr_bundle_judge_joined(const struct ct_spec *spec, struct err *e)
{
	static const enum ct_namespace never[] = {CT_NS_USER, CT_NS_MOUNT, CT_NS_CGROUP,
						  CT_NS_TIME};

	/* What CRIU neither saves nor finds again. */
	const char *member = spec->rdt.given	   ? "linux.intelRdt"
			     : spec->n_net_devices ? "linux.netDevices"
			     : spec->numa.given	   ? "linux.memoryPolicy"
						   : NULL;

	if (member) {
		err_set(e, EOPNOTSUPP,
			"a container with %s can be neither checkpointed nor restored", member);
		return err_class(e, ERR_UNSUPPORTED);
	}
	if (!spec->own[CT_NS_MOUNT] && !spec->join[CT_NS_MOUNT]) {
		err_set(e, EOPNOTSUPP,
			"a container in the host's mount namespace can be neither checkpointed nor restored");
		return err_class(e, ERR_UNSUPPORTED);
	}
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (spec->join[never[i]]) {
			err_set(e, EOPNOTSUPP,
				"a container in a %s namespace by its path can be neither checkpointed nor restored",
				ct_namespace_to_str(never[i]));
			return err_class(e, ERR_UNSUPPORTED);
		}
	return 0;
}

/* Its mount is of a directory that goes with the container, and its caller does not wait for a second READY=1. */
static int judge_notify(const struct ct *ct, struct err *e)
{
	if (faccessat(ct->dir, CT_NOTIFY_DIR, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	err_set(e, EOPNOTSUPP,
		"a container that was made with NOTIFY_SOCKET cannot be checkpointed");
	return err_class(e, ERR_UNSUPPORTED);
}

int cr_bundle_checkpoint(struct ct *ct, const struct ct_spec *spec, const struct cr_bundle *how,
			 struct err *e)
{
	auto_bundle_conf struct cr_bundle_conf conf = {0};
	struct cr_bundle all = *how;
	char criu[256];
	enum ct_status status;
	auto_fd int images = -EBADF;
	auto_json json_t *streams = json_array();
	struct cr_bundle_words w = {
		.how = &all, .conf = &conf, .spec = spec, .work = -EBADF, .streams = streams};
	struct cr_dump dump = {.ct = ct,
			       .leave_running = how->leave_running,
			       .unchecked = true,
			       .add = add_checkpoint,
			       .add_arg = &w};
	int r = cr_bundle_judge_joined(spec, e);

	if (r >= 0)
		r = judge_notify(ct, e);
	if (r >= 0)
		r = cr_bundle_conf_load(spec, &all, &conf, e);
	if (r >= 0)
		r = ct_may(ct, CT_EVENT_CHECKPOINT, &status, e);
	/* Without it nothing is made in the caller's directories. */
	if (r >= 0)
		r = cr_criu_find(criu, e);
	if (r >= 0)
		r = open_images(how, &images, e);
	if (r >= 0)
		r = cr_bundle_open_work(&w, e);
	if (r >= 0)
		r = find_outside(ct, &w, e);
	if (r >= 0)
		r = look_at_streams(ct, streams, e);
	if (r >= 0 && !how->pre_dump)
		r = json_save_at(images, CR_BUNDLE_DESCRIPTORS, streams, e);
	dump.images = images;
	if (r >= 0)
		r = how->pre_dump ? pre_dump(ct, images, &w, e)
				  : dump_or_recover(&dump, status == CT_PAUSED, e);
	own_close_fd(&w.work);
	return r;
}
