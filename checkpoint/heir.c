// SPDX-License-Identifier: GPL-2.0-only
/* It waits for criu's end, and lets the tasks go on: a process of its own, which links nothing of the library. */
#include "checkpoint/heir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "checkpoint/criu.h"
#include "checkpoint/repair.h"

#define DEPTH_MOST 80 /* of groups below each other, as cgroups/kill.c has it */

static void mend_listed(int group)
{
	int fd = openat(group, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	auto_file FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	int pid;

	while (f && fscanf(f, "%d", &pid) == 1)
		if (pid > 0)
			cr_repair_off_task(pid);
}

/* They are frozen: none comes or goes but by a SIGKILL. */
static void mend_below(int group, unsigned depth)
{
	int fd = openat(group, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	mend_listed(group);
	while (d && depth && (entry = readdir(d))) {
		auto_fd int child = -EBADF;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		child = openat(group, entry->d_name,
			       O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (child >= 0)
			mend_below(child, depth - 1);
	}
}

/* Copies that end with us. 0, or -1: it has ended, or is not what we take it for. */
static int inherit(int criu, unsigned kept)
{
	if (kept > CR_PASS_MAX)
		return -1;
	for (unsigned i = 0; i < kept; i++)
		if (syscall(SYS_pidfd_getfd, criu, CR_PASS_FIRST + i, 0) < 0)
			return -1;
	return 0;
}

static int open_group(const char *freezer)
{
	char path[PATH_MAX], *slash;

	if ((size_t)snprintf(path, sizeof(path), "%s", freezer) >= sizeof(path))
		return -1;
	slash = strrchr(path, '/');
	if (!slash)
		return -1;
	*slash = 0;
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool is_sent_away(int command)
{
	char byte;
	ssize_t n;

	do
		n = recv(command, &byte, 1, 0);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

/* I am the one who is left behind. A process's end is told behind that of its tracing and of its descriptors (do_exit() in kernel/exit.c). */
static _Noreturn void wait_and_thaw(int criu, int group, int command, bool (*ours)(void))
{
	struct pollfd p = {.fd = criu, .events = POLLIN};
	int fd;

	(void)setsid();
	(void)prctl(PR_SET_NAME, "skep:heir");
	if (command >= 0 && is_sent_away(command))
		_exit(0);
	if (!ours())
		_exit(0);
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	mend_below(group, DEPTH_MOST);
	fd = openat(group, "cgroup.freeze", O_WRONLY | O_CLOEXEC);
	_exit(fd < 0 || write(fd, "0", 1) != 1);
}

int cr_heir_leave(pid_t criu, unsigned kept, const char *freezer, int command, bool (*ours)(void))
{
	auto_fd int process = (int)syscall(SYS_pidfd_open, criu, 0);
	auto_fd int group = open_group(freezer);
	pid_t pid;

	/* Dead behind that, its number could have become somebody else's before. */
	if (process < 0 || group < 0 || getppid() != criu || inherit(process, kept) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		wait_and_thaw(process, group, command, ours);
	return pid < 0 ? -1 : 0;
}
