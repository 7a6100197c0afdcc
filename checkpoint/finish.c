// SPDX-License-Identifier: GPL-2.0-only
/* The source after COMMIT: remembering, deleting, and what --continue and --abort do. */
#include "checkpoint/finish.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/own.h"
#include "checkpoint/lend.h"
#include "checkpoint/life.h"
#include "checkpoint/migrate.h"
#include "checkpoint/settle.h"
#include "runtime/system_doubt.h"

/* A host that went away is asked only this long for what it could do without. */
#define AGAIN_MS 10000

/* What the target answers to FINISH and FORGET. */
struct answer {
	bool taken;
	bool runs;
	bool gone;   /* taken, and no longer there */
	bool hungry; /* it runs there, and some of its memory is here */
	char moved_to[256];
};

/* The journal's own way to the host, unless the operator names another. */
struct way {
	struct cr_remote remote;
	const char *rsh[CR_REMOTE_WORDS + 1];
	const char *skepctl[CR_REMOTE_WORDS + 1];
};

static const char *const *words(const char from[][CR_REMOTE_WORD], const char **to)
{
	int n = 0;

	for (; n < CR_REMOTE_WORDS && from[n][0]; n++)
		to[n] = from[n];
	to[n] = NULL;
	return n ? to : NULL;
}

static void find_way(struct way *w, const struct cr_remote *given, const struct cr_journal *j)
{
	w->remote = *given;
	if (!w->remote.host)
		w->remote.host = j->host;
	if (!w->remote.rsh)
		w->remote.rsh = words(j->rsh, w->rsh);
	if (!w->remote.skepctl)
		w->remote.skepctl = words(j->skepctl, w->skepctl);
}

static int read_answer(const json_t *j, struct answer *a, struct err *e)
{
	const char *moved_to = "";

	if (json_get_bool(j, "taken", &a->taken, e) < 0 ||
	    json_get_bool(j, "runs", &a->runs, e) < 0 ||
	    json_get_bool(j, "gone", &a->gone, e) < 0 ||
	    json_get_bool(j, "hungry", &a->hungry, e) < 0 ||
	    json_get_str(j, "moved_to", &moved_to, e) < 0)
		return -e->no;
	snprintf(a->moved_to, sizeof(a->moved_to), "%s", moved_to);
	return 0;
}

static int put_question(struct cr_peer *peer, const struct ct_system *s, const struct cr_journal *j,
			enum cr_frame what, struct answer *a, struct err *e)
{
	auto_json json_t *question = json_pack("{s:s, s:s}", "token", j->token, "name", s->d.name);
	auto_json json_t *reply = NULL;
	int r;

	*a = (struct answer){0};
	if (!question)
		return err_set(e, ENOMEM, "ask %s: out of memory", j->host);
	r = cr_link_send(&peer->link, what, question, e);
	if (r >= 0)
		r = cr_link_expect(&peer->link, CR_FRAME_STATE, &reply,
				   what == CR_FRAME_FINISH ? CR_RESTORE_MS : CR_ANSWER_MS, e);
	if (r >= 0)
		r = read_answer(reply, a, e);
	return r < 0 ? cr_peer_explain(peer, e) : 0;
}

int cr_ask_forget(struct cr_peer *peer, const struct ct_system *s, const struct cr_journal *j,
		  struct err *e)
{
	struct answer a;

	return put_question(peer, s, j, CR_FRAME_FORGET, &a, e);
}

/* What was sent into a link that has just broken was heard by nobody. */
static int exchange_bye(struct cr_peer *peer, struct err *e)
{
	int r = cr_link_send(&peer->link, CR_FRAME_BYE, NULL, e);

	return r < 0 ? r : cr_link_expect(&peer->link, CR_FRAME_BYE, NULL, AGAIN_MS, e);
}

/* A link that broke: a new one is tried, once. Its record there is a small file, and stays if that cannot be told, either. */
static void say_bye(const struct ct_system *s, const struct cr_journal *j,
		    const struct cr_remote *remote, struct cr_peer *peer)
{
	auto_peer struct cr_peer again = CR_PEER_INIT;
	struct err ignored = {0};
	struct answer a;

	if (peer && exchange_bye(peer, &ignored) >= 0)
		return;
	err_clear(&ignored);
	if (cr_peer_open(&again, remote, AGAIN_MS, &ignored) < 0 ||
	    put_question(&again, s, j, CR_FRAME_FINISH, &a, &ignored) < 0 ||
	    exchange_bye(&again, &ignored) < 0)
		log_info("%s: %s", s->d.name, ignored.text);
}

bool cr_finish_is_moved(const struct ct_host *h, const char *name, struct ct_system *s,
			struct cr_journal *j)
{
	struct err none = {0};
	bool moved = ct_system_open(h, name, NULL, s, &none) >= 0 &&
		     cr_journal_load(s->dir, j, &none) > 0 &&
		     (j->point == CR_POINT_KEPT || j->point == CR_POINT_MOVED);

