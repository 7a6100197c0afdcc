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
#include "checkpoint/held.h"
#include "checkpoint/journal.h"
#include "checkpoint/life.h"
#include "checkpoint/migrate.h"
#include "checkpoint/offer.h"
#include "checkpoint/protocol.h"
#include "checkpoint/settle.h"
#include "checkpoint/suspend.h"
#include "checkpoint/upper.h"
#include "storage/stream.h"

/* The source remembers and then says BYE: a write to its disk. */
#define BYE_MS 30000

struct target {
	const struct ct_host *h;
	struct cr_link link;
	struct cr_offer offer;
	struct ct_system s; /* what is being received; open as long as it is not a container yet */
	struct cr_upper upper;
	int held,
		held_sock; /* what came for it while it was on the move, and how it is given that */
	bool ran;	   /* here: it cannot be given back */
	bool lost;	   /* it was not given back: the source must not hear ERROR */
};

/* --- before anything is sent --- */

/* The memory holds ids: they mean the same only in the same range. */
static int check_ids(const struct target *t, uint32_t wanted, struct err *e)
{
	if (!cr_offer_has_images(&t->offer) || t->s.d.id_base == wanted)
		return 0;
	err_set(e, EADDRINUSE, "the id range %u..%u is in use here by another container", wanted,
		wanted + CT_ID_COUNT - 1);
	err_hint(e, "its memory needs the same ids: migrate with --mode restart");
	return err_class(e, ERR_MIGRATE);
}

static int reserve(struct target *t, struct err *e)
{
	struct cr_journal j = {.point = CR_POINT_RECEIVING,
			       .mode = t->offer.mode,
			       .was = t->offer.was,
			       .host = "the source"};
	uint32_t wanted = t->offer.d.id_base;
	int r = fault_at("receive.reserve", e);

	memcpy(j.token, t->offer.token, sizeof(j.token));
	if (r >= 0)
		r = cr_settle_stale(t->h, t->offer.d.name, e);
	if (r >= 0)
		r = ct_system_receive(t->h, &t->offer.d, &t->s, e);
	if (r >= 0)
		r = check_ids(t, wanted, e);
	if (r >= 0)
		r = cr_journal_save(t->s.dir, &j, e);
	if (r >= 0)
		r = cr_taken_prepare(t->h->root, e);
	return r;
}

/* --- what is sent --- */

static int receive_tree(struct target *t, enum cr_frame frame, const char *point, struct err *e)
{
	int r = cr_link_expect(&t->link, frame, NULL, -1, e);

	if (r >= 0)
		r = fault_at(point, e);
	if (r < 0)
		return r;
	r = st_stream_receive(t->upper.dir, t->s.d.id_base, t->link.in, NULL, e);
	return cr_link_judge(&t->link, r, e);
}

static int receive_files(struct target *t, struct err *e)
{
	int r = cr_upper_open(&t->s, false, &t->upper, e);

	if (r >= 0)
		r = receive_tree(t, CR_FRAME_ROOTFS, "receive.rootfs", e);
	if (r >= 0 && t->offer.was == CR_LIFE_RUNNING)
		r = receive_tree(t, CR_FRAME_DELTA, "receive.delta", e);
	/* A start or a restore mounts the disk image itself. */
	cr_upper_close(&t->upper);
	return r < 0 ? r : 0;
}

static int receive_images(struct target *t, struct err *e)
{
	auto_fd int images = -EBADF;
	int r = fault_at("receive.images", e);

	if (r < 0 || !cr_offer_has_images(&t->offer))
		return r;
	images = file_mkdirs_at(t->s.dir, CT_CHECKPOINT_DIR, 0700, e);
	r = images < 0 ? images : cr_images_receive(&t->link, images, e);
	/*
	 * It makes them a checkpoint. Whose it is, is still open: nothing resumes a container that is only incoming. Not flushed: it would be frozen for
	 * longer, and a power failure takes the memory of a running container as well.
	 */
	return r < 0 ? r : file_replace_volatile_at(images, CT_CHECKPOINT_MARKER, "", 0, 0600, e);
}

