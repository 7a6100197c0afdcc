// SPDX-License-Identifier: GPL-2.0-only
/* The directory STATE/ID: made, found, locked, walked, taken away. */
#include "runtime/state.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/err.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "runtime/hook.h"
#include "runtime/remains.h"

static int no_such(const char *state_root, const char *id, struct err *e)
{
	err_set(e, ENOENT, "no container '%s' in %s", id, state_root);
	return err_class(e, ERR_NO_SUCH_CT);
}

/* Fd of the state root; made when `make`, else -ENOENT with e untouched. */
static int open_root(const char *state_root, bool make, struct err *e)
{
	int fd = open(state_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 || (errno == ENOENT && !make))
		return fd >= 0 ? fd : -ENOENT;
	if (errno != ENOENT)
		return err_sys(e, "open state directory %s", state_root);
	fd = file_mkdirs_at(AT_FDCWD, state_root, 0700, e);
	return fd >= 0 ? fd : err_wrap(e, "state directory %s", state_root);
}

/* In a state root that others may write to, as one in /tmp, a directory of somebody else's would tell us what to execute, to kill and to remove (as in CVE-2015-1331). */
static int is_ours(int dir, const char *id, struct err *e)
{
	struct stat st;

	if (fstat(dir, &st) < 0)
		return err_sys(e, "stat the state of container %s", id);
	if (st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	err_set(e, EPERM, "the state of container %s is user %u's, or others may write to it", id,
		st.st_uid);
	return err_hint(e, "it was not made by us: remove it, or choose another --root");
}

static int open_id(int root, const char *id, struct err *e)
{
	auto_fd int fd = openat(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0)
		return err_sys(e, "open the state of container %s", id);
	return is_ours(fd, id, e) < 0 ? -e->no : take_fd(&fd);
}

/* Whether dir is what the name ID means now. Its holder may have deleted it while we waited for the lock in it. */
static bool still_named(int root, const char *id, int dir)
{
	struct stat ours, named;

	return fstat(dir, &ours) == 0 && fstatat(root, id, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/* Locks dir. 1: locked; 0: it is no longer the one named ID, look again. */
static int lock_id(int root, const char *id, int dir, const char *verb, int *lock, struct err *e)
{
	struct err why = {0};
	auto_fd int fd = lock_take_at(dir, CT_LOCK_FILE, verb, CT_LOCK_WAIT_MS, &why);

	if (!still_named(root, id, dir))
		return 0;
	if (fd < 0) {
		err_wrap(&why, "container %s", id);
		if (!e->no)
			*e = why;
		return -why.no;
	}
	*lock = take_fd(&fd);
	return 1;
}

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* In crun's words. */
static int invalid_id(const char *id, struct err *e)
{
	size_t good = strspn(id, ALNUM) ? strspn(id, ALNUM "_.+-") : 0;
	unsigned char bad = (unsigned char)id[good];

	if (!bad)
		err_set(e, EINVAL, "invalid container ID '%.80s': invalid length", id);
	else
		err_set(e, EINVAL,
			bad > ' ' && bad < 0x7f
				? "invalid container ID '%.80s': invalid character `%c` in the ID"
				: "invalid container ID '%.80s': invalid character 0x%02x in the ID",
			id, bad);
	err_hint(e, "it is 1 to 64 letters, digits, _ . + -, and starts with a letter or digit");
	return err_class(e, ERR_VALUE);
}

static int prepare(struct ct *ct, const char *state_root, const char *id, struct err *e)
{
	*ct = (struct ct)CT_INIT;
	if (!path_name_ok(id))
		return invalid_id(id, e);
	if (strlen(state_root) >= sizeof(ct->state_root))
		return err_set(e, ENAMETOOLONG, "state directory too long: %.64s...", state_root);
	snprintf(ct->state_root, sizeof(ct->state_root), "%s", state_root);
	snprintf(ct->s.id, sizeof(ct->s.id), "%s", id);
	return 0;
}

/*
 * The hooks of a delete that was killed before they were through. Its lock is in there: who has it is about to run them, and we wait for it as for every command on a name; one that takes longer runs them
 * to the end without what is in its directory.
 */
static void end_gone(int root, const char *gone, const char *id)
{
	auto_ct struct ct ct = CT_INIT;
	struct err why = {0};

	ct.dir = openat(root, gone, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (ct.dir < 0 || !ct_hooks_are_kept(&ct))
		return;
	ct.lock = lock_take_at(ct.dir, CT_LOCK_FILE, "delete", CT_LOCK_WAIT_MS, &why);
	if (ct.lock < 0)
		return;
	snprintf(ct.s.id, sizeof(ct.s.id), "%s", id);
	if (ct_state_reload(&ct, &why) < 0)
		log_warn("%s", why.text);
	ct_hooks_end(&ct);
}

/*
 * What a delete that was killed after its rename left of an earlier container of this name. This directory has no lock: while
 * we empty it, another delete may rename the next container onto it (onto an empty one it may), and a monitor that holds it
 * may note in it how init ended. Either shows as ENOTEMPTY, and means that somebody else has come a step further.
 */
static int sweep_gone(int root, const char *id, struct err *e)
{
	char gone[80];

	snprintf(gone, sizeof(gone), ".gone-%s", id);
	if (faccessat(root, gone, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	end_gone(root, gone, id);
	for (struct lock_tries t = {0}; lock_try_again(&t, CT_LOCK_WAIT_MS);) {
		if (file_remove_tree_at(root, gone, e) >= 0 || e->no != ENOTEMPTY)
			return -e->no;
		err_clear(e);
	}
	return file_remove_tree_at(root, gone, e);
}

/* Takes the name away. ENOTEMPTY: see sweep_gone(). */
static int hide(int root, const char *id, struct err *e)
{
	char gone[80];

	snprintf(gone, sizeof(gone), ".gone-%s", id);
	for (struct lock_tries t = {0}; lock_try_again(&t, CT_LOCK_WAIT_MS);) {
		if (renameat(root, id, root, gone) == 0 || errno == ENOENT)
			return 0;
		if (errno != ENOTEMPTY && errno != EEXIST)
			break;
		if (sweep_gone(root, id, e) < 0)
			return -e->no;
	}
	return err_sys(e, "remove the state of container %s", id);
}

/* In a locked directory: is there a container, or what is left of one whose creator died? */
static int judge_old(struct ct *ct, struct err *e)
{
	enum ct_status status;

	if (ct_state_reload(ct, e) < 0)
		return err_class(e, ERR_EXISTS);
	/* We have the lock: who wrote CREATING is dead, and with it its init. */
	if (ct->s.status == CT_CREATING || ct->s.stale) {
		if (ct_remains_clean(ct, e) < 0)
			return -e->no;
		ct_hooks_end(ct);
		return 0;
	}
	if (ct_status(ct, &status, e) < 0)
		return -e->no;
	err_set(e, EEXIST, "container %s exists and is %s", ct->s.id, ct_status_to_str(status));
	err_hint(e, "delete it first, or choose another name");
	return err_class(e, ERR_EXISTS);
}

/* RFC 3339 in UTC. Not gmtime(3), which reads /etc/localtime first. From the number of days by Hinnant's chrono-Compatible Low-Level Date Algorithms. */
static void say_time(time_t now, char out[40])
{
	unsigned days = (unsigned)(now / 86400) + 719468, secs = (unsigned)(now % 86400);
	unsigned era = days / 146097, doe = days % 146097;
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	unsigned month = mp < 10 ? mp + 3 : mp - 9;

	snprintf(out, 40, "%04u-%02u-%02uT%02u:%02u:%02uZ", yoe + era * 400 + (month <= 2), month,
		 doy - (153 * mp + 2) / 5 + 1, secs / 3600, secs / 60 % 60, secs % 60);
}

/* No ledger. Who finds no state.json here takes us for one that died before its first intent, which is what we would be. */
static int begin(struct ct *ct, const char *id, bool fresh, struct err *e)
{
	if (!fresh && ((unlinkat(ct->dir, CT_LEDGER_FILE, 0) < 0 && errno != ENOENT) ||
		       (unlinkat(ct->dir, CT_EXIT_FILE, 0) < 0 && errno != ENOENT) ||
		       (unlinkat(ct->dir, CT_START_SOCKET, 0) < 0 && errno != ENOENT) ||
		       (unlinkat(ct->dir, CT_STATE_FILE, 0) < 0 && errno != ENOENT)))
		return err_sys(e, "remove the state of an earlier container %s", id);
	ct_state_drop(&ct->s);
	ct->s = (struct ct_state){.status = CT_CREATING};
	snprintf(ct->s.id, sizeof(ct->s.id), "%s", id);
	say_time(time(NULL), ct->s.created);
	return 0;
}

int ct_state_new(const char *state_root, const char *id, const char *verb, struct ct *ct,
		 struct err *e)
{
	auto_fd int root = -EBADF;
	int r = prepare(ct, state_root, id, e);

	if (r < 0)
		return r;
	root = open_root(state_root, true, e);
	if (root < 0 || sweep_gone(root, id, e) < 0)
		return -e->no;
	for (struct lock_tries t = {0}; lock_try_again(&t, CT_LOCK_WAIT_MS);) {
		bool made = mkdirat(root, id, 0700) == 0, fresh;

		if (!made && errno != EEXIST)
			return err_sys(e, "make the state of container %s", id);
		ct->dir = open_id(root, id, e);
		r = ct->dir < 0 ? (e->no ? -e->no : 0)
				: lock_id(root, id, ct->dir, verb, &ct->lock, e);
		/* Even if we made it, somebody may have had the lock before us: what is in it decides. */
		/* What we made ourselves and nobody has saved a state in is as we made it: a state comes before all else. */
		fresh = r == 1 && made && faccessat(ct->dir, CT_STATE_FILE, F_OK, 0) < 0;
		if (r == 1 && !fresh)
			r = judge_old(ct, e);
		else if (r == 0) {
			ct_close(ct);
			prepare(ct, state_root, id, e);
			continue;
		}
		if (r >= 0)
			r = begin(ct, id, fresh, e);
		if (r < 0)
			ct_close(ct);
		return r;
	}
	return err_set(e, EAGAIN, "container %s is made and deleted all the time", id);
}

/* 0, or why not. A state that cannot be read is, when anything goes, one of which we know nothing but its ledger. */
static int read_state(struct ct *ct, bool anything, struct err *e)
{
	struct err why = {0};

	if (ct_state_reload(ct, &why) >= 0)
		return 0;
	if (anything && why.class == ERR_CONFIG) {
		log_warn("%s", why.text);
		return 0;
	}
	if (!e->no)
		*e = why;
	return -why.no;
}

static int open_locked(const char *state_root, const char *id, const char *verb, bool anything,
		       struct ct *ct, struct err *e)
{
	auto_fd int root = -EBADF;
	int r = prepare(ct, state_root, id, e);

	if (r < 0)
		return r;
	root = open_root(state_root, false, e);
	if (root < 0)
		return e->no ? -e->no : no_such(state_root, id, e);
	for (struct lock_tries t = {0}; lock_try_again(&t, CT_LOCK_WAIT_MS);) {
		ct->dir = open_id(root, id, e);
		if (ct->dir == -ENOENT && verb && sweep_gone(root, id, e) < 0)
			return -e->no;
		if (ct->dir < 0)
			return e->no ? -e->no : no_such(state_root, id, e);
		r = verb ? lock_id(root, id, ct->dir, verb, &ct->lock, e) : 1;
		if (r == 1)
			r = read_state(ct, anything, e) < 0 ? -e->no : 1;
		if (r == 1) {
			ct->found = true;
			return 0;
		}
		ct_close(ct);
		if (r < 0)
			return r;
		prepare(ct, state_root, id, e);
	}
	return err_set(e, EAGAIN, "container %s is made and deleted all the time", id);
}

int ct_open(const char *state_root, const char *id, const char *verb, struct ct *ct, struct err *e)
{
	return open_locked(state_root, id, verb, false, ct, e);
}

int ct_open_to_end(const char *state_root, const char *id, const char *verb, struct ct *ct,
		   struct err *e)
{
	return open_locked(state_root, id, verb, true, ct, e);
}

void ct_state_show(const struct ct *ct)
{
	if (!ct->s.system && symlinkat(CT_STATE_FILE, ct->dir, CT_STATUS_LINK) < 0 &&
	    errno != EEXIST)
		log_warn("container %s: make " CT_STATUS_LINK ": %s", ct->s.id, strerror(errno));
}

void ct_state_drop(struct ct_state *s)
{
	json_decref(s->annotations);
	json_decref(s->listener);
	json_decref(s->streams);
	s->annotations = s->listener = s->streams = NULL;
}

void ct_close(struct ct *ct)
{
	own_close_fd(&ct->dir);
	own_close_fd(&ct->lock);
	ct_state_drop(&ct->s);
}

bool ct_state_is_system(const struct ct *ct)
{
	return ct->s.system || (ct->lock >= 0 && ct->s.status == CT_CREATING);
}

/* What most containers leave, by name: to list the directory takes longer. 0: it is gone. */
static int remove_usual(int root, const struct ct *ct)
{
	static const char *const files[] = {CT_STATUS_LINK, CT_STATE_FILE, CT_LEDGER_FILE,
					    CT_CONFIG_FILE, CT_LOCK_FILE};
	char gone[80];

	snprintf(gone, sizeof(gone), ".gone-%s", ct->s.id);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (unlinkat(ct->dir, files[i], 0) < 0 && errno != ENOENT)
			return -errno;
	return unlinkat(root, gone, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

int ct_state_remove(struct ct *ct, struct err *e)
{
	auto_fd int root = open_root(ct->state_root, false, e);

	if (root < 0)
		return e->no ? -e->no : 0;
	if (hide(root, ct->s.id, e) < 0)
		return -e->no;
	ct_hooks_end(ct);
	if (remove_usual(root, ct) == 0)
		return 0;
	return sweep_gone(root, ct->s.id, e);
}

static int is_container(const struct dirent *d)
{
	return path_name_ok(d->d_name) && (d->d_type == DT_DIR || d->d_type == DT_UNKNOWN);
}

int ct_each(const char *state_root, int (*fn)(struct ct *ct, void *arg, struct err *e), void *arg,
	    struct err *e)
{
	struct dirent **found = NULL;
	int count = scandir(state_root, &found, is_container, alphasort);
	int r = 0;

	if (count < 0)
		return errno == ENOENT ? 0 : err_sys(e, "read state directory %s", state_root);
	for (int i = 0; i < count; i++) {
		auto_ct struct ct ct = CT_INIT;
		struct err broken = {0};

		if (r >= 0 && ct_open(state_root, found[i]->d_name, NULL, &ct, &broken) >= 0)
			r = fn(&ct, arg, e);
		else if (broken.no && broken.class != ERR_NO_SUCH_CT)
			log_warn("%s", broken.text);
		free(found[i]);
	}
	free(found);
	return r < 0 ? r : 0;
}