	ct_system_close(s);
	return moved;
}

void cr_finish_say_last(const struct ct_system *s, const struct cr_journal *j)
{
	const struct cr_remote unnamed = {0};
	struct way way;

	find_way(&way, &unnamed, j);
	say_bye(s, j, &way.remote, NULL);
}

int cr_finish_moved(struct ct_system *s, struct cr_journal *j, const struct cr_remote *remote,
		    struct cr_peer *peer, struct err *e)
{
	int r = fault_at("migrate.moved", e);

	if (r >= 0)
		r = cr_taken_moved_on(s->host->root, s->d.uuid, j->host, e);
	j->point = j->keep ? CR_POINT_KEPT : CR_POINT_MOVED;
	if (r >= 0)
		r = cr_journal_save(s->dir, j, e);
	/* From here on we never ask again. A kept one is asked for by --abort. */
	if (r >= 0 && !j->keep)
		say_bye(s, j, remote, peer);
	if (r >= 0)
		r = fault_at("migrate.cleanup", e);
	/* By whom has the lock: another migration that waits for it must not find what is about to go, and tell that it has to be finished. */
	if (r >= 0 && j->keep)
		ct_system_close(s);
	else if (r >= 0)
		r = ct_system_remove(s, e);
	if (r < 0) {
		err_wrap(e, "it is on %s now, but what is left here could not be removed", j->host);
		e->class = ERR_IN_DOUBT;
		e->hint[0] = 0;
		err_hint(e, "try again: `skepctl migrate %s --continue`", s->d.name);
	}
	return r < 0 ? r : 0;
}

/* Whether the target has it. What is asked (FINISH, FORGET) it has also done when it answers. */
static int ask(struct cr_peer *peer, const struct way *way, const struct ct_system *s,
	       const struct cr_journal *j, enum cr_frame what, struct answer *a, struct err *e)
{
	int r = cr_peer_open(peer, &way->remote, CR_GREETING_MS, e);

	return r < 0 ? r : put_question(peer, s, j, what, a, e);
}

/*
 * A host that was never asked says with good conscience that it never took it: believed, that would let it run here beside the one that runs at its target.
 */
static int check_host(const struct ct_system *s, const struct cr_journal *j, const char *host,
		      struct err *e)
{
	if (!host || j->point == CR_POINT_RECEIVING || !strcmp(host, j->host))
		return 0;
	err_set(e, EINVAL, "its migration went to %s, not %.200s", j->host, host);
	err_hint(e, "leave the host out: skepctl migrate %s with --continue or --abort knows it",
		 s->d.name);
	return err_class(e, ERR_VALUE);
}

static int load(const struct ct_system *s, const struct cr_remote *remote, struct cr_journal *j,
		struct err *e)
{
	int r = cr_journal_load(s->dir, j, e);

	if (r < 0)
		return r;
	if (r > 0)
		return check_host(s, j, remote->host, e);
	err_set(e, ENOENT, "no migration of it was interrupted");
	return err_class(e, ERR_VALUE);
}

static int not_answered(const struct ct_system *s, const struct cr_journal *j, struct err *e)
{
	/* Its own word, which knows better. */
	bool judged = e->class == ERR_IN_DOUBT && e->hint[0];

	e->class = ERR_IN_DOUBT;
	err_wrap(e, "whether %s has it cannot be known yet", j->host);
	if (judged)
		return -e->no;
	e->hint[0] = 0;
	return err_hint(e, "make %s reachable and try again: skepctl migrate %s --%s", j->host,
			s->d.name, j->point == CR_POINT_KEPT ? "abort" : "continue");
}

/* It runs there, and what is frozen here has the rest of its memory. */
static int still_hungry(const struct ct_system *s, const struct cr_journal *j, struct err *e)
{
	if (!e->no)
		err_set(e, EPIPE, "it still waits for memory");
	e->class = ERR_IN_DOUBT;
	err_wrap(e, "it runs on %s, and not all of its memory is there", j->host);
	e->hint[0] = 0;
	return err_hint(e, "try again: skepctl migrate %s --continue", s->d.name);
}

static int it_has_it(const struct ct_system *s, const struct cr_journal *j, const struct answer *a,
		     struct err *e)
{
	if (a->moved_to[0])
		err_set(e, EBUSY, "%s took it, and moved it on to %.200s", j->host, a->moved_to);
	else
		err_set(e, EBUSY, "%s has it", j->host);
	if (j->point == CR_POINT_KEPT)
		err_hint(e, "`skepctl destroy --force %s` removes the copy that was kept here",
			 s->d.name);
	err_hint(e, "finish the migration: skepctl migrate %s --continue", s->d.name);
	return err_class(e, ERR_IN_DOUBT);
}

