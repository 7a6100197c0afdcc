// SPDX-License-Identifier: GPL-2.0-only
/* The end of a system container: by the operator, or by itself. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "runtime/container.h"
#include "runtime/monitor_group.h"
#include "runtime/reboot.h"
#include "runtime/state.h"
#include "runtime/system.h"
#include "runtime/system_dir.h"
#include "runtime/system_doubt.h"

/* 1: opened; 0: the engine has none of this name that is ours. */
static int open_engine(struct ct_system *s, const char *verb, struct ct *ct, struct err *e)
{
	if (ct_open(s->host->state, s->d.name, verb, ct, e) < 0) {
		if (e->class != ERR_NO_SUCH_CT)
			return -e->no;
		err_clear(e);
		return 0;
	}
	if (ct_state_is_system(ct))
		return 1;
	ct_close(ct);
	return 0;
}

static int not_running(const struct ct_system *s, struct err *e)
{
	err_set(e, ESRCH, "container %s is not running", s->d.name);
	return err_class(e, ERR_NOT_RUNNING);
}

/* What the operator wants at an end by force is that nothing runs, whatever became of its state. */
static int end_damaged(struct ct_system *s, struct err *e)
{
	err_clear(e);
	return ct_dir_end(s->host, s->d.name, true, e);
}

/* It ended by itself and nobody cleaned up (its monitor was killed), or its start died: now it is clean, and was not running. */
static int stop_stopped(struct ct_system *s, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	int r = open_engine(s, "stop", &ct, e);

	if (r > 0)
		r = ct_delete(&ct, true, e);
	return r < 0 ? r : not_running(s, e);
}

/* The marker first: without it the images are nothing, with it they must be whole. */
static int drop_checkpoint(struct ct_system *s, struct err *e)
{
	if (unlinkat(s->dir, CT_CHECKPOINT_DIR "/" CT_CHECKPOINT_MARKER, 0) < 0 && errno != ENOENT)
		return err_sys(e, "drop the memory of container %s", s->d.name);
	return file_remove_tree_at(s->dir, CT_CHECKPOINT_DIR, e);
}

/* What a suspend or a resume that was killed with all its helpers left frozen goes first: without the marker it would be a container that is paused. */
static int stop_suspended(struct ct_system *s, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	int r = open_engine(s, "stop", &ct, e);

	if (r > 0)
		r = ct_delete(&ct, true, e);
	return r < 0 ? r : drop_checkpoint(s, e);
}

static int stop_running(struct ct_system *s, int timeout_s, bool force, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	int killed = 1;
	int r = open_engine(s, "stop", &ct, e);

	if (r == 0)
		return not_running(s, e);
	if (r > 0 && !force)
		r = killed = ct_stop(&ct, timeout_s < 0 ? s->d.stop_timeout_s : timeout_s, e);
	/* It was faster: that is what was asked for. */
	if (r < 0 && e->class == ERR_NOT_RUNNING) {
		err_clear(e);
		r = killed = 0;
	}
	if (r < 0)
		return r;
	r = ct_delete(&ct, true, e);
	return r < 0 ? r : killed;
}

int ct_system_stop(struct ct_system *s, int timeout_s, bool force, struct err *e)
{
	enum ct_system_status status;

	if (ct_system_status(s, &status, e) < 0)
		return force && e->class == ERR_CONFIG ? end_damaged(s, e) : -e->no;
	switch (status) {
	case CT_SYSTEM_STOPPED:
		return stop_stopped(s, e);
	case CT_SYSTEM_SUSPENDED:
		return stop_suspended(s, e);
	case CT_SYSTEM_STARTING:
	case CT_SYSTEM_RUNNING:
	case CT_SYSTEM_PAUSED:
		return stop_running(s, timeout_s, force, e);
	case CT_SYSTEM_MIGRATING:
	case CT_SYSTEM_MOVED:
		ct_dir_in_doubt(s->dir, s->d.name, e);
		return err_wrap(e, "container %s", s->d.name);
	case CT_SYSTEM_BROKEN:
		break;
	}
	return not_running(s, e);
}

bool ct_system_hasten(const struct ct_host *h, const char *name)
{
	auto_system struct ct_system s = CT_SYSTEM_INIT;
	auto_ct struct ct ct = CT_INIT;
	struct err none = {0};

	/* When that stop has ended meanwhile, whom we kill is whom we were to kill anyway. */
	if (ct_system_open_to_end(h, name, NULL, &s, &none) < 0 || !ct_dir_is_stopping(s.dir))
		return false;
	if (ct_open(h->state, name, NULL, &ct, &none) < 0 || !ct.s.system)
		return false;
	return ct_kill(&ct, SIGKILL, false, &none) >= 0;
}

/* A reboot(2) with RESTART in a pid namespace ends its init by SIGHUP, every other kind by SIGINT (reboot(2)). */
static bool rebooted(const struct ct *ct)
{
	struct err none = {0};
	int how;

	return ct_exit_read(ct, &how, &none) >= 0 && WIFSIGNALED(how) && WTERMSIG(how) == SIGHUP;
}

bool ct_system_rebooted(const struct ct_system *s)
{
	auto_ct struct ct ct = CT_INIT;
	struct err none = {0};

	return ct_open(s->host->state, s->d.name, NULL, &ct, &none) >= 0 && rebooted(&ct);
}

/* Nobody listens to a reaper: what it could not do is told where the operator looks for the container's last words. */
static void tell_console(const struct ct_system *s, const struct err *why)
{
	auto_fd int log =
		openat(s->dir, "console.log", O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);

	if (log < 0 ||
	    dprintf(log, "\r\n[skep: it rebooted itself, but was not started again: %s]\r\n",
		    why->text) < 0)
		log_warn("container %s: console.log: %s", s->d.name, strerror(errno));
}

/* runs, out: it is there, and has a monitor of its own. */
static int reap(struct ct_system *s, bool *runs, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	enum ct_status status;
	bool again;
	int r = open_engine(s, "reap", &ct, e);

	if (r <= 0)
		return r;
	if (ct_status(&ct, &status, e) < 0)
		return -e->no;
	/* Another run of it than the one whose monitor called us. */
	*runs = status != CT_STOPPED;
	if (*runs)
		return 0;
	again = rebooted(&ct);
	if (ct_delete(&ct, true, e) < 0)
		return -e->no;
	ct_close(&ct);
	if (!again)
		return 0;
	log_info("container %s rebooted itself", s->d.name);
	r = ct_reboot_allowed(s->dir, e);
	if (r >= 0)
		r = ct_system_start(s, e);
	*runs = r >= 0;
	if (r < 0)
		tell_console(s, e);
	return r;
}

int ct_system_reap(struct ct_system *s, struct err *e)
{
	bool runs = false;
	int r = reap(s, &runs, e);

	/* Under the lock: nobody is about to be born into it. */
	if (!runs)
		ct_monitor_group_end(s->d.name, s->host->state);
	return r;
}
