// SPDX-License-Identifier: GPL-2.0-only
/* memory.events by inotify, memory.oom_control by eventfd. */
#include "cgroups/oom.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "cgroups/group.h"

/* Documentation/admin-guide/cgroup-v1/memory.rst, "OOM Control". */
static int watch_v1(int dir, struct cg_oom *oom, struct err *e)
{
	auto_fd int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	auto_fd int control = openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	char text[32];

	if (fd < 0 || control < 0)
		return err_sys(e, "open memory.oom_control");
	snprintf(text, sizeof(text), "%d %d", fd, control);
	if (file_write_at(dir, "cgroup.event_control", text, e) < 0)
		return -e->no;
	oom->fd = take_fd(&fd);
	oom->dir = dir;
	oom->v1 = true;
	return 0;
}

/* e untouched, and -ENOENT, when the group is gone. */
static int count_kills(int dir, uint64_t *kills, struct err *e)
{
	auto_free char *text = NULL;
	struct err why = {0};
	const char *line;

	*kills = 0;
	if (file_read_at(dir, "memory.events", 4096, &text, &why) < 0) {
		/* ENODEV: between our open and our read. */
		if (why.no == ENOENT || why.no == ENODEV)
			return -ENOENT;
		*e = why;
		return -e->no;
	}
	line = strstr(text, "oom_kill ");
	if (line && sscanf(line, "oom_kill %" SCNu64, kills) != 1)
		return err_set(e, EINVAL, "memory.events has no count of kills");
	return 0;
}

static int watch_v2(int dir, struct cg_oom *oom, struct err *e)
{
	auto_fd int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/memory.events", dir);
	if (fd < 0 || inotify_add_watch(fd, path, IN_MODIFY) < 0)
		return err_sys(e, "watch memory.events");
	if (count_kills(dir, &oom->kills, e) < 0)
		return e->no ? -e->no : err_set(e, ENOENT, "the control group is gone");
	oom->fd = take_fd(&fd);
	oom->dir = dir;
	return 0;
}

int cg_oom_watch(const struct cg *cg, struct cg_oom *oom, struct err *e)
{
	*oom = (struct cg_oom)CG_OOM_INIT;
	if (cg->v1[CG_MEMORY] >= 0)
		return watch_v1(cg->v1[CG_MEMORY], oom, e);
	if (cg->v2 < 0 || faccessat(cg->v2, "memory.events", F_OK, 0))
		return 0;
	return watch_v2(cg->v2, oom, e);
}

static int since(uint64_t n)
{
	return n > INT_MAX ? INT_MAX : (int)n;
}

int cg_oom_read(struct cg_oom *oom, struct err *e)
{
	char events[4096];
	uint64_t n = 0;

	if (oom->fd < 0)
		return 0;
	if (oom->v1) {
		if (read(oom->fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
			return err_sys(e, "read the word of an OOM kill");
		/* The eventfd is also told that the group has been removed (memcg_event_remove()), after its files were. */
		return faccessat(oom->dir, "memory.oom_control", F_OK, 0) < 0 ? 0 : since(n);
	}
	while (read(oom->fd, events, sizeof(events)) > 0)
		;
	if (count_kills(oom->dir, &n, e) < 0)
		return -e->no;
	n -= oom->kills;
	oom->kills += n;
	return since(n);
}

void cg_oom_done(struct cg_oom *oom)
{
	own_close_fd(&oom->fd);
}