/* It may not take it any more, either, when this answers 0: it runs here again, as it did. */
static int let_go_on_here(struct ct_system *s, const struct cr_journal *j, const struct way *way,
			  struct err *e)
{
	auto_peer struct cr_peer peer = CR_PEER_INIT;
	struct answer a = {0};
	struct err why = {0};
	int r = ask(&peer, way, s, j, CR_FRAME_FORGET, &a, &why);

	/* COMMIT was never sent: what the target may still keep for it is removed by its own next migration. */
	if (r < 0 && j->point == CR_POINT_STARTED) {
		log_info("%s: %s", s->d.name, why.text);
	} else if (r < 0) {
		*e = why;
		return not_answered(s, j, e);
	} else if (a.taken && !a.gone) {
		return it_has_it(s, j, &a, e);
	}
	cr_peer_close(&peer);
	return cr_life_restore(s, j->mode, j->was, e);
}

/* So the migration ends here: nobody has to say another word for it to go on. */
static int never_taken(struct ct_system *s, const struct cr_journal *j, const struct way *way,
		       struct err *e)
{
	static const char *const lives[] = {[CR_LIFE_STOPPED] = "is stopped",
					    [CR_LIFE_RUNNING] = "goes on",
					    [CR_LIFE_SUSPENDED] = "is suspended"};
	enum cr_life now = j->was;
	struct err none = {0};
	int r = let_go_on_here(s, j, way, e);

	if (r < 0)
		return r;
	/* It may have ended meanwhile, by itself or with the host. */
	cr_life_now(s, &now, &none);
	err_set(e, ENOENT, "%s never took it: it %s here", j->host, lives[now]);
	return err_class(e, ERR_MIGRATE);
}

/* The one complete copy may be ours: it is not deleted by a guess. */
static int lost(const struct ct_system *s, const struct cr_journal *j, struct err *e)
{
	err_set(e, ENOENT, "%s took it, and has it no more", j->host);
	err_hint(
		e,
		"let it go on here: skepctl migrate %s --abort; or remove it: skepctl destroy --force %s",
		s->d.name, s->d.name);
	return err_class(e, ERR_IN_DOUBT);
}

int cr_migrate_continue(struct ct_system *s, const struct cr_remote *remote,
			struct cr_report *report, struct err *e)
{
	auto_peer struct cr_peer peer = CR_PEER_INIT;
	struct cr_journal j;
	struct answer a;
	struct way way;
	int r = load(s, remote, &j, e);

	*report = (struct cr_report){0};
	if (r < 0)
		return r;
	if (j.point == CR_POINT_RECEIVING)
		return cr_settle_taken(s, false, e);
	if (j.point == CR_POINT_KEPT)
		return ct_dir_in_doubt(s->dir, s->d.name, e);
	find_way(&way, remote, &j);
	/* COMMIT was never sent. */
	if (j.point == CR_POINT_STARTED)
		return never_taken(s, &j, &way, e);
	/* It said so before; now it is only told that its record may go. */
	if (j.point == CR_POINT_MOVED) {
		struct err ignored = {0};

		r = ask(&peer, &way, s, &j, CR_FRAME_FINISH, &a, &ignored);
		return cr_finish_moved(s, &j, &way.remote, r < 0 ? NULL : &peer, e);
	}
	r = ask(&peer, &way, s, &j, CR_FRAME_FINISH, &a, e);
	if (r < 0)
		return not_answered(s, &j, e);
	if (a.gone)
		return lost(s, &j, e);
	/* In the other modes nothing of it is here: what is on the way there is in its own store. */
	if (a.taken && a.hungry && cr_mode_is_lazy(j.mode)) {
		cr_peer_close(&peer);
		if (cr_lend_again(s, &j, &way.remote, e) < 0)
			return still_hungry(s, &j, e);
		r = ask(&peer, &way, s, &j, CR_FRAME_FINISH, &a, e);
		if (r < 0 || a.hungry)
			return r < 0 ? not_answered(s, &j, e) : still_hungry(s, &j, e);
	}
	if (a.taken)
		return cr_finish_moved(s, &j, &way.remote, &peer, e);
	cr_peer_close(&peer);
	return never_taken(s, &j, &way, e);
}

int cr_migrate_abort(struct ct_system *s, const struct cr_remote *remote, struct err *e)
{
	struct answer a = {.taken = true};
	struct cr_journal j;
	struct way way;
	int r = load(s, remote, &j, e);

	if (r < 0)
		return r;
	if (j.point == CR_POINT_RECEIVING)
		return cr_settle_taken(s, true, e);
	if (j.point == CR_POINT_MOVED)
		return it_has_it(s, &j, &a, e);
	find_way(&way, remote, &j);
	return let_go_on_here(s, &j, &way, e);
}
