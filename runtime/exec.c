// SPDX-License-Identifier: GPL-2.0-only
/* A further program in a running container: into its groups, then its namespaces, then its rights. */
#include "runtime/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/sync.h"
#include "base/sys.h"
#include "cgroups/entry.h"
#include "cgroups/group.h"
#include "ns/console.h"
#include "ns/fds.h"
#include "ns/join.h"
#include "ns/rlimit.h"
#include "ns/seccomp.h"
#include "ns/self.h"
#include "ns/user.h"
#include "runtime/container.h"
#include "runtime/exec_group.h"
#include "runtime/listener.h"
#include "runtime/patience.h"
#include "runtime/program.h"
#include "runtime/rdt.h"

/* The container may hold a process on its way: a working directory on a FUSE of its own, a memory limit without a killer. We hold its lock. */
#define REAP_MS 2000

/*
 * X(NAME, "name"): host and middle process, then host and program, over one socket.
 *   LIMITS   host → middle: you have your limits
 *   JOIN     middle → host: pidfd of the program, which is in the namespaces; then the middle process ends
 *   PROCESS  host → program: go on; program → host: the terminal's master, if it is to have one; the listener of a filter that has one
 *   EXEC     program → host: about to; then an error, or the end of the stream, which is execve's doing
 */
#define STEPS(X)              \
	X(LIMITS, "limits")   \
	X(JOIN, "join")       \
	X(PROCESS, "process") \
	X(EXEC, "exec")

enum step {
#define X(name, word) STEP_##name,
	STEPS(X)
#undef X
};

static const char *step_to_str(unsigned step)
{
	static const char *const names[] = {
#define X(name, word) word,
		STEPS(X)
#undef X
	};

	return step < ARRAY_SIZE(names) ? names[step] : "unknown";
}

/* What both sides know; the children have it as a copy of our memory. */
struct entry {
	const struct ct_exec *how;
	struct ct_process p; /* as asked, completed; borrows its lists */
	struct ns_filter filter;
	const struct ns_filter *use; /* that, or the one that came with the spec */
	struct cg_doors doors;
	const struct ct_spec *spec; /* the container's */
	json_t *listener;	    /* NULL: the filter asks nobody */
	int init;		    /* pidfd */
	int root;		    /* init's */
	int flags;
	struct sync sync;
	int theirs;
	pid_t middle;
};

/* I am the program to be: a child of the host side, in all namespaces, root there if it is a user namespace of its own. */

/* Numbers from the container's own files. Without a name HOME is that of the number. */
static int find_user(struct entry *en, struct ns_user *user, struct err *e)
{
	auto_fd int root = -EBADF;

	if (!en->how->user)
		return ct_program_home(&en->p, NULL, e);
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_sys(e, "open /");
	if (ns_user_lookup(root, en->how->user, user, e) < 0)
		return -e->no;
	en->p.uid = user->uid;
	en->p.gid = user->gid;
	/* Those that were asked for by number come behind those of the container's group file. */
	for (int i = 0; i < en->p.n_groups && user->n_groups < NS_USER_GROUPS_MOST; i++)
		user->groups[user->n_groups++] = en->p.groups[i];
	en->p.groups = user->groups;
	en->p.n_groups = user->n_groups;
	return ct_program_home(&en->p, user->home, e);
}

static int take_terminal(struct entry *en, struct err *e)
{
	auto_fd int root = -EBADF;
	auto_fd int master = -EBADF;
	auto_fd int slave = -EBADF;
	int r = ns_console_session(e);

	if (r < 0)
		return r;
	if (!en->p.terminal)
		return ns_console_stdio(en->how->stdio, e);
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_sys(e, "open /");
	r = ns_console_new(root, &master, &slave, e);
	if (r >= 0)
		r = ns_console_chown(slave, en->p.uid, (gid_t)-1, e);
	if (r >= 0 && en->p.rows && en->p.cols)
		r = ns_console_resize(master, en->p.rows, en->p.cols, e);
	if (r >= 0 && en->p.plain_lines)
		r = ns_console_plain_lines(slave, e);
	if (r >= 0)
		r = sync_send(&en->sync, STEP_PROCESS, SYNC_FD, 0, master, e);
	return r < 0 ? r : ns_console_take(slave, e);
}

/* What the program inherits beyond 0, 1, 2. */
static int *preserved(const struct entry *en, size_t more)
{
	int *fds = calloc((size_t)en->how->preserve_fds + more + 1, sizeof(int));

	for (int i = 0; fds && i < en->how->preserve_fds; i++)
		fds[i] = 3 + i;
	return fds;
}

