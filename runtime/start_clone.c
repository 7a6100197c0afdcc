// SPDX-License-Identifier: GPL-2.0-only
/* clone3(2), and setns(2) before it. */
#include "runtime/start_clone.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/sys.h"
#include "ns/self.h"
#include "runtime/patience.h"
#include "runtime/steps.h"

/* In the order of joining: the host's rights are enough for all of them, and go with the user namespace. Where there is no way back, that has to be a process of its own. */
static const struct kind {
	enum ct_namespace ns;
	int flag;
	const char *own; /* by which we come back; NULL: there is no way */
} kinds[] = {
	{CT_NS_NETWORK, CLONE_NEWNET, "/proc/self/ns/net"},
	{CT_NS_IPC, CLONE_NEWIPC, "/proc/self/ns/ipc"},
	{CT_NS_UTS, CLONE_NEWUTS, "/proc/self/ns/uts"},
	{CT_NS_PID, CLONE_NEWPID, "/proc/self/ns/pid_for_children"},
	{CT_NS_CGROUP, CLONE_NEWCGROUP, NULL},
	{CT_NS_TIME, CLONE_NEWTIME, NULL},
	{CT_NS_MOUNT, CLONE_NEWNS, NULL},
	{CT_NS_USER, CLONE_NEWUSER, NULL},
};

/* What is behind namespaces[].path, by kind; -EBADF: nothing is to be joined. All are opened first: after the mount namespace no path is what it was. */
struct joined {
	int fd[CT_NS_COUNT];
};

static void joined_done(struct joined *j)
{
	for (int i = 0; i < CT_NS_COUNT; i++)
		own_close_fd(&j->fd[i]);
}

static int joined_open(struct joined *j, const struct ct_spec *spec, struct err *e)
{
	for (int i = 0; i < CT_NS_COUNT; i++)
		j->fd[i] = -EBADF;
	for (int i = 0; i < CT_NS_COUNT; i++) {
		if (!spec->join[i])
			continue;
		j->fd[i] = ct_namespace_open(spec->join[i], e);
		if (j->fd[i] >= 0)
			continue;
		joined_done(j);
		return -e->no;
	}
	return 0;
}

static int refuse(const struct ct_spec *spec, const struct kind *k, struct err *e)
{
	err_sys(e, "join %s namespace %s", ct_namespace_to_str(k->ns), spec->join[k->ns]);
	if (e->no == EINVAL)
		err_hint(e, "is it a %s namespace?", ct_namespace_to_str(k->ns));
	return -e->no;
}

static uint64_t clone_flags(const struct ct_init *init)
{
	static const uint64_t flags[CT_NS_COUNT] = {
#define X(name, word, flag, file) [CT_NS_##name] = flag,
		CT_NAMESPACES(X)
#undef X
	};
	uint64_t all = CLONE_PIDFD;

	/* Those two are unshared by init: after its cgroup, at its execve. */
	for (int i = 0; i < CT_NS_COUNT; i++)
		if (init->spec->own[i] && i != CT_NS_CGROUP && i != CT_NS_TIME &&
		    !(i == CT_NS_NETWORK && init->netns_comes))
			all |= flags[i];
	return all;
}

static int failed(int no, struct err *e)
{
	err_set(e, no, "make the container's first process: %s", strerror(no));
	if (no == ENOSPC)
		err_hint(e, "a namespace limit is reached: see user.max_*_namespaces in sysctl");
	else if (no == EPERM)
		err_hint(e, "run `skepctl doctor`: this host may forbid user namespaces");
	return -no;
}

/* Ours are kept in home[] to come back. */
static int enter(const struct ct_spec *spec, const struct joined *j, int home[CT_NS_COUNT],
		 struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct kind *k = &kinds[i];

		if (j->fd[k->ns] < 0)
			continue;
		home[k->ns] = open(k->own, O_RDONLY | O_CLOEXEC);
		if (home[k->ns] < 0)
			return err_sys(e, "open %s", k->own);
		/* leave() must not fail: whoever may not enter the present one again may not leave it. */
		if (spec->rootless && setns(home[k->ns], k->flag) < 0) {
			refuse(spec, k, e);
			own_close_fd(&home[k->ns]);
			return err_hint(e, "without root, ours could not be entered again");
		}
		if (setns(j->fd[k->ns], k->flag) < 0) {
			refuse(spec, k, e);
			own_close_fd(&home[k->ns]);
			return -e->no;
		}
	}
	return 0;
}

static void leave(int home[CT_NS_COUNT])
{
	for (int i = 0; i < CT_NS_COUNT; i++) {
		if (home[i] >= 0)
			sys_setns_home(home[i], 0);
		own_close_fd(&home[i]);
	}
}

