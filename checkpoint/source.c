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
#include "checkpoint/home.h"
#include "checkpoint/interrupt.h"
#include "checkpoint/life.h"
#include "checkpoint/plan.h"
#include "checkpoint/preflight.h"
#include "checkpoint/shed.h"
#include "checkpoint/source.h"
#include "runtime/system_doubt.h"
#include "storage/manifest.h"

/* A host that went away is asked only this long: the command has failed already. */
#define AGAIN_MS 10000

static void source_done(struct cr_source *m)
{
	m->report->squeezed = squeeze_stats(m->peer.link.squeeze);
	squeeze_free(m->peer.link.squeeze);
	m->peer.link.squeeze = NULL;
	cr_progress_done(&m->progress);
	cr_peer_close(&m->peer);
	cr_upper_close(&m->upper);
	net_hold_close(&m->frames);
	cr_shed_wait(&m->shed_frames);
	cr_shed_wait(&m->shed_lock);
	cr_shed_wait(&m->shed_links);
	cr_lend_close(&m->lend);
	cr_track_close(&m->track);
	cr_memory_out_done(&m->memory);
	cg_close(&m->cg);
	st_manifest_free(m->sent);
	m->sent = NULL;
}

/* A link that broke: what the target said before it went, or what the remote shell did, explains it better than our errno. */
static int blame(struct cr_source *m, struct err *e)
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
static int check_journal(struct cr_source *m, struct err *e)
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
			return cr_life_restore(m->s, old.mode, old.was, e);
	}
	if (old.point == CR_POINT_MOVED || old.point == CR_POINT_KEPT)
		return ct_dir_in_doubt(m->s->dir, m->s->d.name, e);
	err_set(e, EBUSY, "an earlier migration to %s is not finished", old.host);
	err_hint(e, "finish it with `skepctl migrate %s --continue`", m->s->d.name);
	return err_class(e, ERR_IN_DOUBT);
}

static int send_json(struct cr_source *m, enum cr_frame frame, json_t *payload, struct err *e)
{
	if (!payload)
		return err_set(e, ENOMEM, "talk to %s: out of memory", m->how->remote.host);
	return cr_link_send(&m->peer.link, frame, payload, e);
}

static int make_offer(struct cr_source *m, struct err *e)
{
	struct cr_offer *o = &m->offer;
	int r = cr_life_now(m->s, &o->was, e);

	o->mode = m->how->mode;
	o->dry_run = m->how->dry_run;
	if (r >= 0)
		r = cr_journal_init(&m->j, &m->how->remote, e);
	memcpy(o->token, m->j.token, sizeof(o->token));
	m->j.was = o->was;
	m->j.keep = m->how->keep;
	if (r >= 0)
		r = cr_upper_open(m->s, o->was == CR_LIFE_RUNNING, &m->upper, e);
	return r < 0 ? r : cr_offer_describe(m->s, m->upper.dir, o, e);
}

/* Now that it is known what the other host can. Of one that does not run there is nothing to choose. */
static int choose(struct cr_source *m, struct err *e)
{
	struct cr_report *report = m->report;
	struct cr_offer *o = &m->offer;
	const struct cg_limits *l = &m->s->d.limits;
	int r = 0;

	if (o->mode == CR_MODE_AUTO && m->how->keep) {
		o->mode = CR_MODE_SUSPEND; /* its memory stays here, too */
		snprintf(report->why, sizeof(report->why), "mode suspend, since --keep is given");
	} else if (o->was == CR_LIFE_RUNNING)
		r = cr_plan(m->how->mode, cr_can_here(), m->peer.link.can, m->how->remote.host,
			    &o->mode, report->why, e);
	else if (o->mode == CR_MODE_AUTO || o->mode == CR_MODE_LIVE)
		o->mode = CR_MODE_SUSPEND;
	if (r >= 0 && o->was == CR_LIFE_RUNNING && o->mode != CR_MODE_RESTART)
		r = cr_offer_measure_memory(m->s, o, e);
	if (r >= 0)
		r = cr_plan_memory(m->how->mode, o->apart,
				   l->set[CG_LIMIT_MEM_MAX] ? l->value[CG_LIMIT_MEM_MAX] : 0,
				   &o->mode, report->why, e);
	m->j.mode = o->mode;
	m->live = cr_offer_is_live(o);
	snprintf(report->mode, sizeof(report->mode), "%s", cr_mode_to_str(o->mode));
	if (report->why[0])
		log_info("%s: %s", m->s->d.name, report->why);
	return r;
}

