// SPDX-License-Identifier: GPL-2.0-only
/* The host's side of a start from READY on: the word to go, and the sight of the running program. */
#include "runtime/start_go.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/own.h"
#include "base/sync.h"
#include "cgroups/group.h"
#include "cgroups/stat.h"
#include "runtime/container.h"
#include "runtime/exec.h"
#include "runtime/hook.h"
#include "runtime/patience.h"
#include "runtime/listener.h"
#include "runtime/steps.h"

/* A path of any length fits into sun_path by way of the directory's descriptor. */
static void start_socket_name(int dir, struct sockaddr_un *sa)
{
	sa->sun_family = AF_UNIX;
	snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/" CT_START_SOCKET, dir);
}

int ct_start_listen(const struct ct *ct, struct err *e)
{
	struct sockaddr_un sa = {0};
	auto_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	start_socket_name(ct->dir, &sa);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 8) < 0)
		return err_sys(e, "make the socket " CT_START_SOCKET);
	return take_fd(&fd);
}

void ct_prefer_words_of_init(struct sync *sync, struct err *e)
{
	struct err ignored = {0};

	while (sync->fd >= 0 && sync_peek(sync, MSG_DONTWAIT, &ignored) > 0) {
		struct err theirs = {0};

		/* What it asked or sent before is a mismatch, EPROTO. */
		if (sync_expect(sync, CT_STEP_COUNT, SYNC_ERROR, NULL, NULL, &theirs) < 0 &&
		    theirs.no != EPIPE && theirs.no != EPROTO) {
			*e = theirs;
			return;
		}
	}
}

void ct_blame_memory(const struct ct *ct, struct err *e)
{
	auto_cg struct cg cg = CG_INIT;
	struct cg_stat st = {0};
	struct err ignored = {0};

	if (e->no != EPIPE || !ct->s.cgroup[0] || cg_open(ct->s.cgroup, &cg, &ignored) < 0 ||
	    cg_stat_read(&cg, &st, &ignored) < 0 || !st.oom_kill.valid || !st.oom_kill.v)
		return;
	err_clear(e);
	err_set(e, ENOMEM,
		"init was killed for lack of memory: the limit of its control group is %" PRIu64
		" bytes",
		st.mem_max.v);
	err_hint(e, "give it more memory");
}

static int run_poststart(struct ct *ct, const struct ct_hooks *hooks, struct err *e)
{
	auto_json json_t *state = NULL;
	int r;

	if (!hooks->n[CT_HOOK_POSTSTART])
		return 0;
	r = ct_state_to_hook(ct, CT_RUNNING, ct->s.pid, &state, e);
	return r < 0 ? r : ct_hooks_run(hooks, CT_HOOK_POSTSTART, state, ct->s.bundle, e);
}

/*
 * Of those that ask us to end, what our caller blocks to pass it on (exec_wait.c): there is no program yet to pass it to, and init may hang, in a mount or in a hook. One that we were started to ignore,
 * as by nohup(1), asks nothing. -EBADF: none.
 */
