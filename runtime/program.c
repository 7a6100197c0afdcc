// SPDX-License-Identifier: GPL-2.0-only
/* Working directory, ids, capabilities, filter, execve: in this order. */
#include "runtime/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/sync.h"
#include "ns/console.h"
#include "ns/lsm.h"
#include "ns/rlimit.h"
#include "ns/rootfs.h"
#include "ns/schedule.h"
#include "ns/seccomp.h"
#include "ns/self.h"
#include "ns/user.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int load_filter(const struct ns_filter *filter, struct sync *host, unsigned step,
		       struct err *e)
{
	auto_fd int listener = -EBADF;
	int r;

	if (!filter || !filter->prog)
		return 0;
	r = ns_seccomp_load(filter, e);
	if (r < 0 || !filter->notify)
		return r;
	listener = r;
	return sync_send(host, step, SYNC_FD, 0, listener, e);
}

int ct_program_prepare(const struct ct_process *p, bool make_cwd, struct err *e)
{
	int r = ns_self_reset_signals(e);

	ns_console_give(p->uid, p->gid);
	/* runc since 1.2: the CPUs that our caller is bound to are not a limit of the container's. */
	if (!p->exec_cpus && !p->exec_cpus_first)
		ns_affinity_reset();
	if (r >= 0 && !p->keep_keyring)
		r = ns_self_new_keyring(e);
	if (r >= 0)
		r = ns_rootfs_chdir(p->cwd ? p->cwd : "/", make_cwd, e);
	if (r < 0)
		return r;
	if (p->apparmor && ns_lsm_exec(NS_LSM_APPARMOR, p->apparmor, e) < 0)
		return -e->no;
	if (p->selinux && ns_lsm_exec(NS_LSM_SELINUX, p->selinux, e) < 0)
		return -e->no;
	umask(p->umask >= 0 ? (mode_t)p->umask : 0022);
	/* Nothing is opened from here on. Before the ids are taken: whether a user has too many processes is judged in that moment (RLIMIT_NPROC, set_cred_ucounts()), and the filter may forbid it. */
	for (size_t i = 0; i < p->n_rlimits; i++)
		if (ns_rlimit_take(&p->rlimits[i], e) < 0)
			return -e->no;
	return 0;
}

int ct_program_become(const struct ct_process *p, const struct ns_filter *filter, struct sync *host,
		      unsigned step, struct err *e)
{
	struct ns_caps all = {
		.bounding = ns_caps_all(), .effective = ns_caps_all(), .permitted = ns_caps_all()};
	int r = p->no_new_privs ? ns_self_no_new_privs(e) : load_filter(filter, host, step, e);

	if (r < 0)
		return r;
	r = ns_caps_apply(p->has_caps ? &p->caps : &all, p->uid, p->gid, p->groups, p->n_groups, e);
	if (r < 0)
		return r;
	return p->no_new_privs ? load_filter(filter, host, step, e) : 0;
}

int ct_process_schedule(const struct ct_process *p, pid_t pid, struct err *e)
{
	if (p->has_scheduler && ns_scheduler_apply(pid, &p->scheduler, e) < 0)
		return -e->no;
	return p->io_class ? ns_ioprio_apply(pid, p->io_class, p->io_priority, e) : 0;
}

void ct_process_complete(struct ct_process *p, const struct ct_process *init)
{
	if (!p->has_caps) {
		p->has_caps = init->has_caps;
		p->caps = init->caps;
		p->no_new_privs |= init->no_new_privs;
	}
	if (!p->n_rlimits) {
		p->rlimits = init->rlimits;
		p->n_rlimits = init->n_rlimits;
	}
	if (!p->has_oom_score_adj) {
		p->has_oom_score_adj = init->has_oom_score_adj;
		p->oom_score_adj = init->oom_score_adj;
	}
	if (!p->has_scheduler) {
		p->has_scheduler = init->has_scheduler;
		p->scheduler = init->scheduler;
	}
	if (!p->io_class) {
		p->io_class = init->io_class;
		p->io_priority = init->io_priority;
	}
	if (!p->apparmor)
		p->apparmor = init->apparmor;
	if (!p->selinux)
		p->selinux = init->selinux;
	if (!p->exec_cpus_first && !p->exec_cpus) {
		p->exec_cpus_first = init->exec_cpus_first;
		p->exec_cpus = init->exec_cpus;
	}
}

