// SPDX-License-Identifier: GPL-2.0-only
/* The state of a container behind a migration's journal. */
#include "checkpoint/life.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "checkpoint/dump.h"
#include "checkpoint/suspend.h"
#include "net/lock.h"
#include "net/netns.h"
#include "net/veth.h"
#include "runtime/container.h"
#include "runtime/monitor_group.h"
#include "runtime/network.h"

/* 1: it has processes, or may have. */
static int runs(const struct ct_system *s, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	enum ct_status status;
	struct cr_journal j;
	int r = ct_open(s->host->state, s->d.name, NULL, &ct, e);

	if (r < 0 && e->class == ERR_NO_SUCH_CT) {
		err_clear(e);
		return 0;
	}
	if (r >= 0)
		r = ct_status(&ct, &status, e);
	if (r < 0)
		return r;
	switch (status) {
	case CT_STOPPED:
		return 0;
	case CT_RUNNING:
		return 1;
	case CT_PAUSED:
		r = cr_journal_load(s->dir, &j, e);
		if (r < 0)
			return r;
		/*
		 * Nobody pauses what migrates. One that came and was not let go: as long as its images count, what was made of them does not, without its network
		 * and who should have looked after it.
		 */
		if (r > 0 && j.point == CR_POINT_RECEIVING) {
			r = cr_checkpoint_exists(s, e);
			return r < 0 ? r : !r;
		}
		/* One that is frozen here for its migration. */
		if (r > 0 && j.mode != CR_MODE_RESTART)
			return 1;
		err_set(e, EBUSY, "it is paused");
		err_hint(e, "let it go on first: skepctl resume %s", s->d.name);
		return err_class(e, ERR_RUNNING);
	case CT_CREATING:
	case CT_CREATED:
		break;
	}
	err_set(e, EBUSY, "it is just being started");
	return err_class(e, ERR_RUNNING);
}

int cr_life_now(const struct ct_system *s, enum cr_life *life, struct err *e)
{
	int r = runs(s, e);

	if (r > 0)
		*life = CR_LIFE_RUNNING;
	if (r != 0)
		return r < 0 ? r : 0;
	r = cr_checkpoint_exists(s, e);
	if (r >= 0)
		*life = r ? CR_LIFE_SUSPENDED : CR_LIFE_STOPPED;
	return r < 0 ? r : 0;
}

/* Calls fn with the name of each of its links on this host. */
static int each_link(const struct ct *ct, int (*fn)(const char *host_name, struct err *e),
		     struct err *e)
{
	char names[CT_NETS_MAX][IFNAMSIZ];
	int n = ct_network_links(ct, names, e), r = 0;

	for (int i = 0; r >= 0 && i < n; i++)
		r = fn(names[i], e);
	return n < 0 ? n : r;
}

int cr_life_cut(const struct ct_system *s, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	int r = ct_open(s->host->state, s->d.name, NULL, &ct, e);

	return r < 0 ? r : each_link(&ct, net_lock, e);
}

/* Who should have done that as the last deed of a restore was killed right before it. */
static int open_links(const struct ct_system *s, const struct ct *ct, struct err *e)
{
	auto_fd int netns = net_netns_open(ct->s.pid, e);
	char names[CT_NETS_MAX][IFNAMSIZ];
	int r = 0, n = netns < 0 ? netns : ct_network_links(ct, names, e);

	for (int i = 0; r >= 0 && i < n && i < (int)s->d.net_count; i++) {
		struct net_if ifc = s->d.nets[i];

		memcpy(ifc.host_name, names[i], IFNAMSIZ);
		r = net_if_open(&ifc, netns, e);
	}
	return n < 0 ? n : r;
}

/* The links first: what it sends must not be lost. */
static int let_go_on(const struct ct_system *s, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	struct cr_journal j;
	int r = ct_open(s->host->state, s->d.name, NULL, &ct, e);

	if (r >= 0)
		r = cr_journal_load(s->dir, &j, e);
	if (r > 0 && j.point == CR_POINT_RECEIVING)
		r = open_links(s, &ct, e);
	if (r >= 0)
		r = each_link(&ct, net_unlock, e);
	return r < 0 ? r : cr_dump_recover(&ct, e);
}