/* --- whose it is --- */

static bool is_restarted(const struct cr_offer *o)
{
	return o->was == CR_LIFE_RUNNING && o->mode == CR_MODE_RESTART;
}

/* It goes on here where it was stopped there, connections and all. */
static bool brings_frames(const struct cr_offer *o)
{
	return o->was == CR_LIFE_RUNNING && o->mode != CR_MODE_RESTART;
}

/* READY, and COMMIT, and the record that makes it ours. */
static int take(struct target *t, struct err *e)
{
	struct cr_taken taken = {.start = is_restarted(&t->offer)};
	int r = fault_at("receive.ready", e);

	snprintf(taken.name, sizeof(taken.name), "%s", t->s.d.name);
	snprintf(taken.uuid, sizeof(taken.uuid), "%s", t->s.d.uuid);
	if (r >= 0)
		r = cr_link_send(&t->link, CR_FRAME_READY, NULL, e);
	if (r >= 0 && brings_frames(&t->offer))
		r = t->held = cr_held_receive(&t->link, CR_RESTORE_MS, e);
	if (r >= 0)
		r = cr_link_expect(&t->link, CR_FRAME_COMMIT, NULL, CR_RESTORE_MS, e);
	if (r >= 0)
		r = fault_at("receive.record", e);
	return r < 0 ? r : cr_taken_save(t->h->root, t->offer.token, &taken, e);
}

/* I am the process that will be its monitor; every task of it is restored and stopped. */
static int when_restored(void *arg, struct err *e)
{
	struct target *t = arg;
	int r = take(t, e);

	if (r < 0)
		return r;
	/* It is ours now: it outlives the conversation, however that ends. */
	if (prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0)
		log_warn("outlive the command: %s", strerror(errno));
	return fault_at("receive.run", e);
}

/* What came to the old place until the new one was announced. */
static void give_late(struct target *t)
{
	struct err gone = {0};
	auto_fd int late = cr_held_receive(&t->link, CR_ANSWER_MS, &gone);

	if (late < 0)
		log_info("%s", gone.text);
	cr_held_give_running(t->held_sock, &t->s, late);
}

/* A source that is gone asks again later. */
static void say_runs(void *arg)
{
	struct target *t = arg;
	struct err gone = {0};

	t->ran = true;
	if (cr_link_send(&t->link, CR_FRAME_RUNS, NULL, &gone) < 0)
		log_info("%s", gone.text);
	else if (brings_frames(&t->offer))
		give_late(t);
}

static int become_container(struct target *t, struct err *e)
{
	int r = fault_at("receive.commit", e);

	if (r >= 0)
		r = ct_system_receive_commit(&t->s, e);

	return r < 0 ? r : cr_journal_remove(t->s.dir, e);
}

static int run_restored(struct target *t, struct err *e)
{
	struct err without = {0};
	auto_fd int sock = t->held_sock = net_hold_socket(&without);
	const int keep[] = {t->link.in, t->link.out, sock};
	const struct cr_resume_last last = {.ready = when_restored,
					    .runs = say_runs,
					    .arg = t,
					    .held = &t->held,
					    .held_sock = t->held_sock,
					    .keep = keep,
					    .n_keep = sock < 0 ? 2 : 3};
	int r = fault_at("receive.restore", e);

	if (sock < 0)
		log_info("%s", without.text);
	if (r >= 0)
		r = cr_resume_when(&t->s, &last, e);
	t->held_sock = -EBADF;
	return r < 0 ? r : become_container(t, e);
}

static int run_started(struct target *t, struct err *e)
{
	int r = take(t, e);

	if (r >= 0)
		r = become_container(t, e);
	if (r < 0 || t->offer.was != CR_LIFE_RUNNING)
		return r;
	r = fault_at("receive.run", e);
	if (r >= 0)
		r = ct_system_start(&t->s, e);
	if (r < 0)
		return r;
	say_runs(t);
	return cr_settle_started(t->h, t->offer.token, e);
}

