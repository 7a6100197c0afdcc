// SPDX-License-Identifier: GPL-2.0-only
/* What the source sends to the target, pass by pass, and the word that gives the container away. */
#include <errno.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "cgroups/kill.h"
#include "checkpoint/held.h"
#include "checkpoint/interrupt.h"
#include "checkpoint/life.h"
#include "checkpoint/shed.h"
#include "checkpoint/source.h"
#include "runtime/container.h"
#include "runtime/network.h"
#include "storage/manifest.h"
#include "storage/stream.h"

/* While it runs one pass follows the other until the next would find little, or not less than this one. */
#define PASSES_MOST    5
#define LITTLE_ENTRIES 64
#define LITTLE_BYTES   (1u << 20)

/* last: nothing changes the tree any more. */
static int send_pass(struct cr_source *m, enum cr_frame frame, bool last,
		     struct st_stream_stats *stats, struct err *e)
{
	const struct st_stream_pass pass = {.dir = m->upper.dir,
					    .fd = m->peer.link.out,
					    .id_base = m->s->d.id_base,
					    .sent = m->sent,
					    .last = last,
					    .pace = cr_pace_stream,
					    .pace_arg = &m->pace,
					    .squeeze = m->peer.link.squeeze};
	auto_json json_t *j = json_pack("{s:b}", "last", last);
	int r;

	if (!j)
		return err_set(e, ENOMEM, "send the files: out of memory");
	r = cr_link_send(&m->peer.link, frame, j, e);
	if (r >= 0)
		r = cr_link_judge(&m->peer.link, st_stream_send_pass(&pass, stats, e), e);
	m->peer.link.sent += stats->wire;
	return r;
}

int cr_source_first_pass(struct cr_source *m, struct err *e)
{
	struct st_stream_stats stats = {0}, last = {0};
	bool runs = m->offer.was == CR_LIFE_RUNNING;
	uint64_t before = m->peer.link.sent;
	int r = fault_at("migrate.rootfs", e);

	cr_progress_stage(&m->progress, CR_STEP_ROOTFS, m->offer.bytes);
	if (r < 0)
		return r;
	m->sent = st_manifest_new();
	if (!m->sent)
		return err_set(e, ENOMEM, "send the files: out of memory");
	r = send_pass(m, CR_FRAME_ROOTFS, !runs, &stats, e);
	for (int i = 1; runs && r >= 0 && i < PASSES_MOST; i++) {
		if (stats.entries < LITTLE_ENTRIES && stats.bytes < LITTLE_BYTES)
			break;
		if (i > 2 && stats.bytes > last.bytes / 2 && stats.entries > last.entries / 2)
			break;
		last = stats;
		stats = (struct st_stream_stats){0};
		r = send_pass(m, CR_FRAME_DELTA, false, &stats, e);
	}
	m->pass_bytes = stats.bytes;
	cr_progress_bytes(&m->progress, m->peer.link.sent - before);
	return r;
}

int cr_source_live_pass(struct cr_source *m, struct err *e)
{
	struct st_stream_stats stats = {0};
	int r = send_pass(m, CR_FRAME_DELTA, false, &stats, e);

	m->pass_bytes = stats.bytes;
	return r;
}

/* --- it does not run: until the target has everything --- */

int cr_source_second_pass(struct cr_source *m, struct err *e)
{
	struct st_stream_stats stats = {0};
	int r = fault_at("migrate.delta", e);

	cr_progress_stage(&m->progress, CR_STEP_DELTA, 0);
	if (r >= 0)
		r = send_pass(m, CR_FRAME_DELTA, true, &stats, e);
	cr_progress_bytes(&m->progress, stats.wire);
	return r;
}

int cr_source_send_images(struct cr_source *m, int images, struct err *e)
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

int cr_source_await_ready(struct cr_source *m, struct err *e)
{
	cr_progress_stage(&m->progress, CR_STEP_RESTORE, 0);
	if (fault_at("migrate.ready", e) < 0)
		return -e->no;
	/* Its restore may need pages: who gives them must live. */
	if (cr_mode_is_lazy(m->j.mode) && m->live)
		return cr_lend_expect(&m->lend, &m->peer.link, CR_FRAME_READY, CR_RESTORE_MS, e);
	return cr_link_expect(&m->peer.link, CR_FRAME_READY, NULL, CR_RESTORE_MS, e);
}

