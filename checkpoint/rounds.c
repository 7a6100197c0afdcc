// SPDX-License-Identifier: GPL-2.0-only
/* The rounds of a live migration: the memory of a running container, again and again until little is left, and what is left when it is frozen. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "checkpoint/pagemap.h"
#include "checkpoint/pages_daemon.h"
#include "checkpoint/source.h"
#include "runtime/container.h"

/*
 * P.Haul's rules (phaul/iters.py): at most so many rounds, none for less than 64 pages, none when the last one has not made less of it.
 * Each round here costs no freeze, so the bound is higher than its 8.
 */
#define ROUNDS_MOST	CR_ROUNDS_MOST
#define LITTLE_BYTES	(64 * 4096u)
#define GAIN_PERCENT	90
#define FIXED_MOST_NS	60000000000ll
#define DEFAULT_GOAL_MS 300
/* Before a lazy freeze: what is written in the second one is little against what has to be asked for anyway. */
#define LAZY_ROUNDS 2
/* Of one frame STALE: some 300 KB. */
#define STALE_RUNS 10000
/* It came here lately, and its memory is still on the way: that is a matter of a second. */
/* What is not memory in a freeze, until it was measured: criu's dump and restore of a few processes. */
#define FIXED_NS   120000000ull
#define FIXED_FILE "frozen.json" /* {"fixed_ns": N} in the host's cache, which a reboot empties */
/* A round must be at least so large that its time says something about the link. */
#define TELLING_BYTES (1u << 20)
/* Before any round was: a memory copy through two processes and a loopback link. */
#define FIRST_BYTES_PER_S 500000000ull

/* Which tells what was written, if that is needed. */
static int choose_tracker(struct cr_source *m, enum cr_track_backend *b, struct err *e)
{
	struct cr_report *report = m->report;

	*b = CR_TRACK_CONTENT;
	if (m->j.mode == CR_MODE_POSTCOPY)
		return 0;
	if (m->j.mode != CR_MODE_CONTENT && cr_track_choose(b, report->tracker_why, e) < 0) {
		err_class(e, ERR_UNSUPPORTED);
		return err_wrap(e, "follow a container's memory");
	}
	snprintf(report->tracker, sizeof(report->tracker), "%s", cr_track_backend_to_str(*b));
	if (report->tracker_why[0])
		log_info("%s: written memory is found by %s: %s", m->s->d.name, report->tracker,
			 report->tracker_why);
	return 0;
}

int cr_source_open_memory(struct cr_source *m, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	enum cr_track_backend backend;
	int r = ct_open(m->s->host->state, m->s->d.name, NULL, &ct, e);

	if (r >= 0)
		r = cg_open(ct.s.cgroup, &m->cg, e);
	if (r >= 0)
		r = cr_pages_wait(ct.dir, CR_RESIDENT_MS, e);
	if (r >= 0)
		r = choose_tracker(m, &backend, e);
	if (r >= 0)
		r = cr_track_open(&m->cg, backend, &m->track, e);
	return r < 0 ? r : cr_memory_out_init(&m->memory, &m->peer.link, &m->pace, e);
}

static uint64_t time_for(const struct cr_source *m, uint64_t bytes)
{
	uint64_t speed = m->link_bytes_per_s ? m->link_bytes_per_s : FIRST_BYTES_PER_S;

	return (uint64_t)((double)bytes * 1e9 / (double)speed);
}

/* What a freeze now would have to send: what is known to be written, or, where only reading it all tells, what the last round found. */
static int look_ahead(struct cr_source *m, struct cr_round *now, struct err *e)
{
	uint64_t pages = 0;
	int r = cr_track_pending(m->track, &pages, e);

	if (r < 0)
		return r;
	now->pending = pages == UINT64_MAX ? now->bytes : pages * CR_PAGE_SIZE;
	now->predicted_ns = m->fixed_ns + time_for(m, now->pending + m->pass_bytes);
	return 0;
}

/* What has been sent, as it was before it was packed: that is what the link is good for. */
static uint64_t carried(const struct cr_source *m)
{
	const struct squeeze_stats s = squeeze_stats(m->peer.link.squeeze);

	return m->peer.link.sent + s.before - s.after;
}

