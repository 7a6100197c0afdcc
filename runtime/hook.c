// SPDX-License-Identifier: GPL-2.0-only
/* Hooks: run one, with the state for its input, and hear what it says. */
#include "runtime/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/sys.h"
#include "ns/self.h"
#include "runtime/spec_read.h"
#include "runtime/state.h"

#define HOOKS_FILE "hooks.json"
#define SAID_MOST  300
#define CHUNK	   512
#define PIPE_HOLDS 65536 /* pipe(7) */

/* A running hook. */
struct run {
	enum ct_hook_point point;
	const struct ct_hook *hook;
	const char *cwd;
	pid_t parent, pid;
	int pidfd;
	int in;	     /* the state */
	int said[2]; /* pipe of its standard output and error; we hold [0] */
	int file[2]; /* where these two go instead, if the annotations say so */
	int why[2];  /* its errno when it cannot be executed; its end of it closes at execve */
	char text[SAID_MOST + 1];
	size_t len;
};

const char *ct_hook_point_to_str(enum ct_hook_point point)
{
	static const char *const words[] = {
#define X(name, word) [CT_HOOK_##name] = word,
		CT_HOOKS(X)
#undef X
	};

	return words[point];
}

/* I am the child, in the namespaces of who runs the hook. */
_Noreturn static void become_hook(const struct run *r)
{
	char *path_alone[] = {r->hook->path, NULL};
	int from[3] = {r->in, r->file[0] >= 0 ? r->file[0] : r->said[1],
		       r->file[1] >= 0 ? r->file[1] : r->said[1]};
	struct err ignored = {0};
	int no;

	/* Who ran us may be dead already. In a pid namespace init is process 1, and our parent. */
	if (ns_self_reset_signals(&ignored) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    getppid() != r->parent)
		_exit(127);
	/* Above 2 first, so that a source which is itself 0, 1 or 2 is not overwritten before its turn. */
	for (int i = 0; i < 3; i++)
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 3);
	for (int i = 0; i < 3; i++)
		if (from[i] < 0 || dup2(from[i], i) < 0)
			goto fail;
	/* Those that the container's program is to have are not CLOEXEC. */
	if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		goto fail;
	if (r->cwd && chdir(r->cwd) < 0)
		goto fail;
	/* A list without one is none: a program that begins without a name of its own (argc 0) is an old way to get it to read past its arguments. */
	execve(r->hook->path, r->hook->args && r->hook->args[0] ? r->hook->args : path_alone,
	       r->hook->env ? r->hook->env : environ);
fail:
	no = errno;
	if (write(r->why[1], &no, sizeof(no)) < 0)
		_exit(126);
	_exit(127);
}

/* Keeps the end of it. False when there is no more, or nothing just now. */
static bool hear(struct run *r)
{
	char chunk[CHUNK];
	ssize_t n = read(r->said[0], chunk, sizeof(chunk));
	size_t keep;

	if (n <= 0)
		return n < 0 && errno == EINTR;
	if (n > SAID_MOST) {
		memcpy(r->text, chunk + n - SAID_MOST, SAID_MOST);
		r->len = SAID_MOST;
		return true;
	}
	keep = r->len + (size_t)n > SAID_MOST ? SAID_MOST - (size_t)n : r->len;
	memmove(r->text, r->text + r->len - keep, keep);
	memcpy(r->text + keep, chunk, (size_t)n);
	r->len = keep + (size_t)n;
	return true;
}

/* What it said, its last line at the end, as the tail of an error's line: err_set() blanks line ends. */
static const char *last_words(struct run *r)
{
	while (r->len && strchr(" \n\r", r->text[r->len - 1]))
		r->len--;
	r->text[r->len] = 0;
	return r->text;
}

/* crun's run.oci.hooks.stdout and .stderr: files of the host's, and so for those hooks that run there. Who may write hooks into a config.json may write these. */
static int open_files(struct run *r, const json_t *state, struct err *e)
{
	static const char *const names[2] = {"run.oci.hooks.stdout", "run.oci.hooks.stderr"};
	const json_t *annotations = json_object_get(state, "annotations");

	if (r->point == CT_HOOK_CREATE_CONTAINER || r->point == CT_HOOK_START_CONTAINER)
		return 0;
	for (int i = 0; i < 2; i++) {
		const char *path = json_string_value(json_object_get(annotations, names[i]));

		if (!path)
			continue;
		r->file[i] = open(path,
				  O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK |
					  O_NOCTTY | O_CLOEXEC,
				  0600);
		if (r->file[i] < 0)
			return err_sys(e, "%s: open %s", names[i], path);
	}
	return 0;
}

