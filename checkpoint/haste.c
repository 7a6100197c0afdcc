// SPDX-License-Identifier: GPL-2.0-only
/* The process that keeps changes of control groups from waiting. */
#include "checkpoint/haste.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "cgroups/hierarchy.h"
#include "cgroups/member.h"
#include "ns/orphan.h"

/* Shorter than any grace period is (two ticks, of at most 1000 a second, and then some); and no freeze is longer than all of them. */
#define PAUSE_MS   5
#define TIMES_MOST 2000

/* The cgroup.procs of the group that we are in. */
static int open_own_group(void)
{
	auto_free char *text = NULL;
	struct err ignored = {0};
	const struct cg_host *host = cg_host(&ignored);
	char path[PATH_MAX];
	const char *group;

	if (!host || !host->unified[0] ||
	    file_try_read_at(AT_FDCWD, "/proc/self/cgroup", 65536, &text, &ignored) < 0)
		return -EBADF;
	group = cg_member_path(text, "");
	if (!group || snprintf(path, sizeof(path), "%s%s/cgroup.procs", host->unified, group) >=
			      (int)sizeof(path))
		return -EBADF;
	return open(path, O_WRONLY | O_CLOEXEC);
}

/* Nothing is changed by what is written: it is in that group. */
static _Noreturn void keep_moving(int group, int end)
{
	struct pollfd p = {.fd = end, .events = POLLIN};

	for (int i = 0; i < TIMES_MOST && write(group, "0", 1) == 1; i++)
		if (poll(&p, 1, PAUSE_MS) > 0)
			break;
	_exit(0);
}

int cr_haste_begin(void)
{
	auto_fd int group = open_own_group(), ours = -EBADF, theirs = -EBADF;
	int pair[2], r;

	if (group < 0 || pipe2(pair, O_CLOEXEC) < 0)
		return -EBADF;
	theirs = pair[0];
	ours = pair[1];
	r = ns_orphan("skep-haste", (int[]){group, theirs}, 2);
	if (r == 0)
		keep_moving(group, theirs);
	return r > 0 ? take_fd(&ours) : -EBADF;
}
