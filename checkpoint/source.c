// SPDX-License-Identifier: GPL-2.0-only
/* The source's side of a migration. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/own.h"
#include "checkpoint/finish.h"
#include "checkpoint/interrupt.h"
#include "checkpoint/journal.h"
#include "checkpoint/life.h"
#include "checkpoint/migrate.h"
#include "checkpoint/offer.h"
#include "checkpoint/peer.h"
#include "checkpoint/suspend.h"
#include "checkpoint/upper.h"
#include "storage/manifest.h"
#include "storage/stream.h"

/* A host that went away is asked only this long: the command has failed already. */
#define AGAIN_MS 10000

struct source {
	struct ct_system *s;
	const struct cr_migrate *how;
	struct cr_report *report;
	struct cr_journal j;
	struct cr_offer offer;
	struct cr_peer peer;
	struct cr_upper upper;
	struct st_manifest *sent; /* what the first pass sent */
	struct cr_progress progress;
	uint64_t
		stopped_at; /* log_now_ns() when nothing of it ran any more; 0: it runs, or never did */
	bool journaled;
	bool in_doubt; /* COMMIT may have been heard, and the answer was not */
	bool done;     /* the target has it */
};

static void source_done(struct source *m)
{
	cr_progress_done(&m->progress);
	cr_peer_close(&m->peer);
	cr_upper_close(&m->upper);
	st_manifest_free(m->sent);
	m->sent = NULL;
}

/* A link that broke: what the target said before it went, or what the remote shell did, explains it better than our errno. */
static int blame(struct source *m, struct err *e)
{
	struct err interrupted = {0};

	if (cr_interrupt_check(&interrupted) < 0) {
		*e = interrupted;
		return -e->no;
	}
	if (m->peer.fd < 0)
		return -e->no;
	if (!m->peer.link.refused && (e->no == EPIPE || e->no == ECONNRESET))
		cr_link_blame(&m->peer.link, e);
	return cr_peer_explain(&m->peer, e);
}

/* --- before it is frozen --- */

/* An earlier one that died before it stopped the container is cleared away; one that changed what it is must be finished first. */
static int check_journal(struct source *m, struct err *e)
{
	struct cr_journal old;
	enum cr_life now;
	int r = cr_journal_load(m->s->dir, &old, e);

	if (r <= 0)
		return r;
	if (old.point == CR_POINT_STARTED) {
		r = cr_life_now(m->s, &now, e);
		if (r < 0)
			return r;
		if (now == old.was)
			return cr_journal_remove(m->s->dir, e);
	}
	err_set(e, EBUSY, "an earlier migration to %s is not finished", old.host);
	err_hint(e, "finish it with `skepctl migrate %s --continue` or `--abort`", m->s->d.name);
	return err_class(e, ERR_IN_DOUBT);
}

static int send_json(struct source *m, enum cr_frame frame, json_t *payload, struct err *e)
{
	if (!payload)
		return err_set(e, ENOMEM, "talk to %s: out of memory", m->how->remote.host);
	return cr_link_send(&m->peer.link, frame, payload, e);
}

static int make_offer(struct source *m, struct err *e)
{
	struct cr_offer *o = &m->offer;
	int r = cr_life_now(m->s, &o->was, e);

	o->mode = m->how->mode;
	o->dry_run = m->how->dry_run;
	if (r >= 0)
		r = cr_journal_init(&m->j, &m->how->remote, e);
	memcpy(o->token, m->j.token, sizeof(o->token));
	m->j.mode = o->mode;
	m->j.was = o->was;
	m->j.keep = m->how->keep;
	if (r >= 0)
		r = cr_upper_open(m->s, o->was == CR_LIFE_RUNNING, &m->upper, e);
	return r < 0 ? r : cr_offer_describe(m->s, m->upper.dir, o, e);
}

static int offer(struct source *m, struct err *e)
{
	auto_json json_t *j = NULL;
	int r;

	cr_progress_stage(&m->progress, CR_STEP_CHECK, 0);
	r = fault_at("migrate.offer", e);
	if (r >= 0)
		r = cr_offer_to_json(&m->offer, &j, e);
	/* Before the target reserves anything: whoever finds us dead can ask it to forget. */
	if (r >= 0 && !m->how->dry_run) {
		m->journaled = true;
		r = cr_journal_save(m->s->dir, &m->j, e);
	}
	if (r >= 0)
		r = send_json(m, CR_FRAME_OFFER, j, e);
	return r < 0 ? r : cr_link_expect(&m->peer.link, CR_FRAME_ACCEPT, NULL, CR_ANSWER_MS, e);
}

static int send_tree(struct source *m, enum cr_frame frame, struct st_manifest *since,
		     struct st_manifest *made, struct err *e)
{
	struct st_stream_stats stats = {0};
	int r = cr_link_send(&m->peer.link, frame, NULL, e);

	if (r >= 0)
		r = cr_link_judge(&m->peer.link,
				  st_stream_send(m->upper.dir, m->s->d.id_base, since,
						 m->peer.link.out, made, &stats, e),
				  e);
	cr_progress_bytes(&m->progress, stats.bytes);
	return r;
}