static int clone_directly(struct ct_init *init, struct clone_args *args, const struct joined *j,
			  pid_t *pid, struct err *e)
{
	int home[CT_NS_COUNT] = {[0 ... CT_NS_COUNT - 1] = -EBADF};
	int r = enter(init->spec, j, home, e);

	if (r >= 0) {
		*pid = sys_clone3(args);
		if (*pid == 0)
			ct_init_run(init);
		if (*pid < 0)
			r = failed(errno, e);
	}
	leave(home);
	return r;
}

/* I am the process in the middle, with the host's rights until the last of these is joined. */
static int join_all(const struct ct_spec *spec, const struct joined *j, struct err *e)
{
	bool later[CT_NS_COUNT] = {false};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct kind *k = &kinds[i];

		if (j->fd[k->ns] < 0 || setns(j->fd[k->ns], k->flag) == 0)
			continue;
		/* Of one that belongs to a user namespace into which ours has no say from outside. */
		later[k->ns] = errno == EPERM && j->fd[CT_NS_USER] >= 0 && k->ns != CT_NS_USER;
		if (!later[k->ns])
			return refuse(spec, k, e);
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (later[kinds[i].ns] && setns(j->fd[kinds[i].ns], kinds[i].flag) < 0)
			return refuse(spec, &kinds[i], e);
	return 0;
}

_Noreturn static void run_middle(struct ct_init *init, const struct joined *j, struct sync *host)
{
	auto_fd int pidfd = -EBADF;
	struct clone_args args = {.flags = clone_flags(init) | CLONE_PARENT,
				  .pidfd = (uint64_t)(uintptr_t)&pidfd};
	struct err e = {0};
	pid_t pid;
	int r = prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? err_sys(&e, "die with the host side") : 0;

	/* What lives in those namespaces must not look into me, or init. */
	if (r >= 0)
		r = ns_self_undumpable(&e);
	if (r >= 0)
		r = join_all(init->spec, j, &e);
	if (r >= 0) {
		/* The number is one of our pid namespace all the same: only the child is in the other. */
		pid = sys_clone3(&args);
		if (pid == 0)
			ct_init_run(init);
		r = pid < 0 ? failed(errno, &e)
			    : sync_send(host, CT_STEP_JOIN, SYNC_FD, pid, pidfd, &e);
	}
	if (r < 0)
		sync_send_error(host, CT_STEP_JOIN, &e);
	_exit(r < 0);
}

static int clone_by_middle(struct ct_init *init, const struct clone_args *args,
			   const struct joined *j, pid_t *pid, int *pidfd, struct err *e)
{
	struct clone_args middle = {.flags = args->flags & CLONE_INTO_CGROUP,
				    .cgroup = args->cgroup,
				    .exit_signal = SIGCHLD};
	struct sync sync = {.fd = -EBADF,
			    .peer = "the process that joins namespaces",
			    .step_to_str = ct_step_to_str};
	struct sync host = {.fd = -EBADF, .peer = "host", .step_to_str = ct_step_to_str};
	int64_t number = 0;
	pid_t child = -1;
	int r = sync_pair(&sync.fd, &host.fd, e);

	if (r >= 0)
		r = ct_patience_set(sync.fd, ct_patience_ms(), e);
	if (r >= 0) {
		child = sys_clone3(&middle);
		if (child == 0)
			run_middle(init, j, &host);
		if (child < 0)
			r = failed(errno, e);
	}
	own_close_fd(&host.fd);
	if (r >= 0)
		r = sync_expect(&sync, CT_STEP_JOIN, SYNC_FD, &number, pidfd, e);
	if (r < 0 && child > 0)
		kill(child, SIGKILL); /* our child, not reaped yet: the number is its own */
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	own_close_fd(&sync.fd);
	*pid = (pid_t)number;
	return r;
}

int ct_clone_init(struct ct_init *init, int group, pid_t *pid, int *pidfd, struct err *e)
{
	const struct ct_spec *spec = init->spec;
	struct clone_args args = {.flags = clone_flags(init),
				  .exit_signal = SIGCHLD,
				  .pidfd = (uint64_t)(uintptr_t)pidfd};
	struct joined j;
	int r = joined_open(&j, spec, e);

	if (r < 0)
		return r;
	if (group >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)group;
	}
	if (!ct_init_buries(init))
		ns_self_mount_drop();
	init->parent = spec->own[CT_NS_PID] || spec->join[CT_NS_PID] ? 0 : getpid();
	if (ct_clone_by_middle(spec))
		r = clone_by_middle(init, &args, &j, pid, pidfd, e);
	else
		r = clone_directly(init, &args, &j, pid, e);
	ns_self_mount_drop();
	joined_done(&j);
	return r;
}
