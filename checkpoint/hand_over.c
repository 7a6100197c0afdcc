// SPDX-License-Identifier: GPL-2.0-only
/* The ways in which a container is stopped here and handed over: it was stopped, it reboots there, or its memory goes along. */
#include <errno.h>
#include <fcntl.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/own.h"
#include "checkpoint/held.h"
#include "checkpoint/interrupt.h"
#include "checkpoint/shed.h"
#include "checkpoint/source.h"
#include "checkpoint/sums.h"
#include "checkpoint/suspend.h"

static int hand_over_stopped(struct cr_source *m, struct err *e)
{
	int r = 0;

	if (m->offer.was == CR_LIFE_SUSPENDED) {
		auto_fd int images = openat(m->s->dir, CT_CHECKPOINT_DIR,
					    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		/* Their sums go along and are looked at by the resume: what a disk has done to them since is better told where the rest of the container still is. */
		r = images < 0 ? err_sys(e, "open the images") : cr_sums_check(images, e);
		if (r >= 0)
			r = cr_source_send_images(m, images, e);
	}
	if (r >= 0)
		r = cr_source_await_ready(m, e);
	return r < 0 ? r : cr_source_commit(m, e);
}

/* Reading the layer again through a mount of the image while nothing else has it: it is unmounted with the container. */
static int reopen_upper(struct cr_source *m, struct err *e)
{
	cr_upper_close(&m->upper);
	return cr_upper_open(m->s, false, &m->upper, e);
}

static int hand_over_restart(struct cr_source *m, struct err *e)
{
	int r;

	cr_progress_stage(&m->progress, CR_STEP_FREEZE, 0);
	r = fault_at("migrate.stop", e);
	if (r < 0)
		return r;
	cr_source_hurry(m);
	r = ct_system_stop(m->s, m->how->stop_timeout_s, false, e);
	/* Until then it ran, however long it took to end. */
	m->stopped_at = log_now_ns();
	if (r >= 0)
		r = reopen_upper(m, e);
	if (r >= 0)
		r = cr_source_second_pass(m, e);
	if (r >= 0)
		r = cr_source_await_ready(m, e);
	return r < 0 ? r : cr_source_commit(m, e);
}

/* Its tasks are stopped, the images complete: an error lets them go on. */
static int when_dumped(int images, void *arg, struct err *e)
{
	struct cr_source *m = arg;
	int r;

	cr_source_hurry(m);
	r = cr_source_second_pass(m, e);
	if (r >= 0)
		r = cr_source_send_images(m, images, e);
	return r < 0 ? r : cr_source_await_ready(m, e);
}

/* Its tasks are dead, and the images can be resumed here as well as there. */
static int when_killed(void *arg, struct err *e)
{
	return cr_source_commit(arg, e);
}

/* What goes wrong after the target said that it has it is nothing that brings it back. */
static int given_away(const struct cr_source *m, int r, struct err *e)
{
	if (r >= 0 || !m->done)
		return r;
	log_warn("%s: %s", m->s->d.name, e->text);
	err_clear(e);
	return 0;
}

static int hand_over_suspend(struct cr_source *m, struct err *e)
{
	const struct cr_suspend how = {.unflushed = true,
				       .stopped_at_ns = &m->stopped_at,
				       .commit = when_dumped,
				       .killed = when_killed,
				       .frames = &m->frames,
				       .arg = m};
	int r;

	cr_progress_stage(&m->progress, CR_STEP_FREEZE, 0);
	cr_held_open(m->s, &m->frames);
	r = fault_at("migrate.freeze", e);
	if (r >= 0)
		r = cr_suspend(m->s, &how, e);
	return given_away(m, r, e);
}

/* Its restore needs pages already: the daemon there asks for them from its start on. */
static int feed(struct cr_source *m, struct err *e)
{
	int r = fault_at("migrate.feed", e);

	if (r >= 0)
		r = cr_link_expect(&m->peer.link, CR_FRAME_FEED, NULL, CR_RESTORE_MS, e);
	return r < 0 ? r : cr_lend_start(&m->lend, m->s, &m->j, m->track, e);
}

/* Its tasks are frozen, and stay so whatever happens to us: the rest of its memory, of its files, the images, and then it is the target's. */
static int when_frozen(int images, void *arg, struct err *e)
{
	struct cr_source *m = arg;
	int r = fault_at("migrate.frozen", e);

	cr_source_hurry(m);
	if (r >= 0)
		r = cr_mode_is_lazy(m->j.mode) ? cr_source_stale_pages(m, images, e)
					       : cr_source_last_pages(m, images, e);
	if (r >= 0)
		r = cr_source_second_pass(m, e);
	if (r >= 0)
		r = cr_source_send_images(m, images, e);
	if (r >= 0 && cr_mode_is_lazy(m->j.mode))
		r = feed(m, e);
	if (r >= 0)
		r = cr_source_await_ready(m, e);
	if (r >= 0)
		r = cr_source_commit(m, e);
	/* It is the target's: nothing can fail it any more, or they would go on here. Only a kill. */
	if (r >= 0)
		(void)fault_at("migrate.kill", &(struct err){0});
	return r;
}

static int when_stopping(void *arg, struct err *e)
{
	return cr_source_parting_round(arg, e);
}

static int hand_over_live(struct cr_source *m, struct err *e)
{
	auto_fd int hold = -EBADF;
	const struct cr_suspend how = {.unflushed = true,
				       .stopped_at_ns = &m->stopped_at,
				       .stopping = when_stopping,
				       .commit = when_frozen,
				       .frames = &m->frames,
				       .arg = m,
				       .live = true,
				       .hold = &hold,
				       .stay = &m->in_doubt};
	int r = m->j.mode == CR_MODE_POSTCOPY ? cr_source_open_memory(m, e)
					      : cr_source_rounds(m, e);

	if (r >= 0)
		r = cr_source_live_pass(m, e);
	if (r >= 0 && cr_mode_is_lazy(m->j.mode))
		r = cr_lend_open(&m->lend, &m->how->remote, e);
	/* A signal ends this talk by the end of its shell. */
	cr_interrupt_shell(m->peer.pid, m->peer.fd);
	if (r < 0)
		return r;
	cr_progress_stage(&m->progress, CR_STEP_FREEZE, 0);
	cr_held_open(m->s, &m->frames);
	r = fault_at("migrate.freeze", e);
	if (r >= 0 && m->peer.link.can & 1U << CR_CAN_HASTE)
		r = cr_link_send(&m->peer.link, CR_FRAME_SOON, NULL, e);
	if (r >= 0)
		r = cr_suspend(m->s, &how, e);
	m->shed_lock = cr_shed_begin(&hold);
	r = given_away(m, r, e);
	return r < 0 ? r : cr_source_await_done(m, e);
}

int cr_hand_over(struct cr_source *m, struct err *e)
{
	if (m->offer.was != CR_LIFE_RUNNING)
		return hand_over_stopped(m, e);
	switch (m->j.mode) {
	case CR_MODE_RESTART:
		return hand_over_restart(m, e);
	case CR_MODE_SUSPEND:
		return hand_over_suspend(m, e);
	case CR_MODE_PRECOPY:
	case CR_MODE_CONTENT:
	case CR_MODE_POSTCOPY:
	case CR_MODE_HYBRID:
		return hand_over_live(m, e);
	case CR_MODE_AUTO:
	case CR_MODE_LIVE:
		break;
	}
	return err_set(e, EINVAL, "the migration has no mode");
}
