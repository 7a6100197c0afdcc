// SPDX-License-Identifier: GPL-2.0-only
/* Making a system container's directory: reserve, layers, definition last; for a create and for the target of a migration. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/limits.h"
#include "runtime/reservation.h"
#include "runtime/system.h"
#include "runtime/system_dir.h"
#include "storage/disk.h"
#include "storage/overlay.h"
#include "storage/template.h"

/* Picked addresses that somebody on the network has, before we give up. */
#define BUSY_MOST 16

/* One that is being made. */
struct making {
	const struct ct_host *host;
	struct ct_definition *d;
	int containers, dir, lock;
	int template_root;
};
#define MAKING_INIT(h, def)                                                                   \
	{                                                                                     \
		.host = (h), .d = (def), .containers = -EBADF, .dir = -EBADF, .lock = -EBADF, \
		.template_root = -EBADF                                                       \
	}

static void making_done(struct making *m)
{
	own_close_fd(&m->template_root);
	own_close_fd(&m->dir);
	own_close_fd(&m->lock);
	own_close_fd(&m->containers);
}
#define auto_making __attribute__((cleanup(making_done)))

static int exists(const char *name, enum ct_dir_kind kind, const char *verb, struct err *e)
{
	if (kind == CT_DIR_INCOMING) {
		err_set(e, EEXIST,
			"container %s is being received, or its migration was interrupted", name);
		err_hint(e, "finish that first, with `skepctl migrate %s --continue` or --abort %s",
			 name, strcmp(verb, "create") ? "there" : "here");
		return err_class(e, ERR_EXISTS);
	}
	err_class(e, ERR_EXISTS);
	if (strcmp(verb, "create") != 0) {
		err_set(e, EEXIST, "there is a container of this name already");
		return err_hint(e, "it must be destroyed there first, if it is not needed");
	}
	err_set(e, EEXIST, "there is a container %s already", name);
	return err_hint(e, "choose another name, or destroy it first");
}

/* An OCI container of this name in the same state directory: they could never run together. */
static int check_oci(const struct ct_host *h, const char *name, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	struct err why = {0};

	if (ct_open(h->state, name, NULL, &ct, &why) < 0 || ct.s.system)
		return 0;
	err_set(e, EEXIST, "there is an OCI container %s in %s", name, h->state);
	return err_class(e, ERR_EXISTS);
}

/* The empty, locked directory. What died in one of this name before is swept away. */
static int make_directory(struct making *m, const char *verb, struct err *e)
{
	const char *name = m->d->name;
	enum ct_dir_kind kind;

	m->containers = ct_host_containers(m->host, e);
	if (m->containers < 0 || check_oci(m->host, name, e) < 0)
		return -e->no;
	m->dir = ct_dir_open(m->containers, name, false, NULL, 0, NULL, e);
	if (m->dir < 0 && e->no)
		return -e->no;
	kind = m->dir >= 0 ? ct_dir_kind(m->dir) : CT_DIR_REMNANT;
	own_close_fd(&m->dir);
	if (kind >= CT_DIR_INCOMING)
		return exists(name, kind, verb, e);
	if (ct_dir_sweep(m->host, m->containers, NULL, e) < 0)
		return -e->no;
	m->dir = ct_dir_open(m->containers, name, true, verb, CT_LOCK_WAIT_MS, &m->lock, e);
	if (m->dir < 0)
		return -e->no;
	kind = ct_dir_kind(m->dir);
	if (kind == CT_DIR_REMNANT)
		return 0;
	/* Another create of this name was faster, or died in this moment. */
	own_close_fd(&m->dir);
	own_close_fd(&m->lock);
	if (kind >= CT_DIR_INCOMING)
		return exists(name, kind, verb, e);
	err_set(e, EWOULDBLOCK, "another create of container %s died just now", name);
	err_hint(e, "try again");
	return err_class(e, ERR_LOCKED);
}

