// SPDX-License-Identifier: GPL-2.0-only
/* What becomes of a received container when the conversation was interrupted. */
#include "checkpoint/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "base/proc.h"
#include "checkpoint/home.h"
#include "checkpoint/journal.h"
#include "checkpoint/life.h"
#include "checkpoint/pages_daemon.h"
#include "checkpoint/suspend.h"
#include "checkpoint/uffd_allow.h"
#include "net/netns.h"
#include "runtime/container.h"

static int answer(json_t **state, bool taken, bool runs, bool gone, const char *moved_to,
		  struct err *e)
{
	*state = json_pack("{s:b, s:b, s:b, s:b, s:s}", "taken", taken, "runs", runs, "gone", gone,
			   "hungry", false, "moved_to", moved_to);
	return *state ? 0 : err_set(e, ENOMEM, "answer: out of memory");
}

/* Opens what is being received: 1; 0: nothing is. */
static int open_incoming(const struct ct_host *h, const char *name, struct ct_system *s,
			 struct err *e)
{
	int r = ct_system_receive_open(h, name, s, e);

	if (r < 0 && e->class == ERR_NO_SUCH_CT) {
		err_clear(e);
		return 0;
	}
	return r < 0 ? r : 1;
}

/* Opens what is there under the name, received or a container: 1; 0: nothing. */
static int open_any(const struct ct_host *h, const char *name, struct ct_system *s, struct err *e)
{
	int r = open_incoming(h, name, s, e);

	if (r == 0)
		r = ct_system_open(h, name, "migrate", s, e);
	if (r < 0 && e->class == ERR_NO_SUCH_CT) {
		err_clear(e);
		return 0;
	}
	return r < 0 ? r : 1;
}

static bool runs(const struct ct_system *s)
{
	struct err ignored = {0};
	enum cr_life life;

	return cr_life_now(s, &life, &ignored) >= 0 && life == CR_LIFE_RUNNING;
}

/* When it was let go the link may have been dead, and the switches still send to its old place what is for it. */
static void announce(struct ct_system *s)
{
	auto_ct struct ct ct = CT_INIT;
	auto_fd int netns = -EBADF;
	struct err why = {0};
	int r = ct_open(s->host->state, s->d.name, NULL, &ct, &why);

	if (r >= 0)
		r = netns = net_netns_open(ct.s.pid, &why);
	if (r >= 0)
		r = ct_system_announce(s, &ct, netns, &why);
	if (r < 0)
		log_info("announce %s: %s", s->d.name, why.text);
}

/* A received and taken one becomes a container that is what it was; one that is a container already stays what it is. */
static int finish(struct ct_system *s, struct err *e)
{
	struct cr_journal j;
	int r = cr_journal_load(s->dir, &j, e);

	if (r < 0 || (r > 0 && j.point != CR_POINT_RECEIVING))
		return r < 0 ? r : 0;
	if (ct_system_receive_commit(s, e) < 0)
		return -e->no;
	if (r && cr_life_restore(s, j.mode, j.was, e) < 0)
		return -e->no;
	if (runs(s))
		announce(s);
	return 0;
}

/*
 * A record alone does not make one of a live mode ours: its memory was in the hands of who restored it, and is gone with him. The marker goes before its first
 * instruction; as long as it is there the source, where it is frozen, has the only copy. 1: so it is.
 */
static int never_ran(const struct ct_system *s, struct err *e)
{
	struct cr_journal j;
	int r = cr_journal_load(s->dir, &j, e);

	if (r <= 0 || j.point != CR_POINT_RECEIVING || !cr_mode_is_live(j.mode) ||
	    j.was != CR_LIFE_RUNNING)
		return r < 0 ? r : 0;
	return cr_checkpoint_exists(s, e);
}

/* The record came to disk at once, the files before it may not have: whether they did is lost with that run of the host. */
static int torn(const struct cr_taken *t, struct err *e)
{
	err_set(e, EUCLEAN, "this host took %s, and went down before all of it was on its disk",
		t->name);
	err_hint(
		e,
		"the source's copy is whole: destroy --force it here, then `skepctl migrate %s --abort` on the source; or destroy --force it there",
		t->name);
	return err_class(e, ERR_IN_DOUBT);
}

static int check_torn(const struct cr_taken *t, struct err *e)
{
	char boot[CR_BOOT_SIZE];

	if (t->flushed || !t->boot[0])
		return 0;
	if (cr_home_boot(boot, e) < 0)
		return -e->no;
	return strcmp(t->boot, boot) != 0 ? torn(t, e) : 0;
}