static int first_pass(struct source *m, struct err *e)
{
	int r = fault_at("migrate.rootfs", e);

	cr_progress_stage(&m->progress, CR_STEP_ROOTFS, m->offer.bytes);
	if (r < 0)
		return r;
	m->sent = st_manifest_new();
	if (!m->sent)
		return err_set(e, ENOMEM, "send the files: out of memory");
	return send_tree(m, CR_FRAME_ROOTFS, NULL, m->sent, e);
}

/* --- it does not run: until the target has everything --- */

static int second_pass(struct source *m, struct err *e)
{
	cr_progress_stage(&m->progress, CR_STEP_DELTA, 0);
	if (fault_at("migrate.delta", e) < 0)
		return -e->no;
	return send_tree(m, CR_FRAME_DELTA, m->sent, NULL, e);
}

static int send_images(struct source *m, int images, struct err *e)
{
	uint64_t files = 0, bytes = 0;
	int r = cr_images_measure(images, &files, &bytes, e);

	cr_progress_stage(&m->progress, CR_STEP_IMAGES, bytes);
	if (r >= 0)
		r = fault_at("migrate.images", e);
	if (r >= 0)
		r = cr_images_send(&m->peer.link, images, &bytes, e);
	cr_progress_bytes(&m->progress, bytes);
	return r;
}

static int await_ready(struct source *m, struct err *e)
{
	cr_progress_stage(&m->progress, CR_STEP_RESTORE, 0);
	if (fault_at("migrate.ready", e) < 0)
		return -e->no;
	return cr_link_expect(&m->peer.link, CR_FRAME_READY, NULL, CR_RESTORE_MS, e);
}

/* --- the point of no return --- */

static int hear_done(struct source *m, struct err *e)
{
	int r = 0;

	if (m->offer.was == CR_LIFE_RUNNING) {
		r = cr_link_expect(&m->peer.link, CR_FRAME_RUNS, NULL, CR_RESTORE_MS, e);
		if (r >= 0 && m->stopped_at)
			m->report->frozen_ns = log_now_ns() - m->stopped_at;
	}
	return r < 0 ? r : cr_link_expect(&m->peer.link, CR_FRAME_DONE, NULL, CR_RESTORE_MS, e);
}

/*
 * Nothing of it runs here any more. Behind the write of the journal it is given away: only an ERROR, which the target sends after it has
 * forgotten the container, gives it back.
 */
static int commit(struct source *m, struct err *e)
{
	int r;

	cr_progress_stage(&m->progress, CR_STEP_COMMIT, 0);
	r = fault_at("migrate.journal", e);
	if (r >= 0)
		r = cr_interrupt_check(e);
	if (r < 0)
		return r;
	cr_interrupt_hold();
	m->j.point = CR_POINT_COMMITTED;
	r = cr_journal_save(m->s->dir, &m->j, e);
	/* It may be on disk or not, but COMMIT was not sent: the container is ours. */
	if (r < 0)
		return r;
	m->in_doubt = true;
	r = fault_at("migrate.commit", e);
	if (r >= 0)
		r = cr_link_send(&m->peer.link, CR_FRAME_COMMIT, NULL, e);
	if (r >= 0)
		r = fault_at("migrate.done", e);
	if (r >= 0)
		r = hear_done(m, e);
	m->in_doubt = r < 0 && !m->peer.link.refused;
	m->done = r >= 0;
	return r;
}

/* --- the three ways of handing over --- */

