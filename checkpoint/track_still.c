// SPDX-License-Identifier: GPL-2.0-only
/* Moments of standing still, and the keeper who ends one that we cannot end. */
#include "checkpoint/track_still.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/freezer.h"
#include "cgroups/group.h"

/* A thaw is a matter of microseconds, unless a processor cannot be had. */
#define THAW_MS 5000

/* What the keeper is told, a byte each. */
#define BEGINS 'b'
#define ENDED  'e'
#define LEAVE  'l'

/*
 * I am the keeper. What I hold besides the socket would keep connections open that my parent's death must close. Its files are the ones it had
 * at the fork, so the group is opened anew.
 */
static void __attribute__((noreturn)) keep(const char *path, int sock)
{
	struct err e = {0};
	char word = ENDED, next;
	ssize_t n;

	prctl(PR_SET_NAME, "skep-thaw");
	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	dup2(sock, 0);
	close_range(1, ~0u, 0);
	while ((n = read(0, &next, 1)) == 1 || (n < 0 && errno == EINTR)) {
		if (n == 1 && next == LEAVE)
			break;
		if (n == 1)
			word = next;
	}
	if (word == BEGINS) {
		auto_cg struct cg cg = CG_INIT;

		if (cg_open(path, &cg, &e) < 0 || cg_thaw(&cg, THAW_MS, &e) < 0)
			_exit(1);
	}
	_exit(0);
}

static int start_keeper(struct cr_still *s, const struct cg *cg, struct err *e)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(e, "make a pair of sockets");
	s->pid = fork();
	if (s->pid == 0) {
		close(ends[1]);
		keep(cg->path, ends[0]);
	}
	close(ends[0]);
	if (s->pid < 0) {
		close(ends[1]);
		return err_sys(e, "make a child");
	}
	s->keeper = ends[1];
	return 0;
}

static void wait_for_end(struct cr_still *s)
{
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* -EPIPE when it was killed. The next one is made when it is needed. */
static int tell(struct cr_still *s, char word, struct err *e)
{
	int no = send(s->keeper, &word, 1, MSG_NOSIGNAL) == 1 ? 0 : errno;

	if (no == 0)
		return 0;
	own_close_fd(&s->keeper);
	wait_for_end(s);
	return err_set(e, no, "the keeper of a frozen container has died: %s", strerror(no));
}

int cr_still_begin(struct cr_still *s, const struct cg *cg, int wait_ms, struct err *e)
{
	int r = cg_frozen(cg, e);

	if (r != 0)
		return r < 0 ? r : 0;
	if (s->keeper < 0)
		r = start_keeper(s, cg, e);
	if (r == 0)
		r = tell(s, BEGINS, e);
	if (r < 0)
		return r;
	/* What fails has thawed it again. */
	r = cg_freeze(cg, wait_ms, e);
	if (r >= 0)
		s->begun = 1;
	return r < 0 ? r : 0;
}

int cr_still_end(struct cr_still *s, const struct cg *cg, struct err *e)
{
	struct err ignored = {0};
	int r;

	if (!s->begun)
		return 0;
	r = cg_thaw(cg, THAW_MS, e);
	if (r < 0)
		return r;
	s->begun = 0;
	/* A dead keeper is the next beginning's matter: they run. */
	if (s->keeper >= 0)
		(void)tell(s, ENDED, &ignored);
	return 0;
}

void cr_still_close(struct cr_still *s)
{
	struct err ignored = {0};

	if (s->keeper < 0)
		return;
	/* Told, since a child of ours that was born after it may have our end, too. */
	if (tell(s, LEAVE, &ignored) < 0)
		return;
	own_close_fd(&s->keeper);
	wait_for_end(s);
}
