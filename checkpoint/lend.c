// SPDX-License-Identifier: GPL-2.0-only
/* Answering the target's daemon out of frozen processes. */
#include "checkpoint/lend.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "cgroups/group.h"
#include "checkpoint/track.h"
#include "runtime/container.h"

/* The answering process has nothing to do when the daemon has said its last word. */
#define ENDING_MS 10000

int cr_lend_open(struct cr_lend *l, const struct cr_remote *remote, struct err *e)
{
	return cr_peer_open(&l->peer, remote, CR_GREETING_MS, e);
}

/* Whose daemon it is for. Behind the answer the connection is the daemon's. */
static int ask(struct cr_lend *l, const struct ct_system *s, const struct cr_journal *j,
	       struct err *e)
{
	auto_json json_t *who = json_pack("{s:s, s:s}", "token", j->token, "name", s->d.name);
	int r;

	if (!who)
		return err_set(e, ENOMEM, "talk to %s: out of memory", j->host);
	r = cr_link_send(&l->peer.link, CR_FRAME_FEED, who, e);
	if (r >= 0)
		r = cr_link_expect(&l->peer.link, CR_FRAME_FEED, NULL, CR_ANSWER_MS, e);
	return r < 0 ? cr_peer_explain(&l->peer, e) : 0;
}

/* A cr_pages_read_fn. What cannot be read there does not exist; a process that is gone is the end. */
static int read_pages(uint32_t id, uint64_t vaddr, uint32_t npages, void *data, void *arg,
		      struct err *e)
{
	char *to = data;
	uint32_t done = 0;

	while (done < npages) {
		uint32_t n = npages - done < CR_TRACK_BATCH ? npages - done : CR_TRACK_BATCH;
		int r = cr_track_read(arg, id, vaddr + (uint64_t)done * CR_PAGE_SIZE, n,
				      to + (size_t)done * CR_PAGE_SIZE, e);

		if (r == -EFAULT && n > 1) {
			/* Somewhere in it is a page that is not there: those before it, one by one. */
			err_clear(e);
			while (n-- && cr_track_read(arg, id, vaddr + (uint64_t)done * CR_PAGE_SIZE,
						    1, to + (size_t)done * CR_PAGE_SIZE, e) >= 0)
				done++;
			r = e->no == EFAULT ? -EFAULT : 0;
		} else if (r >= 0) {
			done += n;
		}
		if (r == -EFAULT) {
			err_clear(e);
			return (int)done;
		}
		if (e->no)
			return -e->no;
	}
	return (int)done;
}

/* I am the process that answers, a child of the command. */
static _Noreturn void answer(struct cr_lend *l, struct cr_track *track, pid_t command)
{
	struct err e = {0};
	int fd = l->peer.fd;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != command)
		_exit(1);
	prctl(PR_SET_NAME, "skep-lend", 0, 0, 0);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (fault_at("migrate.lend", &e) >= 0)
		cr_pages_serve(fd, fd, read_pages, NULL, track, l->served, &e);
	if (e.no)
		log_warn("%s", e.text);
	_exit(e.no != 0);
}

int cr_lend_start(struct cr_lend *l, const struct ct_system *s, const struct cr_journal *j,
		  struct cr_track *track, struct err *e)
{
	void *shared = mmap(NULL, sizeof(*l->served), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t us = getpid();
	uint64_t started;
	int r = shared == MAP_FAILED ? err_sys(e, "give pages to %s", j->host) : ask(l, s, j, e);

	l->served = shared == MAP_FAILED ? NULL : shared;
	if (r < 0)
		return r;
	fflush(NULL);
	l->pid = fork();
	if (l->pid == 0)
		answer(l, track, us);
	if (l->pid < 0)
		return err_sys(e, "give pages to %s", j->host);
	r = proc_start_time(l->pid, &started, e);
	if (r >= 0)
		r = l->pidfd = proc_open(l->pid, started, e);
	if (r == -ESRCH && !e->no)
		return err_set(e, ESRCH, "the process that gives pages to %s has ended", j->host);
	return r < 0 ? r : 0;
}

/* 0: it ended as it should. */
static int end_of(struct cr_lend *l, int ms, struct err *e)
{
	int status = proc_wait(l->pidfd, ms, e);

	if (status == -ETIMEDOUT)
		return status;
	own_close_fd(&l->pidfd);
	l->pid = 0;
	if (status == 0)
		return 0;
	err_set(e, EPIPE, "%s was not given all of its memory: the connection for it broke",
		l->peer.link.peer);
	return err_class(e, ERR_MIGRATE);
}

int cr_lend_expect(struct cr_lend *l, struct cr_link *link, enum cr_frame want, int ms,
		   struct err *e)
{
	/* The process ends but once, and then the rest of the time is for the frame. */
	for (;;) {
		struct pollfd p[2] = {{.fd = link->in, .events = POLLIN},
				      {.fd = l->pidfd, .events = POLLIN}};
		int r = poll(p, 2, ms);

		if (r < 0 && errno != EINTR)
			return err_sys(e, "wait for %s", link->peer);
		if (r == 0) {
			err_set(e, ETIMEDOUT, "%s did not answer within %d s", link->peer,
				ms / 1000);
			return err_class(e, ERR_MIGRATE);
		}
		if (r > 0 && p[0].revents)
			return cr_link_expect(link, want, NULL, 0, e);
		if (r > 0 && p[1].revents && end_of(l, -1, e) < 0)
			return -e->no;
	}
}

void cr_lend_close(struct cr_lend *l)
{
	struct err ignored = {0};

	if (l->pidfd >= 0 && end_of(l, 0, &ignored) < 0 && l->pidfd >= 0) {
		kill(l->pid, SIGKILL); /* our child, not reaped yet */
		(void)end_of(l, ENDING_MS, &ignored);
	}
	own_close_fd(&l->pidfd);
	if (l->served)
		munmap(l->served, sizeof(*l->served));
	l->served = NULL;
	cr_peer_close(&l->peer);
}

int cr_lend_again(const struct ct_system *s, const struct cr_journal *j,
		  const struct cr_remote *remote, struct err *e)
{
	struct cr_lend l = CR_LEND_INIT;
	struct cr_pages_served served = {0};
	auto_ct struct ct ct = CT_INIT;
	auto_cg struct cg cg = CG_INIT;
	auto_track struct cr_track *track = NULL;
	int r = ct_open(s->host->state, s->d.name, NULL, &ct, e);

	if (r >= 0)
		r = cg_open(ct.s.cgroup, &cg, e);
	if (r >= 0)
		r = cr_track_open(&cg, CR_TRACK_CONTENT, &track, e);
	if (r >= 0)
		r = cr_lend_open(&l, remote, e);
	if (r >= 0)
		r = ask(&l, s, j, e);
	if (r >= 0)
		r = cr_pages_serve(l.peer.fd, l.peer.fd, read_pages, NULL, track, &served, e);
	cr_lend_close(&l);
	return r;
}