/* --- the point of no return --- */

/* It goes on there where it was stopped here. */
static bool is_awaited(const struct cr_source *m)
{
	return m->offer.was == CR_LIFE_RUNNING && m->offer.mode != CR_MODE_RESTART;
}

/* Its memory is there, so with the target's word that it runs there the frozen one here is of no use to anybody. */
static bool is_spent(const struct cr_source *m)
{
	return m->live && m->offer.was == CR_LIFE_RUNNING && !cr_mode_is_lazy(m->j.mode);
}

static int shed_links(const struct cr_source *m)
{
	auto_ct struct ct ct = CT_INIT;
	char names[CT_NETS_MAX][IFNAMSIZ];
	struct err ignored = {0};
	int r = ct_open(m->s->host->state, m->s->d.name, NULL, &ct, &ignored);

	if (r >= 0)
		r = ct_network_links(&ct, names, &ignored);
	return r < 0 ? -EBADF : cr_shed_links(names, r);
}

static int hear_runs(struct cr_source *m, struct err *e)
{
	struct err why = {0};
	int r = 0;

	if (m->offer.was == CR_LIFE_RUNNING) {
		r = cr_link_expect(&m->peer.link, CR_FRAME_RUNS, NULL, CR_RESTORE_MS, e);
		if (r >= 0 && m->stopped_at)
			m->report->frozen_ns = log_now_ns() - m->stopped_at;
	}
	/* Its addresses have been announced there: what comes here from now on was under way. */
	if (r >= 0 && is_awaited(m))
		r = cr_held_send(&m->peer.link, &m->frames, e);
	if (r < 0)
		return r;
	/* They end while we go on: of a gigabyte that takes 50 ms. */
	if (is_spent(m) && cg_kill(&m->cg, &why) < 0)
		log_warn("container %s: %s", m->s->d.name, why.text);
	/* Nor what would still come for them. */
	if (is_spent(m))
		m->shed_links = shed_links(m);
	/* The kernel takes a grace period (10 ms) to close it: while we and the target work. */
	m->shed_frames = cr_shed_begin(&m->frames.fd);
	net_hold_close(&m->frames);
	return 0;
}

static int hear_done(struct cr_source *m, struct err *e)
{
	int r = fault_at("migrate.runs", e);

	if (r < 0)
		return r;
	/* When all its memory is there, however long that takes. */
	if (cr_mode_is_lazy(m->j.mode) && m->live)
		r = cr_lend_expect(&m->lend, &m->peer.link, CR_FRAME_DONE, -1, e);
	else
		r = cr_link_expect(&m->peer.link, CR_FRAME_DONE, NULL, CR_RESTORE_MS, e);
	if (r >= 0 && m->lend.served)
		m->report->memory_bytes += m->lend.served->pages * CR_PAGE_SIZE;
	return r;
}

int cr_source_commit(struct cr_source *m, struct err *e)
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
	/* The frozen one's kernel must not answer its clients, not even when all of us are dead, and with us our lock. */
	if (r >= 0 && m->live)
		r = cr_life_cut(m->s, e);
	/* It may be on disk or not, but COMMIT was not sent: the container is ours. */
	if (r >= 0 && is_awaited(m))
		r = cr_held_send(&m->peer.link, &m->frames, e);
	if (r < 0)
		return r;
	m->in_doubt = true;
	r = fault_at("migrate.commit", e);
	if (r >= 0)
		r = cr_link_send(&m->peer.link, CR_FRAME_COMMIT, NULL, e);
	if (r >= 0)
		r = fault_at("migrate.done", e);
	if (r >= 0)
		r = hear_runs(m, e);
	if (r >= 0 && !is_spent(m))
		r = hear_done(m, e);
	m->in_doubt = r < 0 && !m->peer.link.refused;
	m->done = r >= 0;
	return r;
}

int cr_source_await_done(struct cr_source *m, struct err *e)
{
	int r = is_spent(m) ? hear_done(m, e) : 0;

	/* Nothing gives it back any more, whatever is said. */
	m->in_doubt = r < 0;
	return r;
}