/* A raw clone, not clone3(): that one fails with ENOSYS under the seccomp profiles of Docker and Podman, and startContainer hooks run under the container's. */
static int launch(struct run *r, const json_t *state, struct err *e)
{
	auto_free char *text = json_dumps(state, JSON_COMPACT);

	if (!text)
		return err_set(e, ENOMEM, "out of memory for the state");
	if (open_files(r, state, e) < 0)
		return -e->no;
	/* Not a pipe: it never blocks us, and nobody minds a hook that does not read. */
	r->in = memfd_create("state", MFD_CLOEXEC);
	if (r->in < 0 || pipe2(r->said, O_CLOEXEC) < 0 || pipe2(r->why, O_CLOEXEC) < 0)
		return err_sys(e, "make the hook's descriptors");
	if (file_write_all(r->in, text, strlen(text), e) < 0)
		return -e->no;
	if (lseek(r->in, 0, SEEK_SET) < 0 || fcntl(r->said[0], F_SETFL, O_NONBLOCK) < 0)
		return err_sys(e, "prepare the hook's descriptors");
	r->parent = getpid();
	r->pid = (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, &r->pidfd, NULL, NULL);
	if (r->pid == 0)
		become_hook(r);
	if (r->pid < 0)
		return err_sys(e, "make a process");
	own_close_fd(&r->said[1]);
	own_close_fd(&r->why[1]);
	return 0;
}

/* To its end, not to that of a process which it leaves behind with its output. 0, or -ETIMEDOUT with e filled. */
static int wait_for_end(struct run *r, struct err *e)
{
	uint64_t end = log_now_ns() + (uint64_t)r->hook->timeout_s * 1000000000u;

	while (1) {
		struct pollfd p[] = {{.fd = r->pidfd, .events = POLLIN},
				     {.fd = r->said[0], .events = POLLIN}};
		uint64_t now = log_now_ns();
		int ms = -1;

		if (r->hook->timeout_s)
			ms = now < end ? (int)((end - now) / 1000000u) + 1 : 0;
		if (poll(p, ARRAY_SIZE(p), ms) < 0 && errno != EINTR)
			return err_sys(e, "wait for the hook");
		if (p[1].revents && !hear(r) && p[1].revents & POLLHUP)
			own_close_fd(&r->said[0]);
		if (p[0].revents)
			break;
		if (r->hook->timeout_s && log_now_ns() >= end)
			return err_set(e, ETIMEDOUT, "did not end within %d s: killed",
				       r->hook->timeout_s);
	}
	/* What was there when it ended: a process that it has left behind may write for ever. */
	for (int i = 0; i < PIPE_HOLDS / CHUNK && r->said[0] >= 0 && hear(r); i++)
		;
	return 0;
}

/* How it ended. It has ended, or is killed now: our child, not reaped yet. */
static int judge_end(struct run *r, struct err *e)
{
	siginfo_t info = {0};
	int no = 0, got;

	if (e->no)
		kill(r->pid, SIGKILL);
	do
		got = waitid(P_PIDFD, (id_t)r->pidfd, &info, WEXITED);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_sys(e, "learn how the hook ended");
	if (e->no)
		return -e->no;
	if (read(r->why[0], &no, sizeof(no)) == sizeof(no))
		return err_set(e, no, "execute it: %s", strerror(no));
	if (info.si_code != CLD_EXITED)
		return err_set(e, ECANCELED, "ended by signal %d: %s", info.si_status,
			       last_words(r));
	return info.si_status
		       ? err_set(e, ECANCELED, "%s hook failed with exit code %d: %s",
				 ct_hook_point_to_str(r->point), info.si_status, last_words(r))
		       : 0;
}