static int one_round(struct cr_source *m, struct cr_round *now, struct err *e)
{
	struct cr_track_stats stats = {0};
	uint64_t began = log_now_ns(), before = carried(m), sent;
	int r = fault_at("migrate.round", e);

	if (r >= 0)
		r = cr_track_round(m->track, cr_memory_out_run, &m->memory, &stats, e);
	if (r >= 0)
		r = cr_memory_out_round(&m->memory, m->report->rounds, e);
	if (r < 0)
		return r;
	now->pages = stats.pages;
	now->bytes = stats.bytes;
	now->ns = log_now_ns() - began;
	sent = carried(m) - before;
	m->report->memory_bytes += stats.fresh * CR_PAGE_SIZE;
	/* Zeroes cost next to nothing: what a byte of memory takes is what counts, but a round that waited for its limit says nothing of the link. */
	if (stats.bytes >= TELLING_BYTES && sent >= TELLING_BYTES)
		m->link_bytes_per_s = (uint64_t)((double)sent * 1e9 / (double)now->ns);
	return look_ahead(m, now, e);
}

/* Whether another round would gain nothing worth its while. */
static bool enough(const struct cr_source *m)
{
	const struct cr_report *report = m->report;
	const struct cr_round *now = &report->round[report->rounds - 1], *last = now - 1;

	if (now->pending <= LITTLE_BYTES || report->rounds == ROUNDS_MOST ||
	    (cr_mode_is_lazy(m->j.mode) && report->rounds == LAZY_ROUNDS))
		return true;
	/* A tenth of what the freeze takes anyway. */
	if (time_for(m, now->pending) <= m->fixed_ns / 10)
		return true;
	return report->rounds > 1 && now->pending >= last->pending / 100 * GAIN_PERCENT;
}

static int judge(struct cr_source *m, struct err *e)
{
	const struct cr_round *now = &m->report->round[m->report->rounds - 1];
	uint64_t goal = m->how->max_downtime_ms ? m->how->max_downtime_ms : DEFAULT_GOAL_MS;

	if (now->predicted_ns <= goal * 1000000)
		return 0;
	if (!m->how->bound) {
		log_info("%s: predicted to be frozen for %" PRIu64 " ms, more than %" PRIu64,
			 m->s->d.name, now->predicted_ns / 1000000, goal);
		return 0;
	}
	err_set(e, EBUSY,
		"it would be frozen for about %" PRIu64 " ms, and --max-downtime is %" PRIu64
		": %" PRIu64 " ms to dump and restore it, %" PRIu64
		" ms to send what it writes meanwhile",
		now->predicted_ns / 1000000, goal, m->fixed_ns / 1000000,
		(now->predicted_ns - m->fixed_ns) / 1000000);
	if (m->fixed_ns > goal * 1000000)
		err_hint(
			e,
			"raise --max-downtime: to dump and restore it alone takes longer; it runs on");
	else
		err_hint(e, "raise --max-downtime, or migrate when it is less busy; it runs on");
	m->report->other_mode = true;
	return err_class(e, ERR_MIGRATE);
}

static uint64_t learned(const struct ct_host *h)
{
	struct err ignored = {0};
	auto_fd int cache = ct_host_cache(h, &ignored);
	auto_json json_t *j = NULL;
	int64_t ns = 0;

	if (cache < 0 || faccessat(cache, FIXED_FILE, F_OK, 0) < 0 ||
	    json_load_at(cache, FIXED_FILE, &j, &ignored) < 0 ||
	    json_get_int(j, "fixed_ns", &ns, &ignored) <= 0 || ns <= 0 || ns > FIXED_MOST_NS)
		return FIXED_NS;
	return (uint64_t)ns;
}

/* Half of it is the newest: a host that was busy once is not slow for long. */
void cr_source_learn(const struct cr_source *m)
{
	const struct cr_report *r = m->report;
	uint64_t memory = r->stage[CR_STEP_PAGES].ns + r->stage[CR_STEP_DELTA].ns;
	uint64_t fixed = r->frozen_ns > memory ? r->frozen_ns - memory : 0;
	auto_json json_t *j = NULL;
	auto_free char *text = NULL;
	struct err ignored = {0};
	auto_fd int cache = fixed ? ct_host_cache(m->s->host, &ignored) : -EBADF;

	if (cache < 0)
		return;
	fixed = (fixed + learned(m->s->host)) / 2;
	j = json_pack("{s:I}", "fixed_ns", (json_int_t)fixed);
	text = j ? json_dumps(j, 0) : NULL;
	if (!text ||
	    file_replace_volatile_at(cache, FIXED_FILE, text, strlen(text), 0600, &ignored) < 0)
		log_info("what a freeze takes cannot be noted: %s", ignored.text);
}

