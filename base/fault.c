// SPDX-License-Identifier: GPL-2.0-only
/* Injected failures. */
#include "base/fault.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"

/* Grows with the commands that have such points. */
/* clang-format off */
const char *const fault_list[] = {
	"create.directory", "create.reserve", "create.layers", "create.definition",
	"start.cgroup", "start.limits", "start.seccomp", "start.clone", "start.idmap", "start.rootfs", "start.ready",
	"init.idmap", "init.rootfs", "init.mounts", "init.dev", "init.masks", "init.kernel", "init.pivot", "init.console", "init.ready",
	"start.bridge", "start.link", "start.go", "init.start", "init.process", "init.exec", "start.monitor",
	"stop.signal", "stop.kill",
	"pause.freeze",
	"delete.ledger", "delete.state",
	"set.limits", "set.network", "set.save",
	"suspend.directory", "suspend.traffic", "suspend.stopped", "suspend.images", "suspend.commit", "suspend.marker", "suspend.killed",
	"resume.ground", "resume.network", "resume.criu", "resume.restored", "resume.ready", "resume.marker", "resume.running", "resume.drop",
	"destroy.end", "destroy.hide", "destroy.remove",
	"migrate.connect", "migrate.offer", "migrate.rootfs", "migrate.stop", "migrate.track", "migrate.round", "migrate.freeze",
	"migrate.frozen", "migrate.pages", "migrate.stale", "migrate.delta", "migrate.images", "migrate.feed", "migrate.lend", "migrate.ready", "migrate.journal", "migrate.commit",
	"migrate.done", "migrate.kill", "migrate.moved", "migrate.cleanup",
	"receive.offer", "receive.reserve", "receive.rootfs", "receive.pages", "receive.round", "receive.stale", "receive.delta", "receive.images",
	"receive.restore", "receive.feed", "receive.ready", "receive.record", "receive.run", "receive.commit", "receive.memory", "receive.done",
	NULL};
/* clang-format on */

static bool asked_for(const char *point, bool *kill_us)
{
	const char *want = getenv("SKEP_FAULT");
	size_t n = strlen(point);

	if (!want || strncmp(want, point, n))
		return false;
	*kill_us = !strcmp(want + n, ":kill");
	return want[n] == 0 || *kill_us;
}

/* With --debug: each point as it is reached, and the time since the one before. Not init's: its standard error is the container's. */
static void show(const char *point)
{
	static uint64_t last;

	if (strncmp(point, "init.", strlen("init.")) == 0)
		return;
	if (!last)
		last = log_now_ns();
	log_step(point, &last);
}

int fault_at(const char *point, struct err *e)
{
	bool kill_us;

	show(point);
	if (!asked_for(point, &kill_us))
		return 0;
	if (kill_us) {
		raise(SIGKILL);
		/* The init of a pid namespace cannot kill itself (pid_namespaces(7)). */
		_exit(128 + SIGKILL);
	}
	return err_set(e, EIO, "injected failure at %s", point);
}