static int save_as(int dir, const char *file, const struct ct_definition *d, struct err *e)
{
	auto_json json_t *j = NULL;

	if (ct_definition_to_json(d, &j, e) < 0)
		return -e->no;
	return json_save_at(dir, file, j, e);
}

/* Names and numbers, on record before the host lock is let go; the template's lock holds a remover off until then. */
static int reserve(struct making *m, enum ct_reserve how, const struct net_addr *busy,
		   size_t n_busy, struct err *e)
{
	auto_fd int lock = ct_host_lock(m->host, "create", e);
	auto_fd int templates = -EBADF;
	auto_fd int users = -EBADF;
	struct st_template info;

	if (lock < 0 || fault_at("create.reserve", e) < 0)
		return -e->no;
	if (ct_reserve(m->host, m->d, how, busy, n_busy, e) < 0)
		return -e->no;
	templates = ct_host_templates(m->host, e);
	if (templates < 0)
		return templates;
	users = st_template_lock(templates, "create", e);
	if (users < 0)
		return users;
	own_close_fd(&m->template_root);
	m->template_root = st_template_open(templates, m->d->template, &info, e);
	if (m->template_root < 0)
		return m->template_root;
	return save_as(m->dir, CT_DEFINITION_CREATING, m->d, e);
}

static bool was_picked(const struct ct_definition *given, unsigned n, size_t k)
{
	return ct_addr_unpicked(&given->nets[n].addrs[k]);
}

/*
 * Asks the network, without the host lock: that takes its time. A given address that somebody has is refused; a picked one is put into busy[], and 1
 * returned.
 */
static int ask_network(const struct making *m, const struct ct_definition *given,
		       struct net_addr *busy, size_t *n_busy, struct err *e)
{
	bool again = false;

	for (unsigned i = 0; i < m->d->net_count; i++)
		for (size_t k = 0; k < m->d->nets[i].addr_count; k++) {
			const struct net_addr *a = &m->d->nets[i].addrs[k];
			int r = ct_addr_busy(&m->d->nets[i], a, e);

			if (r < 0)
				return r;
			if (!r)
				continue;
			again = was_picked(given, i, k) && *n_busy < BUSY_MOST;
			if (again) {
				busy[(*n_busy)++] = *a;
				continue;
			}
			return ct_addr_refuse(&m->d->nets[i], a, r, e);
		}
	return again;
}

static int reserve_for_create(struct making *m, struct err *e)
{
	const struct ct_definition given = *m->d;
	struct net_addr busy[BUSY_MOST];
	size_t n_busy = 0;
	int r;

	do {
		*m->d = given;
		r = reserve(m, CT_RESERVE_CREATE, busy, n_busy, e);
		if (r >= 0)
			r = ask_network(m, &given, busy, &n_busy, e);
	} while (r == 1);
	return r;
}

static int make_layers(struct making *m, struct err *e)
{
	const struct ct_definition *d = m->d;
	auto_fd int mount = -EBADF;

	if (fault_at("create.layers", e) < 0)
		return -e->no;
	if (!d->disk_bytes)
		return st_layer_create(m->dir, d->id_base, m->template_root, NULL, NULL, e);
	if (st_disk_create(m->dir, "disk.img", d->disk_bytes, e) < 0)
		return -e->no;
	mount = st_disk_mount(m->dir, "disk.img", false, e);
	if (mount < 0)
		return mount;
	return st_layer_create(mount, d->id_base, m->template_root, NULL, NULL, e);
}

/* The moment in which it becomes what `file` says. */
static int finish(struct making *m, const char *file, struct err *e)
{
	if (fault_at("create.definition", e) < 0 || save_as(m->dir, file, m->d, e) < 0)
		return -e->no;
	if (unlinkat(m->dir, CT_DEFINITION_CREATING, 0) < 0 && errno != ENOENT)
		log_warn("container %s: remove %s: %s", m->d->name, CT_DEFINITION_CREATING,
			 strerror(errno));
	if (fsync(m->containers) < 0)
		return err_sys(e, "flush the containers' directory");
	return 0;
}