int cr_settle_flush(const struct ct_system *s, const char *token, struct err *e)
{
	const char *root = s->host->root;
	struct err why = {0};
	struct cr_taken t;
	int r = cr_taken_load(root, token, &t, e);

	if (r >= 0 && t.flushed)
		return 0;
	if (r > 0)
		r = check_torn(&t, e);
	if (r >= 0 && syncfs(s->dir) < 0)
		r = err_sys(e, "flush the container's files");
	if (r < 0)
		return r;
	/* On a full disk there is no room for that: another question flushes again. */
	t.flushed = true;
	if (t.name[0] && cr_taken_save(root, token, &t, &why) < 0)
		log_info("%s", why.text);
	return 0;
}

/* Whether it still waits for memory. */
static bool is_hungry(const struct ct_system *s)
{
	auto_ct struct ct ct = CT_INIT;
	struct err ignored = {0};

	return ct_open(s->host->state, s->d.name, NULL, &ct, &ignored) >= 0 &&
	       cr_pages_resident(ct.dir, &ignored) == 0;
}

int cr_settle_started(const struct ct_host *h, const char *token, struct err *e)
{
	struct cr_taken t;
	int r = cr_taken_load(h->root, token, &t, e);

	if (r <= 0 || !t.start)
		return r < 0 ? r : 0;
	t.start = false;
	return cr_taken_save(h->root, token, &t, e);
}

/* It became a container, and who should have started it died. */
static int start(struct ct_system *s, const char *token, const struct cr_taken *t, struct err *e)
{
	enum cr_life now;
	int r = t->start ? cr_life_now(s, &now, e) : 0;

	if (r < 0 || !t->start)
		return r;
	if (now == CR_LIFE_STOPPED && ct_system_start(s, e) < 0)
		return -e->no;
	return cr_settle_started(s->host, token, e);
}

static int remove_received(struct ct_system *s, struct err *e)
{
	int r = cr_life_clean(s, e);

	/* What a restore that was killed has left of the host's settings. */
	if (r >= 0)
		r = cr_uffd_mend(e);

	return r < 0 ? r : ct_system_receive_abort(s, e);
}

/* Taken, and never run: what is here goes, and the record last. The source hears that it has it. */
static int give_back(struct ct_system *s, const char *token, json_t **state, struct err *e)
{
	const char *root = s->host->root;
	int r = remove_received(s, e);

	if (r >= 0)
		r = cr_taken_remove(root, token, e);
	return r < 0 ? r : answer(state, false, false, false, "", e);
}

int cr_settle_finish(const struct ct_host *h, const char *token, json_t **state, struct err *e)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	struct cr_taken t;
	struct err why = {0};
	int r = cr_taken_load(h->root, token, &t, e);

	if (r <= 0)
		return r < 0 ? r : answer(state, false, false, false, "", e);
	r = open_any(h, t.name, &s, e);
	if (r < 0)
		return r;
	if (r == 0 || strcmp(s.d.uuid, t.uuid) != 0)
		return answer(state, true, false, !t.moved_to[0], t.moved_to, e);
	r = never_ran(&s, e);
	if (r != 0)
		return r < 0 ? r : give_back(&s, token, state, e);
	r = check_torn(&t, e);
	if (r < 0)
		return r;
	/* It is here, complete, and its memory with it: that it does not run now takes nothing back. */
	if (finish(&s, &why) < 0 || start(&s, token, &t, &why) < 0)
		log_warn("%s: %s", t.name, why.text);
	r = cr_settle_flush(&s, token, e);
	if (r >= 0)
		r = answer(state, true, runs(&s), false, t.moved_to, e);
	if (r >= 0 && is_hungry(&s))
		json_object_set_new(*state, "hungry", json_true());
	return r;
}

/*
 * Who receives it may wait for a source that is gone, or for a link that is dead, for minutes, with the lock. The source asks about a migration, or offers the container anew, only when
 * its own command for that one has ended: so this end of the talk is over, too. What it has written is judged behind its lock, which is asked for next; a record that it
 * wrote a moment ago counts.
 */
static void end_receiver(const struct ct_host *h, const char *name, const char *token,
			 const char *uuid)
{
	struct err quiet = {0};
	auto_fd int all = ct_host_containers(h, &quiet), dir = -EBADF, process = -EBADF;
	struct cr_journal j = {0};
	struct cr_taken t;

	if (all >= 0 && path_name_check("container", name, &quiet) >= 0)
		dir = openat(all, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || cr_journal_load(dir, &j, &quiet) <= 0 || j.point != CR_POINT_RECEIVING ||
	    j.receiver <= 0 || (token && strcmp(j.token, token) != 0) ||
	    (uuid && strcmp(j.uuid, uuid) != 0))
		return;
	/* What has its record goes on to run. */
	if (cr_taken_load(h->root, j.token, &t, &quiet) != 0)
		return;
	process = proc_open(j.receiver, j.receiver_start, &quiet);
	if (process >= 0 && pidfd_send_signal(process, SIGTERM, NULL, 0) == 0)
		log_info("%s: process %d still waited for its source, and was ended", name,
			 j.receiver);
}

