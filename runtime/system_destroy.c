// SPDX-License-Identifier: GPL-2.0-only
/* The end of a system container's data, and of what a dead create or destroy has left. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/own.h"
#include "runtime/container.h"
#include "runtime/system.h"
#include "runtime/system_dir.h"
#include "runtime/system_doubt.h"

static int refuse(int dir, enum ct_dir_kind kind, const char *name, struct err *e)
{
	if (kind == CT_DIR_INCOMING) {
		err_set(e, EBUSY,
			"container %s: it is being received, or its migration was interrupted",
			name);
		err_hint(e, "finish it with `skepctl migrate %s --continue`; --force loses it",
			 name);
		return err_class(e, ERR_IN_DOUBT);
	}
	if (faccessat(dir, CT_JOURNAL_FILE, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	ct_dir_in_doubt(dir, name, e);
	return err_wrap(e, "container %s", name);
}

static bool is_incoming(int containers, const char *name)
{
	auto_fd int dir = openat(containers, name,
				 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return dir >= 0 && ct_dir_kind(dir) == CT_DIR_INCOMING;
}

/* What was to be removed was on its way, and while its lock was waited for it has arrived: it runs here, and nowhere else. */
static int arrived(const char *name, struct err *e)
{
	err_set(e, EBUSY,
		"container %s: it has just been received, and is a container of this host now",
		name);
	err_hint(e, "`skepctl destroy --force %s` once more removes it", name);
	return err_class(e, ERR_LOCKED);
}

/*
 * Nothing runs any more when the directory goes, and it goes by one rename: killed before it, we leave a stopped container; after it, a hidden directory
 * that is swept.
 */
static int destroy(const struct ct_host *h, int containers, const char *name, bool force,
		   struct err *e)
{
	bool incoming = is_incoming(containers, name);
	auto_fd int lock = -EBADF;
	auto_fd int dir =
		ct_dir_open(containers, name, false, "destroy", CT_LOCK_WAIT_MS, &lock, e);
	enum ct_dir_kind kind;

	if (dir < 0)
		return dir;
	kind = ct_dir_kind(dir);
	if (incoming && kind == CT_DIR_CONTAINER)
		return arrived(name, e);
	/* We have the lock: whoever was making it is dead. */
	if (kind < CT_DIR_INCOMING)
		force = true;
	if (!force && refuse(dir, kind, name, e) < 0)
		return -e->no;
	if (fault_at("destroy.end", e) < 0 || ct_dir_end(h, name, force, e) < 0)
		return -e->no;
	return ct_dir_retire(containers, name, dir, e);
}

int ct_system_remove(struct ct_system *s, struct err *e)
{
	auto_fd int containers = ct_host_containers(s->host, e);
	const struct ct_host *h = s->host;
	char name[sizeof(s->d.name)];
	int r = containers;

	memcpy(name, s->d.name, sizeof(name));
	if (r >= 0)
		r = fault_at("destroy.end", e);
	if (r >= 0)
		r = ct_dir_end(h, name, true, e);
	if (r >= 0)
		r = ct_dir_retire(containers, name, s->dir, e);
	ct_system_close(s);
	if (r >= 0)
		r = ct_dir_sweep(h, containers, name, e);
	return r < 0 ? r : 0;
}

int ct_system_destroy(const struct ct_host *h, const char *name, bool force, struct err *e)
{
	auto_fd int containers = -EBADF;
	int r, swept;

	containers = ct_dir_parent(h, name, e);
	if (containers < 0)
		return containers;
	if (force)
		ct_system_hasten(h, name);
	r = destroy(h, containers, name, force, e);
	if (r < 0 && e->no)
		return r;
	swept = ct_dir_sweep(h, containers, name, e);
	if (swept < 0)
		return swept;
	if (r == -ENOENT && !swept) {
		err_set(e, ENOENT, "there is no container %s in %s", name, h->root);
		return err_class(e, ERR_NO_SUCH_CT);
	}
	return 0;
}