/* What criu would refuse, before anything is sent. Of a dry run the command prints all of it. */
static int look(struct cr_source *m, struct err *e)
{
	auto_preflight struct cr_preflight found = {0};
	auto_ct struct ct ct = CT_INIT;
	int r;

	if (m->offer.was != CR_LIFE_RUNNING || m->offer.mode == CR_MODE_RESTART || m->how->dry_run)
		return 0;
	r = ct_open(m->s->host->state, m->s->d.name, NULL, &ct, e);
	if (r >= 0)
		r = cr_preflight(&ct, &m->s->d, CR_PREFLIGHT_DUMP, &found, e);
	return r < 0 ? r : cr_preflight_judge(&found, e);
}

/* What we may be silent for beyond what protocol.h grants, in seconds. */
static int64_t patience(const struct cr_source *m)
{
	/* criu writes the memory to our disk; the tree stream waits for its turn with a whole frame. */
	enum { SLOW_DISK = 32 << 20, FRAME = 1 << 20 };
	const struct cr_offer *o = &m->offer;
	int64_t s = m->pace.bytes_per_s ? FRAME / (int64_t)m->pace.bytes_per_s : 0;

	if (o->was != CR_LIFE_RUNNING)
		return s;
	if (o->mode == CR_MODE_RESTART)
		s += m->how->stop_timeout_s < 0 ? m->s->d.stop_timeout_s : m->how->stop_timeout_s;
	else if (o->mode == CR_MODE_SUSPEND)
		s += (int64_t)(o->memory / SLOW_DISK);
	return s < CR_PATIENCE_MAX ? s : CR_PATIENCE_MAX;
}

/* What it can take decides. */
static int open_squeeze(struct cr_source *m, struct err *e)
{
	struct cr_link *l = &m->peer.link;

	if (m->how->compress == SQUEEZE_NONE)
		return 0;
	if (l->can >> CR_CAN_ZSTD & 1) {
		l->squeeze = squeeze_new(m->how->compress, l->out, m->how->bytes_per_s, e);
		return l->squeeze ? 0 : -e->no;
	}
	if (m->how->compress == SQUEEZE_AUTO)
		return 0;
	err_set(e, EOPNOTSUPP, "skep on %s takes nothing compressed", l->peer);
	err_hint(e, "install a newer one there, or take --compress none");
	return err_class(e, ERR_UNSUPPORTED);
}

static int offer(struct cr_source *m, struct err *e)
{
	auto_json json_t *j = NULL;
	int r;

	cr_progress_stage(&m->progress, CR_STEP_CHECK, 0);
	r = open_squeeze(m, e);
	if (r >= 0)
		r = choose(m, e);
	if (r >= 0)
		r = look(m, e);
	if (r >= 0)
		r = fault_at("migrate.offer", e);
	if (r >= 0)
		r = cr_offer_to_json(&m->offer, &j, e);
	if (r >= 0)
		r = cr_home_offer(m->s->host->root, j, e);
	if (r >= 0 && json_object_set_new(j, "patience", json_integer(patience(m))) < 0)
		r = err_set(e, ENOMEM, "describe the container: out of memory");
	/* Before the target reserves anything: whoever finds us dead can ask it to forget. */
	if (r >= 0 && !m->how->dry_run) {
		m->journaled = true;
		r = cr_journal_save(m->s->dir, &m->j, e);
	}
	if (r >= 0)
		r = send_json(m, CR_FRAME_OFFER, j, e);
	return r < 0 ? r : cr_link_expect(&m->peer.link, CR_FRAME_ACCEPT, NULL, CR_ANSWER_MS, e);
}

