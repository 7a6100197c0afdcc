// SPDX-License-Identifier: GPL-2.0-only
/* Starting a system container: a process is forked that makes it, and stays as its monitor. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/sync.h"
#include "net/netns.h"
#include "ns/fds.h"
#include "ns/self.h"
#include "runtime/container.h"
#include "runtime/etc.h"
#include "runtime/guardian.h"
#include "runtime/monitor.h"
#include "runtime/preset.h"
#include "runtime/system.h"
#include "runtime/system_doubt.h"
#include "storage/template.h"

/* Its name, its name servers and its preset, while nothing of the container runs: through init, who stands in its root already. */
static int write_etc(struct ct_system *s, const struct ct *ct, struct err *e)
{
	auto_fd int templates = ct_host_templates(s->host, e);
	auto_fd int first = -EBADF, root = -EBADF;
	struct err none = {0};
	char path[40];

	if (templates < 0)
		return templates;
	first = st_template_open(templates, s->d.template, NULL, &none);
	snprintf(path, sizeof(path), "/proc/%d/root", (int)ct->s.pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_sys(e, "open the container's root");
	if (ct_etc_write(&s->d, &s->host->conf, first, root, e) < 0)
		return -e->no;
	return ct_preset_apply(&s->d, root, e);
}

/* Everything up to the running program, in the process that is to be init's parent. */
static int make_container(struct ct_system *s, void *arg, struct ct *ct, struct ct_created *made,
			  struct err *e)
{
	auto_spec struct ct_spec spec = {0};
	auto_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	auto_fd int cache = ct_host_cache(s->host, e);
	struct ct_create how = {.state_root = s->host->state,
				.id = s->d.name,
				.spec = &spec,
				.system = true,
				.best_effort = s->host->best_effort,
				.stdio = {null, null, null},
				.cache_dir = cache};
	int r;

	(void)arg;
	if (null < 0)
		return err_sys(e, "open /dev/null");
	if (cache < 0)
		return cache;
	r = ct_system_spec(s, &spec, e);
	if (r >= 0)
		r = ct_create(&how, ct, made, e);
	if (r < 0)
		return r;
	r = write_etc(s, ct, e);
	if (r >= 0)
		r = ct_system_network_ground(s, ct, e);
	if (r >= 0)
		r = ct_system_network_up(s, ct, made->netns, e);
	return r < 0 ? r : ct_start(ct, e);
}

/* A checkpoint is a container that is not running but whose memory is kept: to start it afresh would lose that. */
static int refuse_unless_stopped(struct ct_system *s, struct err *e)
{
	enum ct_system_status status;
	int r = ct_system_status(s, &status, e);

	if (r < 0)
		return r;
	switch (status) {
	case CT_SYSTEM_STOPPED:
		return 0;
	case CT_SYSTEM_STARTING:
	case CT_SYSTEM_RUNNING:
	case CT_SYSTEM_PAUSED:
		err_set(e, EALREADY, "it is %s already", ct_system_status_to_str(status));
		return err_class(e, ERR_RUNNING);
	case CT_SYSTEM_SUSPENDED:
		err_set(e, EBUSY, "it is suspended");
		err_hint(e, "`skepctl resume %s` lets it go on; `skepctl stop %s` drops its memory",
			 s->d.name, s->d.name);
		return err_class(e, ERR_RUNNING);
	case CT_SYSTEM_MIGRATING:
	case CT_SYSTEM_MOVED:
		return ct_dir_in_doubt(s->dir, s->d.name, e);
	case CT_SYSTEM_BROKEN:
		break;
	}
	err_set(e, EINVAL, "its definition cannot be read");
	return err_class(e, ERR_CONFIG);
}

/* What an earlier run left when nobody could clean up: a monitor that was killed, a start that was. */
static int clean_remains(struct ct_system *s, struct err *e)
{
	auto_ct struct ct ct = CT_INIT;
	int r = ct_open(s->host->state, s->d.name, "start", &ct, e);

	if (r < 0 && e->class == ERR_NO_SUCH_CT) {
		err_clear(e);
		return 0;
	}
	return r < 0 ? r : ct_delete(&ct, true, e);
}

int ct_system_start(struct ct_system *s, struct err *e)
{
	const struct ct_guardian_task task = {.name = "start", .make = make_container};
	auto_fd int netns = -EBADF;
	pid_t init = 0;
	struct err quiet = {0};
	int r = refuse_unless_stopped(s, e);

	if (r >= 0)
		r = clean_remains(s, e);
	if (r >= 0)
		r = ct_guardian_run(s, &task, &init, e);
	if (r < 0)
		return r;
	/* Closing its sockets waits for the kernel's grace period: done here, where the container does not wait for it. */
	netns = net_netns_open(init, &quiet);
	if (netns < 0 || ct_system_announce(s, NULL, netns, &quiet) < 0)
		log_info("announce %s: %s", s->d.name, quiet.text);
	return 0;
}