static int become_program(struct entry *en, enum step *step, struct err *e)
{
	auto_free int *keep = preserved(en, 0);
	struct ns_user user;
	int r = keep ? 0 : err_set(e, ENOMEM, "out of memory for descriptors");

	*step = STEP_PROCESS;
	if (r >= 0)
		r = sync_expect(&en->sync, STEP_PROCESS, SYNC_OK, NULL, NULL, e);
	if (r >= 0 && en->flags & CLONE_NEWUSER)
		r = ns_user_become_root(en->p.n_groups < 0, e);
	if (r >= 0)
		r = ns_join_verify(e);
	if (r >= 0)
		r = find_user(en, &user, e);
	if (r >= 0)
		r = take_terminal(en, e);
	if (r >= 0 && en->spec->personality)
		r = ns_self_personality(en->spec->personality, e);
	if (r >= 0)
		r = ns_numa_apply(&en->spec->numa, e);
	/* As in a start: behind a filter there is nothing but write(2) and execve(2). */
	if (r >= 0)
		r = ns_fds_keep_only(keep, (size_t)en->how->preserve_fds, e);
	en->sync.filtered = en->use->prog;
	if (r >= 0)
		r = ct_program_prepare(&en->p, false, e);
	if (r >= 0)
		r = ct_program_become(&en->p, en->use, &en->sync, STEP_PROCESS, e);
	if (r < 0)
		return r;
	*step = STEP_EXEC;
	r = sync_send(&en->sync, STEP_EXEC, SYNC_OK, 0, -EBADF, e);
	return r < 0 ? r : ct_program_exec(&en->p, e);
}

_Noreturn static void run_program(struct entry *en)
{
	enum step step = STEP_PROCESS;
	struct err e = {0};

	become_program(en, &step, &e);
	sync_send_error(&en->sync, step, &e);
	_exit(e.class == ERR_NOT_FOUND ? 127 : e.class == ERR_NOT_RUNNABLE ? 126 : 1);
}

/*
 * I am the middle process: a copy of the host side in the container's control groups. I hold nothing of the host but 0, 1, 2, what the program is to have,
 * the socket, and init's pidfd until I am in.
 */
static int join_and_clone(struct entry *en, struct err *e)
{
	auto_free int *keep = preserved(en, 6);
	size_t n = (size_t)en->how->preserve_fds;
	auto_fd int pidfd = -EBADF;
	struct clone_args args = {.flags = CLONE_PARENT | CLONE_PIDFD,
				  .pidfd = (uint64_t)(uintptr_t)&pidfd};
	pid_t pid;
	int r;

	if (!keep)
		return err_set(e, ENOMEM, "out of memory for descriptors");
	keep[n++] = en->sync.fd;
	keep[n++] = en->init;
	keep[n++] = en->root;
	for (int i = 0; i < 3; i++)
		keep[n++] = en->how->stdio[i];
	r = cg_doors_enter(&en->doors, e);
	if (r >= 0)
		r = ns_fds_close_others(keep, n, e);
	if (r >= 0)
		r = sync_expect(&en->sync, STEP_LIMITS, SYNC_OK, NULL, NULL, e);
	if (r >= 0)
		r = ns_join_enter(en->init, en->flags, e);
	if (r < 0)
		return r;
	own_close_fd(&en->init);
	if (en->root >= 0 && (fchdir(en->root) < 0 || chroot(".") < 0))
		return err_sys(e, "enter the container's root");
	own_close_fd(&en->root);
	/* The number is one of our pid namespace all the same: only the child is in the other. */
	pid = sys_clone3(&args);
	if (pid == 0)
		run_program(en);
	if (pid < 0) {
		err_sys(e, "make a process in the container");
		/* copy_process(): what a pid namespace says whose init is gone, and a full pids controller. */
		if (e->no == ENOMEM)
			err_hint(e, "the container may have ended just now");
		else if (e->no == EAGAIN)
			err_hint(e, "the container's limit of processes is reached");
		return -e->no;
	}
	return sync_send(&en->sync, STEP_JOIN, SYNC_FD, pid, pidfd, e);
}

_Noreturn static void run_middle(struct entry *en)
{
	struct err e = {0};
	int r;

	en->sync = (struct sync){.fd = en->theirs, .peer = "host", .step_to_str = step_to_str};
	r = join_and_clone(en, &e);
	if (r < 0)
		sync_send_error(&en->sync, STEP_JOIN, &e);
	_exit(r < 0);
}

/* Host side from here on. */

static int prepare_filter(struct entry *en, const struct ct_spec *spec, struct err *e)
{
	const struct ns_seccomp_options opt = ct_spec_filter_options(spec);

	en->use = spec->filter.prog ? &spec->filter : &en->filter;
	if (spec->filter.prog || !ct_spec_filters(spec))
		return 0;
	return ns_seccomp_get(en->how->cache_dir, spec->seccomp, spec->seccomp_text, &opt,
			      &en->filter, e);
}