static int watch_endings(struct err *e)
{
	static const int endings[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
	sigset_t blocked, set;
	bool any = false;
	int fd;

	sigemptyset(&set);
	if (sigprocmask(SIG_BLOCK, NULL, &blocked) < 0)
		return err_sys(e, "look at the blocked signals");
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		struct sigaction now;

		if (sigismember(&blocked, endings[i]) == 1 &&
		    sigaction(endings[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN) {
			sigaddset(&set, endings[i]);
			any = true;
		}
	}
	if (!any)
		return -EBADF;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(e, "watch for signals") : fd;
}

static int told_to_end(int fd, struct err *e)
{
	struct signalfd_siginfo info = {0};

	if (read(fd, &info, sizeof(info)) < 0)
		return err_sys(e, "read a signal");
	return err_set(e, EINTR, "ended by signal %u before the program was started",
		       info.ssi_signo);
}

/* To the end of init's stream: it has become the program, or told why not, or is gone. events POLLIN: or to its next message. */
static int wait_for_word(struct sync *sync, short events, int ms, struct err *e)
{
	auto_fd int signals = watch_endings(e);
	/* Until the stream's end, whatever it was: to be woken by each message would cost an idle processor's wake-up each. POLLHUP needs no asking. */
	struct pollfd p[] = {{.fd = sync->fd, .events = events}, {.fd = signals, .events = POLLIN}};

	int r;

	if (e->no)
		return -e->no;
	while ((r = poll(p, ARRAY_SIZE(p), ms)) < 0)
		if (errno != EINTR)
			return err_sys(e, "wait for the program");
	if (r == 0) {
		err_set(e, ETIMEDOUT, "the container's first process does not come on: ended");
		return err_hint(e, "something holds it: a freezer, a mount, a stop signal");
	}
	return p[0].revents ? 0 : told_to_end(signals, e);
}

/* What the filter asks of init or of the program would wait for an answer for ever, without one to give it. */
static int pass_listener(struct ct *ct, struct sync *sync, int ms, struct err *e)
{
	int r = wait_for_word(sync, POLLIN, ms, e);

	if (r >= 0)
		r = ct_listener_pass(ct, ct->s.listener, CT_CREATED, ct->s.pid, sync,
				     CT_STEP_PROCESS, e);
	return r;
}

/* From the word to go: until the program runs, and the hooks of that have. */
static int see_it_run(struct ct *ct, struct sync *sync, struct err *e)
{
	auto_hooks struct ct_hooks hooks = {0};
	struct err ignored = {0};
	int r = ct_hooks_load(ct, &hooks, e);
	int ms = ct_patience_with_hooks_ms(&hooks, CT_HOOK_START_CONTAINER);

	if (r >= 0 && ct->s.listener)
		r = pass_listener(ct, sync, ms, e);
	if (r >= 0)
		r = wait_for_word(sync, 0, ms, e);
	/* What failed to start must not do so later. */
	if (r < 0 && r != -EINTR)
		(void)ct_destroy_processes(ct, &ignored);
	if (r < 0)
		return r;
	r = sync_expect(sync, CT_STEP_EXEC, SYNC_OK, NULL, NULL, e);
	if (r < 0) {
		ct_blame_memory(ct, e);
		return -e->no;
	}
	/*
	 * After init's "about to execute" comes an error, or the end of the stream: its descriptor closes at execve. No need to look whether
	 * the process lives: a program that ran and ended at once was started all the same.
	 */
	r = sync_peek(sync, 0, e);
	if (r < 0)
		return r;
	return r > 0 ? sync_expect(sync, CT_STEP_EXEC, SYNC_ERROR, NULL, NULL, e)
		     : run_poststart(ct, &hooks, e);
}

int ct_start(struct ct *ct, struct err *e)
{
	struct sockaddr_un sa = {0};
	struct sync sync = {.peer = "init", .step_to_str = ct_step_to_str};
	auto_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int r = ct_may(ct, CT_EVENT_START, NULL, e);

	if (r < 0)
		return r;
	if (fd < 0)
		return err_sys(e, "make a socket");
	start_socket_name(ct->dir, &sa);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_sys(e, "reach the container's first process");
	/* Before the word is sent: if we are killed in between, a living container is not taken for one that can be started twice. */
	ct->s.status = CT_RUNNING;
	r = ct_state_save(ct, e);
	if (r < 0)
		return r;
	sync.fd = fd;
	r = fault_at("start.go", e);
	if (r >= 0)
		r = sync_send(&sync, CT_STEP_START, SYNC_ASK, 0, -EBADF, e);
	if (r < 0) {
		struct err ignored = {0};

		/* It waits as before. */
		ct->s.status = CT_CREATED;
		(void)ct_state_save(ct, &ignored);
		return r;
	}
	(void)unlinkat(ct->dir, CT_START_SOCKET, 0);
	return see_it_run(ct, &sync, e);
}

int ct_start_say(struct ct *ct, int init, bool foreground, struct err *e)
{
	struct sync sync = {.fd = init, .peer = "init", .step_to_str = ct_step_to_str};
	int r = foreground ? ct_exec_signals(e) : 0;

	ct->s.status = CT_RUNNING;
	ct->s.hooked = false;
	if (r >= 0)
		r = ct_state_save(ct, e);
	if (r >= 0)
		r = fault_at("start.go", e);
	return r < 0 ? r : sync_send(&sync, CT_STEP_READY, SYNC_OK, 0, -EBADF, e);
}

int ct_start_waiting(struct ct *ct, struct ct_created *made, struct err *e)
{
	struct sync sync = {.fd = made->init, .peer = "init", .step_to_str = ct_step_to_str};
	int r = made->told ? 0 : ct_start_say(ct, made->init, false, e);

	if (r < 0) {
		ct_prefer_words_of_init(&sync, e);
		return -e->no;
	}
	r = see_it_run(ct, &sync, e);
	if (r >= 0)
		ct_state_show(ct);
	return r;
}
