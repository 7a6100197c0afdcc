// SPDX-License-Identifier: GPL-2.0-only
/* The target's side of a migration: one conversation. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "checkpoint/held.h"
#include "checkpoint/home.h"
#include "checkpoint/journal.h"
#include "checkpoint/kerndat.h"
#include "checkpoint/life.h"
#include "checkpoint/migrate.h"
#include "checkpoint/pages.h"
#include "checkpoint/plan.h"
#include "checkpoint/protocol.h"
#include "checkpoint/settle.h"
#include "checkpoint/target.h"

/* --- before anything is sent --- */

/* The memory holds ids: they mean the same only in the same range. */
static int check_ids(const struct cr_target *t, uint32_t wanted, struct err *e)
{
	if (!cr_offer_has_images(&t->offer) || t->s.d.id_base == wanted)
		return 0;
	err_set(e, EADDRINUSE, "the id range %u..%u is in use here by another container", wanted,
		wanted + CT_ID_COUNT - 1);
	err_hint(e, "its memory needs the same ids: migrate with --mode restart");
	return err_class(e, ERR_MIGRATE);
}

static int reserve(struct cr_target *t, struct err *e)
{
	struct cr_journal j = {.point = CR_POINT_RECEIVING,
			       .mode = t->offer.mode,
			       .was = t->offer.was,
			       .host = "the source",
			       .receiver = getpid()};
	uint32_t wanted = t->offer.d.id_base;
	int r = fault_at("receive.reserve", e);

	memcpy(j.token, t->offer.token, sizeof(j.token));
	if (r >= 0)
		r = cr_settle_stale(t->h, &t->offer.d, e);
	if (r >= 0)
		r = ct_system_receive(t->h, &t->offer.d, &t->s, e);
	if (r >= 0)
		r = check_ids(t, wanted, e);
	snprintf(j.uuid, sizeof(j.uuid), "%s", t->s.d.uuid);
	if (r >= 0)
		r = proc_start_time(j.receiver, &j.receiver_start, e);
	if (r >= 0)
		r = cr_journal_save(t->s.dir, &j, e);
	if (r >= 0)
		r = cr_taken_prepare(t->h->root, e);
	return r;
}

/* The source remembers and then says BYE: a write to its disk, and a link that may be silent for a while. Nobody waits for us. */
#define BYE_MS CR_SILENCE_MS

/* The source deletes when it hears DONE: what was received must survive a power failure by then. */
static int say_done(struct cr_target *t, struct err *e)
{
	int r = cr_settle_flush(&t->s, t->offer.token, e);

	/* It is a container as any other, and who asks for it after a broken link may do so while its memory still comes. */
	ct_system_close(&t->s);
	/* Of the others it is all here, in the hands of skep-pages, and nothing that the source still has would bring it back: its processes are dead. */
	if (r >= 0)
		r = cr_mode_is_lazy(t->offer.mode) ? cr_target_await_memory(t, e)
						   : cr_target_check_memory(t, e);
	if (r >= 0)
		r = fault_at("receive.done", e);
	return r < 0 ? r : cr_link_send(&t->link, CR_FRAME_DONE, NULL, e);
}

/* The record may go when the source never asks again. If we do not hear that, it stays. */
static void await_bye(struct cr_target *t, const char *token)
{
	struct err ignored = {0};

	cr_target_skip_late(t);
	if (cr_link_expect(&t->link, CR_FRAME_BYE, NULL, BYE_MS, &ignored) < 0 ||
	    cr_taken_remove(t->h->root, token, &ignored) < 0 ||
	    cr_link_send(&t->link, CR_FRAME_BYE, NULL, &ignored) < 0)
		log_info("the end of %s: %s", token, ignored.text);
}

/* --- the end of a failure --- */

/* The marker goes before the first instruction of what was restored. */
static bool may_have_run(const struct cr_target *t)
{
	return t->offer.was == CR_LIFE_RUNNING && t->offer.mode != CR_MODE_RESTART &&
	       faccessat(t->s.dir, CT_CHECKPOINT_DIR "/" CT_CHECKPOINT_MARKER, F_OK,
			 AT_SYMLINK_NOFOLLOW) < 0;
}

/*
 * Removes what was received, then the record: the source is told ERROR only when neither is there, and lets it run again. What ran or may
 * have stays; so does what cannot be removed: then the source asks later.
 */
static void give_back(struct cr_target *t)
{
	struct cr_taken taken;
	struct err why = {0};
	int r = cr_taken_load(t->h->root, t->offer.token, &taken, &why);

	cr_upper_close(&t->upper);
	if (r > 0 && (t->ran || may_have_run(t))) {
		t->lost = true;
		ct_system_close(&t->s);
		return;
	}
	if (r >= 0)
		r = cr_life_clean(&t->s, &why);
	if (r >= 0)
		r = ct_system_receive_abort(&t->s, &why);
	if (r >= 0)
		r = cr_taken_remove(t->h->root, t->offer.token, &why);
	ct_system_close(&t->s);
	if (r >= 0)
		return;
	t->lost = true;
	log_warn("clean up after a failed migration: %s", why.text);
}