static int run_one(const struct ct_hooks *hooks, enum ct_hook_point point, size_t nth,
		   const json_t *state, const char *cwd, struct err *e)
{
	struct run r = {.hook = &hooks->list[point][nth],
			.point = point,
			.cwd = cwd,
			.pidfd = -EBADF,
			.in = -EBADF,
			.said = {-EBADF, -EBADF},
			.file = {-EBADF, -EBADF},
			.why = {-EBADF, -EBADF}};

	if (launch(&r, state, e) == 0) {
		wait_for_end(&r, e);
		judge_end(&r, e);
	}
	own_close_fd(&r.pidfd);
	own_close_fd(&r.in);
	for (int i = 0; i < 2; i++) {
		own_close_fd(&r.said[i]);
		own_close_fd(&r.file[i]);
		own_close_fd(&r.why[i]);
	}
	return -e->no;
}

int ct_hooks_run(const struct ct_hooks *hooks, enum ct_hook_point point, const json_t *state,
		 const char *cwd, struct err *e)
{
	for (size_t i = 0; i < hooks->n[point]; i++)
		if (run_one(hooks, point, i, state, cwd, e) < 0) {
			err_wrap(e, "error running %s hook #%zu: %s", ct_hook_point_to_str(point),
				 i, hooks->list[point][i].path);
			return err_class(e, ERR_HOOK);
		}
	return 0;
}

void ct_hooks_run_all(const struct ct_hooks *hooks, enum ct_hook_point point, const json_t *state,
		      const char *cwd)
{
	for (size_t i = 0; i < hooks->n[point]; i++) {
		struct err why = {0};

		if (run_one(hooks, point, i, state, cwd, &why) < 0)
			log_warn("error running %s hook #%zu: %s: %s", ct_hook_point_to_str(point),
				 i, hooks->list[point][i].path, why.text);
	}
}

int ct_hooks_keep(const struct ct *ct, const struct ct_hooks *hooks, struct err *e)
{
	if (!hooks->n[CT_HOOK_START_CONTAINER] && !hooks->n[CT_HOOK_POSTSTART] &&
	    !hooks->n[CT_HOOK_POSTSTOP])
		return 0;
	return json_save_at(ct->dir, HOOKS_FILE, hooks->given, e);
}

int ct_hooks_load(const struct ct *ct, struct ct_hooks *hooks, struct err *e)
{
	auto_json json_t *j = NULL;
	struct err why = {0};

	*hooks = (struct ct_hooks){0};
	if (json_load_at(ct->dir, HOOKS_FILE, &j, &why) < 0) {
		if (why.no == ENOENT)
			return 0;
		*e = why;
		return -e->no;
	}
	if (ct_read_hooks(j, "hooks", hooks, e) < 0)
		ct_hooks_done(hooks);
	return -e->no;
}

bool ct_hooks_are_kept(const struct ct *ct)
{
	/* Not to be able to look is no such word: ct_hooks_load() says what is the matter. */
	return faccessat(ct->dir, HOOKS_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

void ct_hooks_end(const struct ct *ct)
{
	auto_hooks struct ct_hooks hooks = {0};
	auto_json json_t *state = NULL;
	struct err why = {0};

	if (!ct_hooks_are_kept(ct))
		return;
	if (ct_hooks_load(ct, &hooks, &why) < 0 ||
	    ct_state_to_hook(ct, CT_STOPPED, 0, &state, &why) < 0)
		log_warn("container %s: its hooks: %s", ct->s.id, why.text);
	else
		ct_hooks_run_all(&hooks, CT_HOOK_POSTSTOP, state, ct->s.bundle);
	if (unlinkat(ct->dir, HOOKS_FILE, 0) < 0 && errno != ENOENT)
		log_warn("container %s: forget its hooks: %s", ct->s.id, strerror(errno));
}

static void free_strings(char **list)
{
	for (char **s = list; s && *s; s++)
		free(*s);
	free(list);
}

void ct_hooks_done(struct ct_hooks *hooks)
{
	for (int p = 0; p < CT_HOOK_POINTS; p++) {
		for (size_t i = 0; i < hooks->n[p]; i++) {
			free(hooks->list[p][i].path);
			free_strings(hooks->list[p][i].args);
			free_strings(hooks->list[p][i].env);
		}
		free(hooks->list[p]);
	}
	json_decref(hooks->given);
	*hooks = (struct ct_hooks){0};
}