/* --- the two ends --- */

static int in_doubt(struct cr_source *m, struct err *e)
{
	blame(m, e);
	e->class = ERR_IN_DOUBT;
	e->hint[0] = 0;
	if (m->done)
		err_wrap(e, "%s runs on %s, which has not said yet that all of it is on its disk",
			 m->s->d.name, m->how->remote.host);
	else
		err_wrap(e, "%s was given to %s, which did not confirm it", m->s->d.name,
			 m->how->remote.host);
	if (m->done)
		return err_hint(
			e,
			"when %s can be reached, `skepctl migrate %s --continue` asks again, and then removes what is left here",
			m->how->remote.host, m->s->d.name);
	return err_hint(
		e,
		"when %s can be reached, `skepctl migrate %s --continue` lets it go on: there, or, if it does not have it, here",
		m->how->remote.host, m->s->d.name);
}

/* A target that was killed, and not only told to end, has left what it had received: asked again, it removes that. */
static void forget(struct cr_source *m)
{
	auto_peer struct cr_peer again = CR_PEER_INIT;
	struct err ignored = {0};

	if (cr_peer_open(&again, &m->how->remote, AGAIN_MS, &ignored) >= 0)
		cr_ask_forget(&again, m->s, &m->j, &ignored);
	if (ignored.no)
		log_info("%s: %s", m->s->d.name, ignored.text);
}

/* It is ours: as it was before. */
static int take_back(struct cr_source *m, struct err *e)
{
	struct err why = {0};
	bool died;

	cr_progress_done(&m->progress);
	blame(m, e);
	cr_life_hint(m->offer.was, e);
	died = (e->no == EPIPE || e->no == EINTR) && m->peer.fd >= 0 && !m->peer.link.refused;
	cr_interrupt_hold();
	if (e->class == ERR_CHECKPOINT || e->class == ERR_RESTORE || e->class == ERR_UNSUPPORTED)
		m->report->other_mode = true;
	/* What failed there: the container is here, and runs. */
	if (e->class == ERR_RESTORE || (m->peer.link.refused && e->class == ERR_CHECKPOINT))
		e->class = ERR_MIGRATE;
	cr_lend_close(&m->lend);
	cr_peer_close(&m->peer);
	cr_upper_close(&m->upper);
	cr_track_close(&m->track);
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

static int talk(struct cr_source *m, struct err *e)
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
	r = cr_source_first_pass(m, e);
	return r < 0 ? r : cr_hand_over(m, e);
}

int cr_migrate(struct ct_system *s, const struct cr_migrate *how, struct cr_report *report,
	       struct err *e)
{
	struct cr_source m = {.s = s,
			      .how = how,
			      .report = report,
			      .peer = CR_PEER_INIT,
			      .upper = CR_UPPER_INIT,
			      .frames = NET_HOLD_INIT,
			      .shed_frames = -EBADF,
			      .shed_lock = -EBADF,
			      .shed_links = -EBADF,
			      .cg = CG_INIT,
			      .lend = CR_LEND_INIT,
			      .pace = {.bytes_per_s = how->bytes_per_s}};
	int r;

	cr_progress_init(&m.progress, how->remote.progress, how->remote.progress_fd, &s->dir,
			 report);
	cr_interrupt_begin();
	r = talk(&m, e);
	if (r < 0)
		r = m.in_doubt ? in_doubt(&m, e) : take_back(&m, e);
	else if (!how->dry_run) {
		cr_upper_close(&m.upper);
		cr_progress_stage(&m.progress, CR_STEP_CLEANUP, 0);
		if (m.live)
			cr_source_learn(&m);
		r = cr_finish_moved(s, &m.j, &how->remote, &m.peer, e);
	}
	source_done(&m);
	cr_interrupt_end();
	return r;
}
