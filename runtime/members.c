// SPDX-License-Identifier: GPL-2.0-only
/* A control group lists its processes; a pid namespace has to be looked for in /proc. */
#include "runtime/members.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/own.h"
#include "cgroups/group.h"
#include "cgroups/kill.h"
#include "runtime/state.h"

static int pid_namespace(const char *of, struct stat *st)
{
	char path[300];

	snprintf(path, sizeof(path), "/proc/%s/ns/pid", of);
	return stat(path, st);
}

static int add(pid_t **pids, int *n, pid_t pid)
{
	pid_t *more = realloc(*pids, ((size_t)*n + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	more[(*n)++] = pid;
	*pids = more;
	return 0;
}

static int find(const struct stat *wanted, pid_t **out, struct err *e)
{
	auto_dir DIR *proc = opendir("/proc");
	auto_free pid_t *pids = NULL;
	int n = 0;

	if (!proc)
		return err_sys(e, "open /proc");
	for (struct dirent *ent; (errno = 0, ent = readdir(proc));) {
		pid_t pid = (pid_t)atoi(ent->d_name);
		struct stat st;

		/* Others' processes may not be looked at, which says that they are others'. */
		if (pid <= 0 || pid_namespace(ent->d_name, &st) < 0 ||
		    st.st_ino != wanted->st_ino || st.st_dev != wanted->st_dev)
			continue;
		if (add(&pids, &n, pid) < 0)
			return err_set(e, ENOMEM, "out of memory for processes");
	}
	if (errno)
		return err_sys(e, "list the processes in /proc");
	*out = take_ptr(&pids);
	return n;
}

static int in_namespace(const struct ct *ct, pid_t **pids, struct err *e)
{
	auto_fd int init = ct_init_open(ct, e);
	struct stat ours, theirs;
	char name[16];

	*pids = NULL;
	if (init < 0)
		return init == -ESRCH ? 0 : init;
	snprintf(name, sizeof(name), "%d", ct->s.pid);
	if (pid_namespace("self", &ours) < 0 || pid_namespace(name, &theirs) < 0)
		return err_sys(e, "look at the pid namespace of container %s", ct->s.id);
	if (ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev) {
		err_set(e, EOPNOTSUPP,
			"container %s has neither a control group nor a pid namespace of its own: nobody knows all of its processes",
			ct->s.id);
		return err_class(e, ERR_UNSUPPORTED);
	}
	return find(&theirs, pids, e);
}

int ct_members(const struct ct *ct, pid_t **pids, struct err *e)
{
	auto_cg struct cg cg = CG_INIT;

	if (!ct->s.cgroup[0])
		return in_namespace(ct, pids, e);
	*pids = NULL;
	return cg_open(ct->s.cgroup, &cg, e) < 0 ? -e->no : cg_pids(&cg, pids, e);
}
