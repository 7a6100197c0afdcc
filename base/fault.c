// SPDX-License-Identifier: GPL-2.0-only
/* Injected failures. */
#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"

#define PAUSE_WORD ":pause="

/* Grows with the commands that have such points. */
/* clang-format off */
const char *const fault_list[] = {
	"create.directory", "create.reserve", "create.layers", "create.definition",
	"start.cgroup", "start.limits", "start.seccomp", "start.clone", "start.idmap", "start.rootfs", "start.ready",
	"init.idmap", "init.rootfs", "init.mounts", "init.dev", "init.masks", "init.kernel", "init.hooks", "start.hooks", "init.pivot", "init.console", "init.ready",
	"start.bridge", "start.link", "start.go", "init.start", "init.process", "init.starthooks", "init.exec", "start.monitor",
	"guardian.undone",
	"stop.signal", "stop.kill",
	"pause.freeze",
	"delete.ledger", "delete.state",
	"set.limits", "set.network", "set.save",
	"suspend.directory", "suspend.traffic", "suspend.stopped", "suspend.images", "suspend.commit", "suspend.marker", "suspend.marked", "suspend.killed",
	"resume.ground", "resume.network", "resume.criu", "resume.made", "resume.restored", "resume.ready", "resume.marker", "resume.running", "resume.drop",
	"destroy.end", "destroy.hide", "destroy.remove",
	"migrate.connect", "migrate.offer", "migrate.rootfs", "migrate.stop", "migrate.track", "migrate.round", "migrate.freeze", "migrate.parting",
	"migrate.frozen", "migrate.pages", "migrate.stale", "migrate.delta", "migrate.images", "migrate.feed", "migrate.lend", "migrate.ready", "migrate.journal", "migrate.commit",
	"migrate.done", "migrate.kill", "migrate.runs", "migrate.moved", "migrate.cleanup",
	"receive.offer", "receive.reserve", "receive.rootfs", "receive.pages", "receive.round", "receive.stale", "receive.delta", "receive.images",
	"receive.restore", "receive.feed", "receive.ready", "receive.record", "receive.run", "receive.commit", "receive.memory", "receive.done",
	NULL};
/* clang-format on */

enum what { NOTHING, FAIL, KILL, PAUSE };

/* file: of a pause, where it is told. */
static enum what asked_for(const char *point, const char **file)
{
	const char *want = getenv("SKEP_FAULT");
	size_t n = strlen(point);

	if (!want || strncmp(want, point, n))
		return NOTHING;
	want += n;
	if (!strncmp(want, PAUSE_WORD, strlen(PAUSE_WORD))) {
		*file = want + strlen(PAUSE_WORD);
		return PAUSE;
	}
	return !*want ? FAIL : !strcmp(want, ":kill") ? KILL : NOTHING;
}

/* Once: who finds the file there goes on, so a point that is passed again, or by the command that mends it all, is no trap. */
static void pause_here(const char *file)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	(void)dprintf(fd, "%d\n", getpid());
	close(fd);
	raise(SIGSTOP);
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
	const char *file;

	show(point);
	switch (asked_for(point, &file)) {
	case NOTHING:
		return 0;
	case PAUSE:
		pause_here(file);
		return 0;
	case KILL:
		raise(SIGKILL);
		/* The init of a pid namespace cannot kill itself (pid_namespaces(7)). */
		_exit(128 + SIGKILL);
	case FAIL:
		break;
	}
	return err_set(e, EIO, "injected failure at %s", point);
}