/* The source deletes when it hears DONE: what was received must survive a power failure by then. */
static int say_done(struct target *t, struct err *e)
{
	int r = fault_at("receive.done", e);

	if (r >= 0 && syncfs(t->s.dir) < 0)
		return err_sys(e, "flush the container's files");
	return r < 0 ? r : cr_link_send(&t->link, CR_FRAME_DONE, NULL, e);
}

/* The record may go when the source never asks again. If we do not hear that, it stays. */
static void await_bye(struct target *t, const char *token)
{
	struct err ignored = {0};

	if (cr_link_expect(&t->link, CR_FRAME_BYE, NULL, BYE_MS, &ignored) < 0 ||
	    cr_taken_remove(t->h->root, token, &ignored) < 0)
		log_info("the record of %s stays: %s", token, ignored.text);
}

/* --- the end of a failure --- */

/* The marker goes before the first instruction of what was restored. */
static bool may_have_run(const struct target *t)
{
	return t->offer.was == CR_LIFE_RUNNING && t->offer.mode == CR_MODE_SUSPEND &&
	       faccessat(t->s.dir, CT_CHECKPOINT_DIR "/" CT_CHECKPOINT_MARKER, F_OK,
			 AT_SYMLINK_NOFOLLOW) < 0;
}

/*
 * Removes what was received, then the record: the source is told ERROR only when neither is there, and lets it run again. What ran or may
 * have stays; so does what cannot be removed: then the source asks later.
 */
static void give_back(struct target *t)
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

static int receive(struct target *t, const json_t *offer, struct err *e)
{
	int r = cr_offer_from_json(offer, &t->offer, e);

	if (r >= 0)
		r = fault_at("receive.offer", e);
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
	r = receive_files(t, e);
	if (r >= 0)
		r = receive_images(t, e);
	if (r < 0)
		return r;
	if (t->offer.was == CR_LIFE_RUNNING && t->offer.mode == CR_MODE_SUSPEND)
		r = run_restored(t, e);
	else
		r = run_started(t, e);
	return r;
}

static int serve_offer(struct target *t, const json_t *offer, struct err *e)
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
	ct_system_close(&t->s);
	if (r < 0) {
		t->lost = true;
		return r;
	}
	await_bye(t, t->offer.token);
	return 0;
}

static int serve_question(struct target *t, enum cr_frame what, const json_t *question,
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

static int converse(struct target *t, struct err *e)
{
	auto_json json_t *first = NULL;
	int r = cr_link_greet(&t->link, false, CR_ANSWER_MS, e);

	if (r >= 0)
		r = cr_link_receive(&t->link, &first, CR_ANSWER_MS, e);
	if (r < 0)
		return r;
	if (r == CR_FRAME_OFFER)
		return serve_offer(t, first, e);
	if (r == CR_FRAME_FINISH || r == CR_FRAME_FORGET)
		return serve_question(t, (enum cr_frame)r, first, e);
	return err_set(e, EPROTO, "the source sent %s as its first word",
		       cr_frame_to_str((unsigned)r));
}

int cr_migrate_receive(const struct ct_host *h, int in, int out, struct err *e)
{
	/* Not 0, 1, 2: those become /dev/null in the process that restores. */
	auto_fd int from = fcntl(in, F_DUPFD_CLOEXEC, 3);
	auto_fd int to = fcntl(out, F_DUPFD_CLOEXEC, 3);
	struct target t = {.h = h,
			   .link = {.in = from, .out = to, .peer = "the source"},
			   .s = CT_SYSTEM_INIT,
			   .upper = CR_UPPER_INIT,
			   .held = -EBADF,
			   .held_sock = -EBADF};
	int r = from < 0 || to < 0 ? err_sys(e, "duplicate the link") : converse(&t, e);

	if (r < 0 && !t.lost && !t.link.refused)
		cr_link_send_error(&t.link, e);
	return r < 0 ? r : 0;
}