static int not_running(const struct ct *ct, struct err *e)
{
	err_set(e, ESRCH, "cannot exec: container %s is not running", ct->s.id);
	return err_class(e, ERR_NOT_RUNNING);
}

static int clone_middle(struct entry *en, const struct ct *ct, int leaf, int *pidfd, struct err *e)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD, .exit_signal = SIGCHLD, .pidfd = (uint64_t)(uintptr_t)pidfd};
	/* A user's own systemd is asked, as for init: start_host.c, is_born_inside(). */
	bool attach = leaf >= 0 && !strncmp(ct->s.scope, "user:", strlen("user:"));

	if (leaf >= 0 && !attach) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)leaf;
	}
	/* Ours is what a process begins with that is cloned into another group. */
	if (en->p.exec_cpus_first && ns_affinity_apply(0, en->p.exec_cpus_first, e) < 0)
		return -e->no;
	en->middle = sys_clone3(&args);
	if (en->middle == 0)
		run_middle(en);
	if (en->middle < 0)
		return ct_exec_group_refused(en->how, e);
	own_close_fd(&en->theirs);
	return attach ? ct_scope_attach(ct->s.scope, leaf, en->middle, e) : 0;
}

/* While the rights to do so are those of the host. The program inherits all of it. */
static int limit_middle(struct entry *en, struct err *e)
{
	const struct ct_process *p = &en->p;
	struct err why = {0};
	char name[48], text[16];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < p->n_rlimits; i++)
		r = ns_rlimit_allow(en->middle, &p->rlimits[i], e);
	if (r >= 0 && p->exec_cpus)
		r = ns_affinity_apply(en->middle, p->exec_cpus, e);
	if (r < 0 || !p->has_oom_score_adj)
		return r;
	snprintf(name, sizeof(name), "/proc/%d/oom_score_adj", en->middle);
	snprintf(text, sizeof(text), "%d", p->oom_score_adj);
	if (file_write_at(AT_FDCWD, name, text, &why) < 0)
		log_warn("%s", why.text);
	return 0;
}

static int talk(struct entry *en, const struct ct *ct, struct ct_executed *out, struct err *e)
{
	int64_t pid = 0;
	int r = limit_middle(en, e);

	if (r >= 0)
		r = ct_rdt_add(ct, en->spec, en->middle, e);
	/* The container sees nothing of us before it is told to join. */
	ns_self_mount_drop();
	if (r >= 0)
		r = sync_send(&en->sync, STEP_LIMITS, SYNC_OK, 0, -EBADF, e);
	if (r >= 0)
		r = sync_expect(&en->sync, STEP_JOIN, SYNC_FD, &pid, &out->pidfd, e);
	/* It is there, even if we could not receive its descriptor. */
	out->pid = (pid_t)pid;
	if (r < 0)
		return r;
	/* Not of the middle process: one with SCHED_DEADLINE must not fork, and SCHED_FLAG_RESET_ON_FORK would keep all of it from its child (sched_fork()). */
	r = ct_process_schedule(&en->p, out->pid, e);
	if (r >= 0)
		r = sync_send(&en->sync, STEP_PROCESS, SYNC_OK, 0, -EBADF, e);
	if (r >= 0 && en->p.terminal)
		r = sync_expect(&en->sync, STEP_PROCESS, SYNC_FD, NULL, &out->console, e);
	if (r >= 0 && en->listener)
		r = ct_listener_pass(ct, en->listener, CT_RUNNING, out->pid, &en->sync,
				     STEP_PROCESS, e);
	if (r >= 0)
		r = sync_expect(&en->sync, STEP_EXEC, SYNC_OK, NULL, NULL, e);
	if (r < 0)
		return r;
	/* As in ct_start(): the end of the stream is execve, or a death that the caller will see as the program's end. */
	r = sync_peek(&en->sync, 0, e);
	if (r < 0)
		return r;
	return r > 0 ? sync_expect(&en->sync, STEP_EXEC, SYNC_ERROR, NULL, NULL, e) : 0;
}

/* When our send fails because they failed first, or they died without a word: what they had to say is the first cause. */
static void prefer_their_words(struct entry *en, const struct ct *ct, struct err *e)
{
	struct err theirs = {0};

	if (e->no == EAGAIN)
		err_hint(e,
			 "something in container %s holds it: see its memory limit and its mounts",
			 ct->s.id);
	if (e->no != EPIPE && e->no != ECONNRESET)
		return;
	if (sync_expect(&en->sync, STEP_EXEC, SYNC_ERROR, NULL, NULL, &theirs) < 0 &&
	    theirs.no != EPIPE && theirs.no != EPROTO) {
		*e = theirs;
		return;
	}
	err_hint(e, "it was killed: out of the container's memory, or container %s ended just now",
		 ct->s.id);
}

