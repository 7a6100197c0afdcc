// SPDX-License-Identifier: GPL-2.0-only
/* What the operator sees of a system container: of the engine's state, its checkpoint and its migration. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "runtime/state.h"
#include "runtime/system.h"
#include "runtime/system_dir.h"
#include "runtime/system_doubt.h"

static const char *const words[] = {
#define X(name, word) [CT_SYSTEM_##name] = word,
	CT_SYSTEM_STATUSES(X)
#undef X
};

const char *ct_system_status_to_str(enum ct_system_status s)
{
	return (size_t)s < ARRAY_SIZE(words) ? words[s] : "?";
}

static bool has(const struct ct_system *s, const char *file)
{
	return faccessat(s->dir, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Whether another command works on it just now. */
static bool at_work(const struct ct_system *s)
{
	auto_fd int fd = -EBADF;

	if (s->lock >= 0)
		return false;
	fd = openat(s->dir, CT_LOCK_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* The engine's word; STOPPED when it knows none of this name, or one that is not ours. */
static int engine_status(const struct ct_system *s, enum ct_status *status, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;

	*status = CT_STOPPED;
	if (ct_open(s->host->state, s->d.name, NULL, &ct, e) < 0) {
		if (e->class != ERR_NO_SUCH_CT)
			return -e->no;
		err_clear(e);
		return 0;
	}
	return ct.s.system ? ct_status(&ct, status, e) : 0;
}

/* A container that lives is not in doubt: the journal of a migration that died in its first pass is cleared by the next command. */
static enum ct_system_status living(const struct ct_system *s, enum ct_system_status status)
{
	return has(s, CT_JOURNAL_FILE) && at_work(s) ? CT_SYSTEM_MIGRATING : status;
}

int ct_system_status(const struct ct_system *s, enum ct_system_status *status, struct err *e)
{
	enum ct_status engine;

	*status = CT_SYSTEM_BROKEN;
	if (ct_dir_kind(s->dir) != CT_DIR_CONTAINER) {
		*status = CT_SYSTEM_MIGRATING;
		return 0;
	}
	if (engine_status(s, &engine, e) < 0)
		return err_wrap(e, "container %s", s->d.name);
	switch (engine) {
	case CT_CREATING:
	case CT_CREATED:
		*status = living(s, CT_SYSTEM_STARTING);
		if (at_work(s))
			return 0;
		/* Who was starting it is dead: the next start, resume or stop clears what is there. */
		break;
	case CT_RUNNING:
		*status = living(s, CT_SYSTEM_RUNNING);
		return 0;
	case CT_PAUSED:
		/* Frozen by a live migration that was interrupted: it may run at the target. */
		*status = has(s, CT_JOURNAL_FILE) ? CT_SYSTEM_MIGRATING : CT_SYSTEM_PAUSED;
		/* By a suspend or a resume that was killed with all its helpers: none of its tasks has run since its images were complete, and they are what counts. */
		if (*status == CT_SYSTEM_PAUSED &&
		    has(s, CT_CHECKPOINT_DIR "/" CT_CHECKPOINT_MARKER))
			*status = CT_SYSTEM_SUSPENDED;
		return 0;
	case CT_STOPPED:
		break;
	}
	if (has(s, CT_JOURNAL_FILE))
		*status = ct_dir_is_kept(s->dir) ? CT_SYSTEM_MOVED : CT_SYSTEM_MIGRATING;
	else if (has(s, CT_CHECKPOINT_DIR "/" CT_CHECKPOINT_MARKER))
		*status = CT_SYSTEM_SUSPENDED;
	else
		*status = CT_SYSTEM_STOPPED;
	return 0;
}
