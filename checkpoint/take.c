// SPDX-License-Identifier: GPL-2.0-only
/* READY, COMMIT, the record, and the first instruction of a received container. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "checkpoint/held.h"
#include "checkpoint/home.h"
#include "checkpoint/journal.h"
#include "checkpoint/pages.h"
#include "checkpoint/pages_daemon.h"
#include "checkpoint/settle.h"
#include "checkpoint/suspend.h"
#include "checkpoint/target.h"

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
static int take(struct cr_target *t, struct err *e)
{
	struct cr_taken taken = {.start = is_restarted(&t->offer)};
	/* Between READY and COMMIT the source ends the tasks and writes to its disk, which may be slow. */
	int patience_ms = CR_ANSWER_MS + t->patience_ms;
	int r = fault_at("receive.ready", e);

	snprintf(taken.name, sizeof(taken.name), "%s", t->s.d.name);
	snprintf(taken.uuid, sizeof(taken.uuid), "%s", t->s.d.uuid);
	if (r >= 0)
		r = cr_home_boot(taken.boot, e);
	if (r >= 0)
		r = cr_link_send(&t->link, CR_FRAME_READY, NULL, e);
	if (r >= 0 && brings_frames(&t->offer))
		r = t->held = cr_held_receive(&t->link, patience_ms, e);
	if (r >= 0)
		r = cr_link_expect(&t->link, CR_FRAME_COMMIT, NULL, patience_ms, e);
	if (r >= 0)
		r = fault_at("receive.record", e);
	return r < 0 ? r : cr_taken_save(t->h->root, t->offer.token, &taken, e);
}

/* I am the process that will be its monitor; every task of it is restored and stopped. */
static int when_restored(void *arg, struct err *e)
{
	struct cr_target *t = arg;
	int r = take(t, e);

	if (r < 0)
		return r;
	/* It is ours now: it outlives the conversation, however that ends. */
	if (prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0)
		log_warn("outlive the command: %s", strerror(errno));
	return fault_at("receive.run", e);
}

/* Later nobody needs them: their senders have sent them again. And a source behind a dead link asks on another one, which waits for our lock. */
#define LATE_MS 1000

/* What came to the old place until the new one was announced. */
static void give_late(struct cr_target *t)
{
	struct err gone = {0};
	auto_fd int late = cr_held_receive(&t->link, LATE_MS, &gone);

	t->late = late < 0 && gone.no == ETIMEDOUT;
	if (late < 0)
		log_info("%s", gone.text);
	cr_held_give_running(t->held_sock, &t->s, late);
}

/* They are between us and the source's next word. */
void cr_target_skip_late(struct cr_target *t)
{
	struct err gone = {0};
	auto_fd int late = t->late ? cr_held_receive(&t->link, CR_ANSWER_MS, &gone) : -EBADF;

	if (t->late && late < 0)
		log_info("%s", gone.text);
	t->late = false;
}

/* A source that is gone asks again later. */
static void say_runs(void *arg)
{
	struct cr_target *t = arg;
	struct err gone = {0};

	t->ran = true;
	if (cr_link_send(&t->link, CR_FRAME_RUNS, NULL, &gone) < 0)
		log_info("%s", gone.text);
	else if (brings_frames(&t->offer))
		give_late(t);
}

/* In the process that restores: its daemon is to be fed on another connection. */
static int say_hungry(void *arg, struct err *e)
{
	struct cr_target *t = arg;
	int r = fault_at("receive.feed", e);

	return r < 0 ? r : cr_link_send(&t->link, CR_FRAME_FEED, NULL, e);
}

static int become_container(struct cr_target *t, struct err *e)
{
	int r = fault_at("receive.commit", e);

	if (r >= 0)
		r = ct_system_receive_commit(&t->s, e);

	return r < 0 ? r : cr_journal_remove(t->s.dir, e);
}