/* That of its mount namespace may be the host's: of one that was joined, by --no-pivot, or where skep was called in a chroot. */
static int open_root(struct entry *en, const struct ct *ct, struct err *e)
{
	int fd = ns_join_root(ct->s.pid, e);

	/* It has ended meanwhile; of another with its number nothing is joined: that goes by the pidfd. */
	if (fd == -ENOENT || fd == -ESRCH) {
		err_clear(e);
		return not_running(ct, e);
	}
	/* A user's own skep may not look there when init's program is one that nobody may read. */
	if (fd == -EACCES && en->spec->own[CT_NS_MOUNT]) {
		err_clear(e);
		return 0;
	}
	if (fd >= 0)
		en->root = fd;
	return fd;
}

/* The middle process has joined init's namespaces by number and pidfd; both are checked in ns_join_flags(). */
static int enter(struct entry *en, const struct ct *ct, struct ct_executed *out, struct err *e)
{
	auto_cg struct cg cg = CG_INIT;
	auto_fd int middle = -EBADF;
	auto_fd int leaf = -EBADF;
	int r;

	en->init = ct_init_open(ct, e);
	if (en->init < 0)
		return e->no ? -e->no : not_running(ct, e);
	r = ns_join_flags(en->init, ct->s.pid, &en->flags, e);
	if (r >= 0)
		r = open_root(en, ct, e);
	if (r >= 0)
		r = ct_exec_group(ct, en->how, &cg, &leaf, e);
	if (r >= 0)
		r = cg_doors_open(&cg, &en->doors, e);
	if (r >= 0)
		r = sync_pair(&en->sync.fd, &en->theirs, e);
	if (r >= 0)
		r = ct_patience_set(en->sync.fd, ct_patience_ms(), e);
	if (r >= 0)
		r = clone_middle(en, ct, leaf, &middle, e);
	if (r < 0 && en->middle <= 0)
		return r;
	if (r >= 0)
		r = talk(en, ct, out, e);
	if (r < 0)
		prefer_their_words(en, ct, e);
	proc_end(en->middle, middle, REAP_MS);
	return r < 0 ? -e->no : 0;
}

static int judge(const struct ct *ct, const struct ct_exec *how, struct err *e)
{
	enum ct_status status;
	int r = ct_may(ct, CT_EVENT_EXEC, &status, e);

	if (r < 0)
		return r;
	if (!how->process->args || !how->process->args[0] || !how->process->args[0][0]) {
		err_set(e, EINVAL, "no program given");
		return err_class(e, ERR_VALUE);
	}
	return 0;
}

int ct_exec(const struct ct *ct, const struct ct_exec *how, struct ct_executed *out, struct err *e)
{
	auto_spec struct ct_spec read = {0};
	const struct ct_spec *spec = how->spec;
	struct entry en = {
		.how = how,
		.doors = CG_DOORS_INIT,
		.init = -EBADF,
		.root = -EBADF,
		.sync = {.fd = -EBADF, .peer = "the new process", .step_to_str = step_to_str},
		.theirs = -EBADF,
	};
	int r = judge(ct, how, e);

	*out = (struct ct_executed){.pidfd = -EBADF, .console = -EBADF};
	if (r >= 0 && !spec) {
		r = ct_spec_of(ct, -EBADF, &read, e);
		spec = &read;
	}
	if (r >= 0) {
		en.p = *how->process;
		ct_process_complete(&en.p, &spec->process);
		en.spec = spec;
	}
	if (r >= 0)
		r = prepare_filter(&en, spec, e);
	if (r >= 0)
		r = ct_listener_new(spec, &en.listener, e);
	if (r >= 0)
		r = enter(&en, ct, out, e);
	if (r < 0) {
		ct_exec_kill(out);
		ct_executed_done(out);
	}
	own_close_fd(&en.init);
	own_close_fd(&en.root);
	own_close_fd(&en.sync.fd);
	own_close_fd(&en.theirs);
	cg_doors_close(&en.doors);
	ns_seccomp_done(&en.filter);
	json_decref(en.listener);
	return r;
}

void ct_exec_kill(struct ct_executed *run)
{
	proc_end(run->pid, run->pidfd, REAP_MS);
	run->pid = 0;
}

void ct_executed_done(struct ct_executed *run)
{
	own_close_fd(&run->pidfd);
	own_close_fd(&run->console);
	run->pid = 0;
}