int cr_source_rounds(struct cr_source *m, struct err *e)
{
	uint64_t before = m->peer.link.sent;
	int r = fault_at("migrate.track", e);

	cr_progress_stage(&m->progress, CR_STEP_MEMORY, m->offer.memory);
	m->fixed_ns = learned(m->s->host);
	if (r >= 0)
		r = cr_source_open_memory(m, e);
	while (r >= 0) {
		struct cr_round *now = &m->report->round[m->report->rounds];

		r = one_round(m, now, e);
		if (r < 0)
			break;
		m->report->rounds++;
		cr_progress_round(&m->progress, m->report->rounds, now);
		if (enough(m))
			break;
	}
	cr_progress_bytes(&m->progress, m->peer.link.sent - before);
	/* What is left crosses while it runs there. */
	return r < 0 || cr_mode_is_lazy(m->j.mode) ? r : judge(m, e);
}

int cr_source_parting_round(struct cr_source *m, struct err *e)
{
	struct cr_track_stats stats = {0};
	uint64_t before = m->peer.link.sent;
	int r = fault_at("migrate.parting", e);

	if (r < 0 || !m->report->rounds || !cr_track_is_quick(m->track))
		return r;
	r = cr_track_round(m->track, cr_memory_out_run, &m->memory, &stats, e);
	if (r >= 0)
		r = cr_memory_out_flush(&m->memory, e);
	m->report->memory_bytes += stats.fresh * CR_PAGE_SIZE;
	cr_progress_bytes(&m->progress, m->peer.link.sent - before);
	return r;
}

static int lazy_runs(const struct cr_pagemap *map, struct cr_run **needed, size_t *count,
		     struct err *e)
{
	struct cr_run *runs = calloc(map->count ? map->count : 1, sizeof(*runs));
	size_t n = 0;

	if (!runs)
		return err_set(e, ENOMEM, "send the memory: out of memory");
	for (size_t i = 0; i < map->count; i++)
		if (map->runs[i].flags & CR_PAGE_LAZY)
			runs[n++] = (struct cr_run){map->runs[i].vaddr, map->runs[i].npages};
	*needed = runs;
	*count = n;
	return 0;
}

static int send_stale(struct cr_source *m, uint32_t id, const struct cr_run *left, int count,
		      struct err *e)
{
	int r = 0;

	for (int at = 0; left && r >= 0 && at < count;) {
		auto_json json_t *runs = json_array();
		auto_json json_t *j = NULL;

		for (int i = 0; runs && i < STALE_RUNS && at < count; i++, at++)
			json_array_append_new(runs, json_pack("[I, I]", (json_int_t)left[at].vaddr,
							      (json_int_t)left[at].npages));
		j = json_pack("{s:I, s:O?}", "id", (json_int_t)id, "runs", runs);
		if (!j)
			return err_set(e, ENOMEM, "send the memory: out of memory");
		r = cr_link_send(&m->peer.link, CR_FRAME_STALE, j, e);
	}
	return r;
}

static int name_stale(const struct cr_pagemap *map, void *arg, struct err *e)
{
	struct cr_source *m = arg;
	auto_free struct cr_run *needed = NULL, *left = NULL;
	size_t count;
	int r = lazy_runs(map, &needed, &count, e);

	if (r >= 0 && count)
		r = cr_track_left(m->track, map->id, needed, count, &left, e);
	return r <= 0 ? r : send_stale(m, map->id, left, r, e);
}

int cr_source_stale_pages(struct cr_source *m, int images, struct err *e)
{
	int r = fault_at("migrate.stale", e);

	cr_progress_stage(&m->progress, CR_STEP_PAGES, 0);
	/* Without rounds there is nothing there that could be stale. */
	if (r >= 0 && m->report->rounds)
		r = cr_pagemap_each(images, name_stale, m, e);
	return r < 0 ? r : 0;
}

/* Of one process: what criu left out of its images, and no round has sent as it is now. */
static int send_left(const struct cr_pagemap *map, void *arg, struct err *e)
{
	struct cr_source *m = arg;
	struct cr_track_stats stats = {0};
	auto_free struct cr_run *needed = NULL;
	size_t n;
	int r = lazy_runs(map, &needed, &n, e);

	if (r < 0 || n == 0)
		return r;
	r = cr_track_final(m->track, map->id, needed, n, cr_memory_out_run, &m->memory, &stats, e);
	m->report->memory_bytes += stats.fresh * CR_PAGE_SIZE;
	return r;
}

int cr_source_last_pages(struct cr_source *m, int images, struct err *e)
{
	uint64_t before = m->peer.link.sent;
	int r = fault_at("migrate.pages", e);

	cr_progress_stage(&m->progress, CR_STEP_PAGES, 0);
	if (r >= 0)
		r = cr_pagemap_each(images, send_left, m, e);
	if (r >= 0)
		r = cr_memory_out_flush(&m->memory, e);
	cr_progress_bytes(&m->progress, m->peer.link.sent - before);
	return r < 0 ? r : 0;
}
