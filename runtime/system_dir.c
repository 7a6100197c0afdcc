// SPDX-License-Identifier: GPL-2.0-only
/* Directories of system containers. */
#include "runtime/system_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "runtime/container.h"
#include "runtime/monitor_group.h"
#include "storage/tree.h"

#define GONE ".gone-"

/* How many removed containers of one name may wait for their directories' end. */
#define TRIES 64

static bool has(int dir, const char *file)
{
	return faccessat(dir, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int ct_dir_parent(const struct ct_host *h, const char *name, struct err *e)
{
	if (path_name_check("container", name, e) < 0)
		return -e->no;
	return ct_host_containers(h, e);
}

enum ct_dir_kind ct_dir_kind(int dir)
{
	if (has(dir, CT_DEFINITION_FILE))
		return CT_DIR_CONTAINER;
	if (has(dir, CT_DEFINITION_INCOMING))
		return CT_DIR_INCOMING;
	return has(dir, CT_DEFINITION_CREATING) ? CT_DIR_CREATING : CT_DIR_REMNANT;
}

int ct_dir_load(int dir, enum ct_dir_kind *kind, struct ct_definition *d, struct err *e)
{
	static const char *const files[] = {[CT_DIR_CREATING] = CT_DEFINITION_CREATING,
					    [CT_DIR_INCOMING] = CT_DEFINITION_INCOMING,
					    [CT_DIR_CONTAINER] = CT_DEFINITION_FILE};

	*kind = ct_dir_kind(dir);
	return *kind == CT_DIR_REMNANT ? 0 : ct_definition_load_as(dir, files[*kind], d, e);
}

/* Whether dir is what the name means now: its holder may have taken it away while we waited for the lock in it. */
static bool still_named(int containers, const char *name, int dir)
{
	struct stat ours, named;

	return fstat(dir, &ours) == 0 &&
	       fstatat(containers, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

bool ct_dir_is_stopping(int dir)
{
	char verb[32];

	return lock_last_verb_at(dir, CT_LOCK_FILE, verb, sizeof(verb)) >= 0 &&
	       (!strcmp(verb, "stop") || !strcmp(verb, "restart"));
}

int ct_dir_open(int containers, const char *name, bool make, const char *verb, int wait_ms,
		int *lock, struct err *e)
{
	for (struct lock_tries t = {0}; lock_try_again(&t, wait_ms);) {
		auto_fd int dir = -EBADF;
		auto_fd int fd = -EBADF;
		struct err why = {0};

		if (make && mkdirat(containers, name, 0700) < 0 && errno != EEXIST)
			return err_sys(e, "make the directory of container %s", name);
		dir = openat(containers, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir < 0 && errno == ENOENT && make)
			continue;
		if (dir < 0)
			return errno == ENOENT
				       ? -ENOENT
				       : err_sys(e, "open the directory of container %s", name);
		if (!verb)
			return take_fd(&dir);
		fd = lock_take_at(dir, CT_LOCK_FILE, verb, wait_ms, &why);
		if (!still_named(containers, name, dir))
			continue;
		if (fd < 0) {
			if (why.class == ERR_LOCKED && ct_dir_is_stopping(dir))
				snprintf(why.hint, sizeof(why.hint),
					 "skepctl stop --kill %s ends that wait", name);
			err_wrap(&why, "container %s", name);
			*e = e->no ? *e : why;
			return -why.no;
		}
		*lock = take_fd(&fd);
		return take_fd(&dir);
	}
	return err_set(e, EAGAIN, "container %s is made and destroyed all the time", name);
}

/* A free name of its kind: one of an earlier container of that name may not be removed yet. */
static int hide(int containers, const char *name, char gone[128], struct err *e)
{
	for (int n = 0; n < TRIES; n++) {
		snprintf(gone, 128, GONE "%s.%d", name, n);
		if (renameat2(containers, name, containers, gone, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return err_sys(e, "take away the directory of container %s", name);
	}
	return err_set(e, EEXIST, "container %s: its earlier directories cannot be removed", name);
}

int ct_dir_retire(int containers, const char *name, int dir, struct err *e)
{
	char gone[128];

	/* Against a sweep: it would else remove what we are removing, and one of us would stumble over the other. */
	if (flock(dir, LOCK_EX | LOCK_NB) < 0)
		return err_sys(e, "lock the directory of container %s", name);
	if (fault_at("destroy.hide", e) < 0 || hide(containers, name, gone, e) < 0)
		return -e->no;
	/* Before its content goes: after a power failure it must not stand there as a container without its files. */
	if (fsync(containers) < 0)
		return err_sys(e, "flush the containers' directory");
	if (fault_at("destroy.remove", e) < 0)
		return -e->no;
	if (st_tree_remove(containers, gone, e) < 0)
		return err_wrap(e, "remove the files of container %s", name);
	return 0;
}

/* Whoever removes it has it locked. When we got the lock because he has done, the name may be that of the next one. */
static void sweep_gone(int containers, const char *gone)
{
	auto_fd int dir = openat(containers, gone, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct err why = {0};

	if (dir < 0 || flock(dir, LOCK_EX | LOCK_NB) < 0 || !still_named(containers, gone, dir))
		return;
	if (st_tree_remove(containers, gone, &why) < 0)
		log_warn("%s stays: %s", gone, why.text);
}

/* The engine's own refusal says how to go on. */
int ct_dir_end(const struct ct_host *h, const char *name, bool force, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;

	int r = force ? ct_open_to_end(h->state, name, "destroy", &ct, e)
		      : ct_open(h->state, name, "destroy", &ct, e);

	if (r < 0) {
		if (e->class != ERR_NO_SUCH_CT)
			return -e->no;
		err_clear(e);
		/* Of a start that was killed before the engine knew of it. */
		ct_monitor_group_remove(name, h->state);
		return 0;
	}
	return ct_state_is_system(&ct) ? ct_delete(&ct, force, e) : 0;
}

/* 1: it was a remnant of a dead process, and is gone. */
static int sweep_remnant(const struct ct_host *h, int containers, const char *name)
{
	struct err why = {0};
	auto_fd int lock = -EBADF;
	auto_fd int dir = ct_dir_open(containers, name, false, NULL, 0, NULL, &why);

	if (dir < 0 || ct_dir_kind(dir) >= CT_DIR_INCOMING)
		return 0;
	own_close_fd(&dir);
	/* Whoever works on it has the lock. */
	dir = ct_dir_open(containers, name, false, "sweep", 0, &lock, &why);
	if (dir < 0 || ct_dir_kind(dir) >= CT_DIR_INCOMING)
		return 0;
	if (ct_dir_end(h, name, true, &why) < 0 || ct_dir_retire(containers, name, dir, &why) < 0) {
		log_warn("what is left of container %s stays: %s", name, why.text);
		return 0;
	}
	return 1;
}

static bool is_of(const char *gone, const char *name)
{
	size_t n = name ? strlen(name) : 0;

	return n && !strncmp(gone + strlen(GONE), name, n) && gone[strlen(GONE) + n] == '.';
}

int ct_dir_sweep(const struct ct_host *h, int containers, const char *name, struct err *e)
{
	auto_fd int again = openat(containers, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = again >= 0 ? fdopendir(again) : NULL;
	struct dirent *entry;
	int found = 0;

	if (!d)
		return err_sys(e, "read the containers' directory");
	take_fd(&again);
	while ((entry = readdir(d))) {
		if (!strncmp(entry->d_name, GONE, strlen(GONE))) {
			sweep_gone(containers, entry->d_name);
			found |= is_of(entry->d_name, name);
		} else if (path_name_ok(entry->d_name) &&
			   sweep_remnant(h, containers, entry->d_name)) {
			found |= name && !strcmp(entry->d_name, name);
		}
	}
	return found;
}
