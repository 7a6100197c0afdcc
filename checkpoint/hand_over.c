// SPDX-License-Identifier: GPL-2.0-only
/* The ways in which a container is stopped here and handed over: it was stopped, it reboots there, or its memory goes along. */
#include <errno.h>
#include <fcntl.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/own.h"
#include "checkpoint/held.h"
#include "checkpoint/source.h"
#include "checkpoint/suspend.h"

static int hand_over_stopped(struct cr_source *m, struct err *e)
{
	int r = 0;

	if (m->offer.was == CR_LIFE_SUSPENDED) {
		auto_fd int images = openat(m->s->dir, CT_CHECKPOINT_DIR,
					    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		r = images < 0 ? err_sys(e, "open the images")
			       : cr_source_send_images(m, images, e);
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
	m->stopped_at = log_now_ns();
	r = ct_system_stop(m->s, -1, false, e);
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
	int r = cr_source_second_pass(m, e);

	if (r >= 0)
		r = cr_source_send_images(m, images, e);
	return r < 0 ? r : cr_source_await_ready(m, e);
}

/* Its tasks are dead, and the images can be resumed here as well as there. */
static int when_killed(void *arg, struct err *e)
{
	return cr_source_commit(arg, e);
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
	if (r < 0 && m->done) {
		log_warn("%s: %s", m->s->d.name, e->text);
		err_clear(e);
		r = 0;
	}
	return r;
}

int cr_hand_over(struct cr_source *m, struct err *e)
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
