// SPDX-License-Identifier: GPL-2.0-only
/* setns(2) by pidfd. */
#include "ns/join.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/sys.h"
#include "ns/rootfs.h"
#include "ns/self.h"

static const struct {
	const char *file;
	int flag;
} kinds[] = {
	{"user", CLONE_NEWUSER},     {"mnt", CLONE_NEWNS},    {"pid", CLONE_NEWPID},
	{"net", CLONE_NEWNET},	     {"ipc", CLONE_NEWIPC},   {"uts", CLONE_NEWUTS},
	{"cgroup", CLONE_NEWCGROUP}, {"time", CLONE_NEWTIME},
};

/* "pid_for_children" would be the wrong question for ours: what counts is what we are in now. */
static int ns_stat(const char *of, const char *kind, struct stat *st)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", of, kind);
	return stat(path, st);
}

int ns_join_flags(int pidfd, pid_t pid, int *flags, struct err *e)
{
	char who[16];

	*flags = 0;
	snprintf(who, sizeof(who), "%d", pid);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct stat ours, theirs;

		if (ns_stat("self", kinds[i].file, &ours) < 0) {
			if (errno == ENOENT) /* a kernel without that kind */
				continue;
			return err_sys(e, "read our %s namespace", kinds[i].file);
		}
		if (ns_stat(who, kinds[i].file, &theirs) < 0)
			return err_sys(e, "read the %s namespace of process %d", kinds[i].file,
				       pid);
		if (ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev)
			*flags |= kinds[i].flag;
	}
	/* Only now do we know that the pid was not reused while we read. */
	if (syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0)
		return err_sys(e, "the container's init");
	return 0;
}

int ns_join_enter(int pidfd, int flags, struct err *e)
{
	int r = ns_self_undumpable(e);

	if (r < 0)
		return r;
	if (flags && setns(pidfd, flags) < 0)
		return err_sys(e, "enter the container's namespaces");
	return 0;
}

int ns_join_root(pid_t pid, struct err *e)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "open %s", path) : fd;
}

int ns_join_verify(struct err *e)
{
	return ns_rootfs_chdir("/", false, e);
}