/* Taken, and what is there now is locked by us, or is nothing. */
static int forget_taken(struct ct_system *s, const char *token, const struct cr_taken *t,
			bool there, json_t **state, struct err *e)
{
	int r;

	if (there && !strcmp(s->d.uuid, t->uuid)) {
		r = never_ran(s, e);
		if (r != 0)
			return r < 0 ? r : give_back(s, token, state, e);
		return answer(state, true, runs(s), false, t->moved_to, e);
	}
	if (t->moved_to[0])
		return answer(state, true, false, false, t->moved_to, e);
	r = cr_taken_remove(s->host->root, token, e);
	return r < 0 ? r : answer(state, true, false, true, "", e);
}

int cr_settle_forget(const struct ct_host *h, const char *token, const char *name, json_t **state,
		     struct err *e)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	struct cr_journal j;
	struct cr_taken t;
	int there, r;

	end_receiver(h, name, token, NULL);
	there = open_incoming(h, name, &s, e);
	/* Behind the lock: who had it may have written the record while we waited, and made a container of it. */
	r = there < 0 ? there : cr_taken_load(h->root, token, &t, e);
	if (r > 0 && there && strcmp(s.d.uuid, t.uuid) != 0) {
		ct_system_close(&s);
		there = 0;
	}
	if (r > 0 && !there)
		there = open_any(h, t.name, &s, e);
	if (r < 0 || there < 0)
		return -e->no;
	if (r > 0)
		return forget_taken(&s, token, &t, there, state, e);
	r = there ? cr_journal_load(s.dir, &j, e) : 0;
	/* Another migration's, or one that died before it wrote whose it is. */
	if (r >= 0 && there && (r == 0 || !strcmp(j.token, token)))
		r = remove_received(&s, e);
	return r < 0 ? r : answer(state, false, false, false, "", e);
}

/* Opens a received one: 1 and whether it was taken, and is ours by that; 0: none. A record that means nothing goes. */
static int open_received(const struct ct_host *h, const char *name, struct ct_system *s,
			 bool *taken, struct err *e)
{
	struct cr_journal j = {0};
	struct cr_taken t;
	int r = open_incoming(h, name, s, e);

	*taken = false;
	if (r <= 0)
		return r;
	r = cr_journal_load(s->dir, &j, e);
	if (r > 0)
		r = cr_taken_load(h->root, j.token, &t, e);
	if (r < 0)
		return r;
	*taken = r > 0;
	r = *taken ? never_ran(s, e) : 0;
	if (r > 0) {
		*taken = false;
		r = cr_taken_remove(h->root, j.token, e);
	}
	return r < 0 ? r : 1;
}

int cr_settle_stale(const struct ct_host *h, const struct ct_definition *offered, struct err *e)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	const char *name = offered->name;
	bool taken;
	int r;

	end_receiver(h, name, NULL, offered->uuid);
	r = open_received(h, name, &s, &taken, e);
	if (r <= 0)
		return r;
	if (!taken)
		return remove_received(&s, e);
	err_set(e, EEXIST, "a container %s was taken by an earlier migration that is not finished",
		name);
	err_hint(e, "finish that one first: skepctl migrate %s --continue, here or at its source",
		 name);
	return err_class(e, ERR_EXISTS);
}

int cr_settle_taken(struct ct_system *s, bool abort, struct err *e)
{
	if (!abort)
		return finish(s, e);
	err_set(e, EBUSY, "this host has it");
	err_hint(e, "finish the migration: skepctl migrate %s --continue", s->d.name);
	return err_class(e, ERR_MIGRATE);
}

int cr_settle_here(const struct ct_host *h, const char *name, bool abort, struct err *e)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	bool taken;
	int r = open_received(h, name, &s, &taken, e);

	if (r < 0)
		return r;
	if (r == 0) {
		err_set(e, ENOENT, "no container %s is being received here", name);
		return err_class(e, ERR_NO_SUCH_CT);
	}
	if (taken)
		return cr_settle_taken(&s, abort, e);
	if (!abort) {
		err_set(e, ENOENT, "this host never took it: it is the source's");
		err_hint(e, "remove what was received: skepctl migrate %s --abort", name);
		return err_class(e, ERR_MIGRATE);
	}
	return remove_received(&s, e);
}