int cr_life_restore(struct ct_system *s, enum cr_mode mode, enum cr_life was, struct err *e)
{
	enum cr_life now;
	int r = cr_life_now(s, &now, e);

	/*
	 * Frozen beside whole images: the command, criu and its hook died between the marker and the end of the tasks. They go on, and from their next instruction on the images
	 * are old: a later pause would look like that freeze, and the resume behind it would bring them back (tests/native/migrate_killed.bats).
	 */
	if (r >= 0 && now == CR_LIFE_RUNNING && (r = cr_checkpoint_exists(s, e)) > 0)
		r = cr_checkpoint_drop(s, e);
	/* With the journal still there, so that who finds it again knows what it is. */
	if (r >= 0 && now == CR_LIFE_RUNNING)
		r = let_go_on(s, e);
	/* What was made of its images and never ran. */
	if (r >= 0 && now == CR_LIFE_SUSPENDED)
		r = cr_life_clean(s, e);
	/* start and resume refuse a container that is migrating; if we die behind this line it is stopped or suspended, as any other. */
	if (r >= 0)
		r = cr_journal_remove(s->dir, e);
	if (r < 0 || was != CR_LIFE_RUNNING || now == CR_LIFE_RUNNING)
		return r;
	if (now == CR_LIFE_SUSPENDED)
		return cr_resume(s, e);
	/* In mode suspend nobody stopped it: it ended by itself, or with the host. */
	return mode == CR_MODE_RESTART ? ct_system_start(s, e) : 0;
}

/* Whether a migration that was to be in this mode, of one that was so, has nothing to bring back of what is so now. */
static bool is_over(const struct cr_journal *j, enum ct_system_status status, enum cr_life now,
		    bool starting)
{
	if (status == CT_SYSTEM_RUNNING)
		return true;
	/* Frozen: who it belongs to knows what else is to be undone. */
	if (now == CR_LIFE_RUNNING)
		return false;
	if (now == j->was)
		return true;
	return now == CR_LIFE_STOPPED && (j->mode != CR_MODE_RESTART || starting);
}

int cr_life_settle(struct ct_system *s, bool starting, struct err *e)
{
	enum ct_system_status status;
	enum cr_life now;
	struct cr_journal j;
	struct err none = {0};

	/* What cannot be read, or be said yet, is for who is asked for more. */
	if (ct_system_status(s, &status, &none) < 0 || cr_journal_load(s->dir, &j, &none) <= 0 ||
	    j.point != CR_POINT_STARTED || cr_life_now(s, &now, &none) < 0 ||
	    !is_over(&j, status, now, starting))
		return 0;
	/* It is started, or not, by the caller. */
	if (now != CR_LIFE_RUNNING)
		return cr_journal_remove(s->dir, e);
	return cr_life_restore(s, j.mode, j.was, e);
}

int cr_life_hint(enum cr_life was, struct err *e)
{
	if (e->no != EPIPE && e->no != EINTR && e->no != ETIMEDOUT)
		return -e->no;
	if (was == CR_LIFE_RUNNING)
		return err_hint(e, "it goes on here; try again");
	return err_hint(e, "it is %s here, as before; try again", cr_life_to_str(was));
}

int cr_life_clean(const struct ct_system *s, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	int r = ct_open(s->host->state, s->d.name, "migrate", &ct, e);

	if (r < 0 && e->class == ERR_NO_SUCH_CT) {
		err_clear(e);
		/* Of a guardian that had undone all else: a process cannot remove the group that it is in, and its command was killed first. */
		ct_monitor_group_remove(s->d.name, s->host->state);
		return 0;
	}
	return r < 0 ? r : ct_delete(&ct, true, e);
}