/* Whatever is wrong with its passwd must keep nobody from looking after a container. */
static void find_home(uid_t uid, struct ns_user *user)
{
	auto_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err ignored = {0};
	char number[16];

	snprintf(number, sizeof(number), "%u", uid);
	if (root < 0 || ns_user_lookup(root, number, user, &ignored) < 0)
		snprintf(user->home, sizeof(user->home), "/");
}

int ct_program_home(struct ct_process *p, const char *home, struct err *e)
{
	struct ns_user user;
	size_t n = 0;
	char **env, *text;

	size_t at = SIZE_MAX;

	/* An empty one is as good as none. */
	for (; p->env && p->env[n]; n++)
		if (!strncmp(p->env[n], "HOME=", 5)) {
			if (p->env[n][5])
				return 0;
			at = n;
		}
	if (!home) {
		find_home(p->uid, &user);
		home = user.home;
	}
	env = calloc(n + 2, sizeof(*env));
	if (!env || asprintf(&text, "HOME=%s", home) < 0) {
		free(env);
		return err_set(e, ENOMEM, "out of memory for the environment");
	}
	if (n)
		memcpy(env, p->env, n * sizeof(*env));
	env[at < n ? at : n] = text;
	p->env = env;
	return 0;
}

static const char *search_path(char *const *env)
{
	for (; env && *env; env++)
		if (!strncmp(*env, "PATH=", 5))
			return *env + 5;
	return DEFAULT_PATH;
}

static int refuse(const char *name, int no, struct err *e)
{
	bool missing = no == ENOENT || no == ENOTDIR;

	err_set(e, no, "execute %s in the container: %s", name, strerror(no));
	if (no == ENOEXEC)
		err_hint(e, "it is no program of this machine's kind, or a script without #!");
	else if (missing)
		err_hint(e, "it does not exist there, or its interpreter does not");
	return err_class(e, missing ? ERR_NOT_FOUND : ERR_NOT_RUNNABLE);
}

/*
 * Why it cannot be executed, as an errno; look: without doing it, 0: it looks as if it could be, or we cannot tell: where we are and who we are is not yet what the program will have. A relative path begins at
 * a directory that is entered later; what keeps us from looking (EACCES below a FUSE or NFS of another's, say) may let the program's user in.
 */
static int attempt(const char *file, const struct ct_process *p, bool look)
{
	struct statvfs mount;
	struct stat st;

	if (!look) {
		execve(file, p->args, p->env);
		return errno;
	}
	if (*file != '/')
		return 0;
	if (stat(file, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? errno : 0;
	/* From a mount with noexec nobody executes, root neither. */
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111) ||
	    (statvfs(file, &mount) == 0 && mount.f_flag & ST_NOEXEC))
		return EACCES;
	return 0;
}

static int execute(const struct ct_process *p, bool look, struct err *e)
{
	const char *name = p->args[0], *path = search_path(p->env);
	int no = ENOENT;

	if (strchr(name, '/')) {
		no = attempt(name, p, look);
		path = "";
	}
	while (*path) {
		size_t n = strcspn(path, ":");
		char full[PATH_MAX];
		int why;

		if (n && snprintf(full, sizeof(full), "%.*s/%s", (int)n, path, name) <
				 (int)sizeof(full)) {
			why = attempt(full, p, look);
			/* A later directory may have it; what was there but could not run is the better answer. */
			if (why != ENOENT && why != ENOTDIR)
				no = why;
			if (!no)
				return 0;
		}
		path += n + (path[n] == ':');
	}
	return no ? refuse(name, no, e) : 0;
}

int ct_program_exec(const struct ct_process *p, struct err *e)
{
	return execute(p, false, e);
}

int ct_program_look(const struct ct_process *p, struct err *e)
{
	return execute(p, true, e);
}