static int read_patience(struct cr_target *t, const json_t *offer, struct err *e)
{
	int64_t seconds = 0;
	int r = json_get_int(offer, "patience", &seconds, e);

	if (r >= 0 && (seconds < 0 || seconds > CR_PATIENCE_MAX))
		return err_set(e, EPROTO, "the source asks for a patience that nobody has");
	t->patience_ms = (int)seconds * 1000;
	return r < 0 ? r : 0;
}

/* While the source sends what takes longer: criu would do it when the container is frozen. */
static void prepare_criu(const struct cr_target *t)
{
	struct err why = {0};

	if (cr_offer_has_images(&t->offer) && cr_kerndat_prepare(t->h, &why) < 0)
		log_info("criu is not prepared: %s", why.text);
}

static int receive(struct cr_target *t, const json_t *offer, struct err *e)
{
	int r = cr_offer_from_json(offer, &t->offer, e);

	if (r >= 0)
		r = fault_at("receive.offer", e);
	if (r >= 0)
		r = cr_home_check(t->h->root, offer, e);
	if (r >= 0)
		r = read_patience(t, offer, e);
	if (r >= 0)
		r = cr_offer_check(t->h, &t->offer, e);
	if (r >= 0)
		r = reserve(t, e);
	if (r >= 0 && t->offer.dry_run)
		r = ct_system_receive_abort(&t->s, e);
	if (r >= 0)
		r = cr_link_send(&t->link, CR_FRAME_ACCEPT, NULL, e);
	if (r < 0 || t->offer.dry_run)
		return r;
	prepare_criu(t);
	r = cr_target_receive(t, e);
	if (r < 0)
		return r;
	if (t->offer.was == CR_LIFE_RUNNING && t->offer.mode != CR_MODE_RESTART)
		r = cr_target_run_restored(t, e);
	else
		r = cr_target_run_started(t, e);
	return r;
}

static int serve_offer(struct cr_target *t, const json_t *offer, struct err *e)
{
	int r = receive(t, offer, e);

	if (r < 0 && t->s.dir >= 0) {
		char *log = strstr(e->text, "; log: ");

		give_back(t);
		if (log && !t->lost)
			*log = 0; /* it went with the rest */
	}
	if (r < 0 || t->offer.dry_run)
		return r;
	/* It is ours and runs: a failure from here on takes nothing back. */
	r = say_done(t, e);
	if (r < 0) {
		t->lost = true;
		return r;
	}
	await_bye(t, t->offer.token);
	return 0;
}

static int serve_question(struct cr_target *t, enum cr_frame what, const json_t *question,
			  struct err *e)
{
	auto_json json_t *state = NULL;
	const char *token = "", *name = "";
	int r;

	if (json_get_str(question, "token", &token, e) < 0 ||
	    json_get_str(question, "name", &name, e) < 0)
		return -e->no;
	if (!cr_token_ok(token))
		return err_set(e, EPROTO, "the source asked for something that is no migration");
	r = what == CR_FRAME_FINISH ? cr_settle_finish(t->h, token, &state, e)
				    : cr_settle_forget(t->h, token, name, &state, e);
	if (r >= 0)
		r = cr_link_send(&t->link, CR_FRAME_STATE, state, e);
	if (r >= 0 && what == CR_FRAME_FINISH)
		await_bye(t, token);
	return r;
}

static int converse(struct cr_target *t, struct err *e)
{
	auto_json json_t *first = NULL;
	int r = cr_link_greet(&t->link, false, cr_can_here(), CR_ANSWER_MS, e);

	if (r >= 0)
		r = cr_link_receive(&t->link, &first, CR_ANSWER_MS, e);
	if (r < 0)
		return r;
	if (r == CR_FRAME_OFFER)
		return serve_offer(t, first, e);
	if (r == CR_FRAME_FINISH || r == CR_FRAME_FORGET)
		return serve_question(t, (enum cr_frame)r, first, e);
	if (r == CR_FRAME_FEED)
		return cr_target_feed(t, first, e);
	return err_set(e, EPROTO, "the source sent %s as its first word",
		       cr_frame_to_str((unsigned)r));
}

int cr_migrate_receive(const struct ct_host *h, int in, int out, struct err *e)
{
	/* Not 0, 1, 2: those become /dev/null in the process that restores. */
	auto_fd int from = fcntl(in, F_DUPFD_CLOEXEC, 3);
	auto_fd int to = fcntl(out, F_DUPFD_CLOEXEC, 3);
	struct cr_target t = {.h = h,
			      .link = {.in = from, .out = to, .peer = "the source"},
			      .s = CT_SYSTEM_INIT,
			      .upper = CR_UPPER_INIT,
			      .held = -EBADF,
			      .held_sock = -EBADF,
			      .haste = -EBADF};
	int r = from < 0 || to < 0 ? err_sys(e, "duplicate the link") : converse(&t, e);

	cr_pages_free(t.pages);
	own_close_fd(&t.haste);
	if (r < 0 && !t.lost && !t.link.refused)
		cr_link_send_error(&t.link, e);
	return r < 0 ? r : 0;
}