int cr_target_run_restored(struct cr_target *t, struct err *e)
{
	struct err without = {0};
	auto_fd int sock = t->held_sock = net_hold_socket(&without);
	int keep[4] = {t->link.in, t->link.out};
	size_t n = 2;
	struct cr_resume_last last = {.ready = when_restored,
				      .runs = say_runs,
				      .arg = t,
				      .held = &t->held,
				      .held_sock = t->held_sock,
				      .keep = keep,
				      .pages = t->pages,
				      .hungry = cr_mode_is_lazy(t->offer.mode) ? say_hungry : NULL};
	int r = fault_at("receive.restore", e);

	if (sock >= 0)
		keep[n++] = sock;
	else
		log_info("%s", without.text);
	if (t->pages)
		keep[n++] = cr_pages_fd(t->pages);
	last.n_keep = n;
	if (r >= 0)
		r = cr_resume_when(&t->s, &last, e);
	own_close_fd(&t->haste);
	t->held_sock = -EBADF;
	return r < 0 ? r : become_container(t, e);
}

int cr_target_run_started(struct cr_target *t, struct err *e)
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

/* STATE/NAME. */
static int open_state(const struct ct_host *h, const char *name, struct err *e)
{
	auto_fd int root = open(h->state, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int dir = root < 0 ? -1
			   : openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return dir < 0 ? err_sys(e, "open the state of %s", name) : dir;
}

/* Whether the container of that name is the one that the token stands for: it is being received, or was taken. */
static int check_token(const struct ct_host *h, const char *token, const char *name, struct err *e)
{
	auto_fd int all = ct_host_containers(h, e), dir = -EBADF;
	struct cr_journal j = {0};
	struct cr_taken taken;
	int r = all < 0 ? all : cr_taken_load(h->root, token, &taken, e);

	if (r > 0 && !strcmp(taken.name, name))
		return 0;
	if (r >= 0)
		dir = openat(all, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir >= 0)
		r = cr_journal_load(dir, &j, e);
	if (r < 0 || (r > 0 && j.point == CR_POINT_RECEIVING && !strcmp(j.token, token)))
		return r < 0 ? r : 0;
	return err_set(e, ENOENT, "no container of this migration is here");
}

int cr_target_feed(struct cr_target *t, const json_t *who, struct err *e)
{
	const char *token = "", *name = "";
	auto_fd int dir = -EBADF;
	int r = json_get_str(who, "token", &token, e);

	if (r >= 0)
		r = json_get_str(who, "name", &name, e);
	if (r >= 0)
		r = path_name_check("container", name, e);
	if (r >= 0 && !cr_token_ok(token))
		return err_set(e, EPROTO, "the source asked for something that is no migration");
	if (r >= 0)
		r = check_token(t->h, token, name, e);
	if (r >= 0)
		r = dir = open_state(t->h, name, e);
	/* Behind this word the link is the daemon's. */
	if (r >= 0)
		r = cr_link_send(&t->link, CR_FRAME_FEED, NULL, e);
	if (r < 0)
		return r;
	t->lost = true; /* no ERROR into the pages */
	r = cr_pages_daemon_feed(dir, t->link.in, t->link.out, e);
	if (r == -ENOENT && !e->no)
		return 0; /* nothing is missing */
	return r < 0 ? r : cr_pages_wait(dir, -1, e);
}

int cr_target_await_memory(struct cr_target *t, struct err *e)
{
	auto_fd int dir = -EBADF;
	int r = t->pages ? fault_at("receive.memory", e) : 0;

	if (r < 0 || !t->pages)
		return r;
	dir = open_state(t->h, t->offer.d.name, e);
	return dir < 0 ? dir : cr_pages_wait(dir, -1, e);
}

int cr_target_check_memory(const struct cr_target *t, struct err *e)
{
	struct err gone = {0};
	auto_fd int dir = t->pages ? open_state(t->h, t->offer.d.name, &gone) : -EBADF;
	int r = dir < 0 ? 0 : cr_pages_resident(dir, e);

	return r < 0 ? r : 0;
}