static int hand_over_stopped(struct source *m, struct err *e)
{
	int r = 0;

	if (m->offer.was == CR_LIFE_SUSPENDED) {
		auto_fd int images = openat(m->s->dir, CT_CHECKPOINT_DIR,
					    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		r = images < 0 ? err_sys(e, "open the images") : send_images(m, images, e);
	}
	if (r >= 0)
		r = await_ready(m, e);
	return r < 0 ? r : commit(m, e);
}

/* Reading the layer again through a mount of the image while nothing else has it: it is unmounted with the container. */
static int reopen_upper(struct source *m, struct err *e)
{
	cr_upper_close(&m->upper);
	return cr_upper_open(m->s, false, &m->upper, e);
}

static int hand_over_restart(struct source *m, struct err *e)
{
	int r;

	cr_progress_stage(&m->progress, CR_STEP_FREEZE, 0);
	r = fault_at("migrate.stop", e);
	if (r < 0)
		return r;
	m->stopped_at = log_now_ns();
	r = ct_system_stop(m->s, -1, false, e);
	if (r >= 0)
		r = reopen_upper(m, e);
	if (r >= 0)
		r = second_pass(m, e);
	if (r >= 0)
		r = await_ready(m, e);
	return r < 0 ? r : commit(m, e);
}

/* Its tasks are stopped, the images complete: an error lets them go on. */
static int when_dumped(int images, void *arg, struct err *e)
{
	struct source *m = arg;
	int r = second_pass(m, e);

	if (r >= 0)
		r = send_images(m, images, e);
	return r < 0 ? r : await_ready(m, e);
}

/* Its tasks are dead, and the images can be resumed here as well as there. */
static int when_killed(void *arg, struct err *e)
{
	return commit(arg, e);
}

static int hand_over_suspend(struct source *m, struct err *e)
{
	const struct cr_suspend how = {.unflushed = true,
				       .stopped_at_ns = &m->stopped_at,
				       .commit = when_dumped,
				       .killed = when_killed,
				       .arg = m};
	int r;

	cr_progress_stage(&m->progress, CR_STEP_FREEZE, 0);
	r = fault_at("migrate.freeze", e);
	if (r >= 0)
		r = cr_suspend(m->s, &how, e);
	if (r < 0 && m->done) {
		log_warn("%s: %s", m->s->d.name, e->text);
		err_clear(e);
		r = 0;
	}
	return r;
}

static int hand_over(struct source *m, struct err *e)
{
	if (m->offer.was != CR_LIFE_RUNNING)
		return hand_over_stopped(m, e);
	switch (m->how->mode) {
	case CR_MODE_RESTART:
		return hand_over_restart(m, e);
	case CR_MODE_SUSPEND:
		break;
	}
	return hand_over_suspend(m, e);
}

/* --- the two ends --- */

static int in_doubt(struct source *m, struct err *e)
{
	blame(m, e);
	e->class = ERR_IN_DOUBT;
	e->hint[0] = 0;
	err_wrap(e, "%s was given to %s, which did not confirm it", m->s->d.name,
		 m->how->remote.host);
	return err_hint(
		e, "ask it: `skepctl migrate %s --continue`; if it does not have it, `--abort`",
		m->s->d.name);
}

/* A target that was killed, and not only told to end, has left what it had received: asked again, it removes that. */
static void forget(struct source *m)
{
	auto_peer struct cr_peer again = CR_PEER_INIT;
	struct err ignored = {0};

	if (cr_peer_open(&again, &m->how->remote, AGAIN_MS, &ignored) >= 0)
		cr_ask_forget(&again, m->s, &m->j, &ignored);
	if (ignored.no)
		log_info("%s: %s", m->s->d.name, ignored.text);
}

/* It is ours: as it was before. */
static int take_back(struct source *m, struct err *e)
{
	struct err why = {0};
	bool died;

	cr_progress_done(&m->progress);
	blame(m, e);
	died = (e->no == EPIPE || e->no == EINTR) && m->peer.fd >= 0 && !m->peer.link.refused;
	cr_interrupt_hold();
	/* What failed there: the container is here, and runs. */
	if (e->class == ERR_RESTORE || (m->peer.link.refused && e->class == ERR_CHECKPOINT))
		e->class = ERR_MIGRATE;
	cr_peer_close(&m->peer);
	cr_upper_close(&m->upper);
	if (!m->journaled)
		return err_class(e, ERR_MIGRATE);
	if (cr_life_restore(m->s, m->j.mode, m->j.was, &why) < 0) {
		size_t n = strlen(e->text);

		snprintf(e->text + n, sizeof(e->text) - n, "; and it does not run here again: %s",
			 why.text);
		memcpy(e->hint, why.hint, sizeof(e->hint));
		e->class = ERR_RESTORE;
		return -e->no;
	}
	if (m->stopped_at)
		m->report->frozen_ns = log_now_ns() - m->stopped_at;
	if (died)
		forget(m);
	return err_class(e, ERR_MIGRATE);
}

static int talk(struct source *m, struct err *e)
{
	int r = check_journal(m, e);

	if (r >= 0)
		r = make_offer(m, e);
	if (r < 0)
		return r;
	cr_progress_stage(&m->progress, CR_STEP_CONNECT, 0);
	r = fault_at("migrate.connect", e);
	if (r >= 0)
		r = cr_peer_open(&m->peer, &m->how->remote, CR_GREETING_MS, e);
	if (r >= 0)
		r = cr_interrupt_check(e);
	if (r >= 0)
		r = offer(m, e);
	if (r < 0 || m->how->dry_run)
		return r;
	r = first_pass(m, e);
	return r < 0 ? r : hand_over(m, e);
}

int cr_migrate(struct ct_system *s, const struct cr_migrate *how, struct cr_report *report,
	       struct err *e)
{
	struct source m = {
		.s = s, .how = how, .report = report, .peer = CR_PEER_INIT, .upper = CR_UPPER_INIT};
	int r;

	cr_progress_init(&m.progress, how->remote.progress, how->remote.progress_fd, report);
	cr_interrupt_begin();
	r = talk(&m, e);
	if (r < 0)
		r = m.in_doubt ? in_doubt(&m, e) : take_back(&m, e);
	else if (!how->dry_run) {
		cr_upper_close(&m.upper);
		cr_progress_stage(&m.progress, CR_STEP_CLEANUP, 0);
		r = cr_finish_moved(s, &m.j, &m.peer, e);
	}
	source_done(&m);
	cr_interrupt_end();
	return r;
}