static int fail(struct making *m, struct err *e)
{
	struct err why = {0};

	if (ct_dir_retire(m->containers, m->d->name, m->dir, &why) < 0)
		log_warn("clean up after a failed create: %s", why.text);
	if (e->no == ENOSPC || e->no == EDQUOT)
		err_class(e, ERR_NO_SPACE);
	return err_wrap(e, "create container %s", m->d->name);
}

static int judge(const struct ct_host *h, const struct ct_definition *d, struct err *e)
{
	if (ct_definition_check(d, e) < 0)
		return -e->no;
	/* What the host cannot limit is said now, not at the first start. */
	return h->best_effort ? 0 : cg_limits_check(&d->limits, e);
}

int ct_system_create(const struct ct_host *h, struct ct_definition *d, struct err *e)
{
	auto_making struct making m = MAKING_INIT(h, d);
	int r;

	if (judge(h, d, e) < 0 || fault_at("create.directory", e) < 0 ||
	    make_directory(&m, "create", e) < 0)
		return -e->no;
	r = reserve_for_create(&m, e);
	if (r >= 0)
		r = make_layers(&m, e);
	if (r >= 0)
		r = finish(&m, CT_DEFINITION_FILE, e);
	return r < 0 ? fail(&m, e) : 0;
}

int ct_system_receive(const struct ct_host *h, struct ct_definition *d, struct ct_system *s,
		      struct err *e)
{
	auto_making struct making m = MAKING_INIT(h, d);
	int r;

	*s = (struct ct_system)CT_SYSTEM_INIT;
	if (judge(h, d, e) < 0 || make_directory(&m, "migrate", e) < 0)
		return -e->no;
	r = reserve(&m, CT_RESERVE_RECEIVE, NULL, 0, e);
	if (r >= 0)
		r = make_layers(&m, e);
	if (r >= 0)
		r = finish(&m, CT_DEFINITION_INCOMING, e);
	if (r < 0)
		return fail(&m, e);
	s->host = h;
	s->d = *d;
	s->dir = take_fd(&m.dir);
	s->lock = take_fd(&m.lock);
	return 0;
}

int ct_system_receive_open(const struct ct_host *h, const char *name, struct ct_system *s,
			   struct err *e)
{
	auto_fd int containers = -EBADF;

	*s = (struct ct_system)CT_SYSTEM_INIT;
	s->host = h;
	containers = ct_dir_parent(h, name, e);
	if (containers < 0)
		return containers;
	s->dir = ct_dir_open(containers, name, false, "migrate", CT_LOCK_WAIT_MS, &s->lock, e);
	if (s->dir >= 0 && ct_dir_kind(s->dir) == CT_DIR_INCOMING)
		ct_definition_load_as(s->dir, CT_DEFINITION_INCOMING, &s->d, e);
	else if (!e->no) {
		err_set(e, ENOENT, "no container %s is being received here", name);
		err_class(e, ERR_NO_SUCH_CT);
	}
	if (e->no)
		ct_system_close(s);
	return -e->no;
}

int ct_system_receive_commit(struct ct_system *s, struct err *e)
{
	auto_fd int dir = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* Renamed, not written: it may run already, and the disk may be full. One that a killed commit has renamed is a container by that. */
	if (dir < 0 ||
	    (renameat(dir, CT_DEFINITION_INCOMING, dir, CT_DEFINITION_FILE) < 0 &&
	     (errno != ENOENT || faccessat(dir, CT_DEFINITION_FILE, F_OK, 0) < 0)) ||
	    fsync(dir) < 0)
		return err_sys(e, "take over container %s", s->d.name);
	return 0;
}

int ct_system_receive_abort(struct ct_system *s, struct err *e)
{
	auto_fd int containers = ct_host_containers(s->host, e);
	int r = containers;

	if (r >= 0)
		r = ct_dir_retire(containers, s->d.name, s->dir, e);
	ct_system_close(s);
	return r < 0 ? r : 0;
}
