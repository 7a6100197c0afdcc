// SPDX-License-Identifier: GPL-2.0-only
/* The loop of skep-pages: who wants what, and what is pushed meanwhile. */
#include "checkpoint/pages_lazy.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"

#define PAGE	      ((uint64_t)CR_PAGE_BYTES)
#define EVENTS_MOST   32
#define RESTORED_WORD 0x52535446u /* LAZY_PAGES_RESTORE_FINISHED in criu/uffd.c */
#define AGAIN_MS      1
#define GROUP_MS      20
#define STARVED_S     60

uint64_t cr_lazy_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int watch(struct cr_lazy *l, int fd, void *tag, uint32_t events, struct err *e)
{
	struct epoll_event ev = {.events = events, .data.ptr = tag};

	if (fd >= 0 && epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		return err_sys(e, "watch a descriptor");
	return 0;
}

static void unwatch(struct cr_lazy *l, int *fd)
{
	if (*fd >= 0)
		(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, *fd, NULL);
	own_close_fd(fd);
}

static int set_up(struct cr_lazy *l, struct err *e)
{
	int r;

	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->index = mmap(NULL, sizeof(*l->index), PROT_READ | PROT_WRITE, MAP_SHARED, l->store, 0);
	l->buffer = mmap(NULL, CR_LAZY_BUFFER * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (l->epoll < 0 || l->index == MAP_FAILED || l->buffer == MAP_FAILED)
		return err_sys(e, "set up the store of pages");
	if (l->index->magic != CR_PAGES_INDEX_MAGIC || l->index->count > CR_PAGES_PROCESSES_MOST)
		return err_set(e, EINVAL, "this is no store of pages");
	l->report.magic = CR_PAGES_REPORT_MAGIC;
	l->push_pages = CR_LAZY_PUSH_LEAST;
	/* Without it it takes longer. */
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1 && cr_hand_start(&l->hand, e) < 0)
		err_clear(e);
	r = watch(l, l->criu_listener, &l->criu_listener, EPOLLIN, e);
	if (r >= 0)
		r = watch(l, l->ask_listener, &l->ask_listener, EPOLLIN, e);
	if (r >= 0)
		r = watch(l, l->control, &l->control, EPOLLRDHUP, e);
	if (r >= 0)
		r = watch(l, l->events, &l->events, EPOLLPRI, e);
	if (r >= 0 && l->source.in >= 0) {
		int in = take_fd(&l->source.in), out = take_fd(&l->source.out);

		r = cr_source_set(l, in, out, e);
		if (r >= 0)
			r = cr_tasks_plan(l, e);
	}
	return r;
}

/* --- criu --- */

static int accept_criu(struct cr_lazy *l, struct err *e)
{
	int fd = accept4(l->criu_listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED
			       ? 0
			       : err_sys(e, "accept criu");
	l->criu = fd;
	unwatch(l, &l->criu_listener);
	(void)unlinkat(l->images, CR_PAGES_CRIU_SOCKET, 0);
	return watch(l, l->criu, &l->criu, EPOLLIN, e);
}

/* A byte that carries a descriptor. *fd: -EBADF when it has none. As recvmsg(2). */
static ssize_t receive_fds(int from, void *data, size_t len, int *fds, size_t n_fds)
{
	union {
		char room[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {data, len};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.room,
			   .msg_controllen = CMSG_SPACE(n_fds * sizeof(int))};
	ssize_t n = recvmsg(from, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m);

	for (size_t i = 0; i < n_fds; i++)
		fds[i] = -EBADF;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	return n;
}

/* Criu's word: an id, whose userfaultfd is next; the negative id of a zombie, which has no memory; or that the restore is finished. */
static int hear_word(struct cr_lazy *l, struct err *e)
{
	int32_t word;

	memcpy(&word, l->head, sizeof(word));
	l->head_have = 0;
	if ((uint32_t)word == RESTORED_WORD) {
		l->finished = true;
		l->report.finished_ns = cr_lazy_now_ns();
		cr_tasks_plan_done(l);
		return 0;
	}
	if (word == 0)
		return err_set(e, EPROTO, "criu names no process");
	l->expected_id = word < 0 ? 0 : word;
	return 0;
}

static int hear_criu(struct cr_lazy *l, struct err *e)
{
	for (;;) {
		auto_fd int uffd = -EBADF;
		size_t want = l->expected_id ? 1 : sizeof(l->head) - l->head_have;
		uint8_t *to = l->expected_id ? (uint8_t[1]){0} : l->head + l->head_have;
		ssize_t n = receive_fds(l->criu, to, want, &uffd, 1);
		int r = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0) {
			unwatch(l, &l->criu);
			return l->finished ? 0
					   : err_set(e, EPIPE,
						     "criu ended before the restore was finished");
		}
		if (l->expected_id) {
			if (uffd < 0)
				return err_set(e, EPROTO, "criu sends no userfaultfd");
			r = cr_task_add(l, (uint32_t)l->expected_id, &uffd, e);
			l->expected_id = 0;
		} else if ((l->head_have += (size_t)n) == sizeof(l->head)) {
			r = hear_word(l, e);
		}
		if (r < 0)
			return r;
	}
}

/* --- those who ask --- */

static void report(struct cr_lazy *l, int to)
{
	l->report.left = 0;
	for (size_t i = 0; i < l->task_count; i++)
		l->report.left += l->tasks[i]->left.pages + l->tasks[i]->absent.pages;
	(void)send(to, &l->report, sizeof(l->report), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int accept_asker(struct cr_lazy *l, struct err *e)
{
	unwatch(l, &l->asker);
	l->asker = accept4(l->ask_listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	return watch(l, l->asker, &l->asker, EPOLLIN, e);
}

static int hear_asker(struct cr_lazy *l, struct err *e)
{
	int fds[2], r = 0;
	char word = 0;
	ssize_t n = receive_fds(l->asker, &word, 1, fds, 2);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n == 1 && word == CR_PAGES_FEED && fds[0] >= 0 && fds[1] >= 0) {
		r = cr_source_set(l, fds[0], fds[1], e);
	} else {
		own_close_fd(&fds[0]);
		own_close_fd(&fds[1]);
	}
	if (n == 1)
		report(l, l->asker);
	unwatch(l, &l->asker);
	return r;
}

/* --- the container as a whole --- */

static bool is_empty_group(struct cr_lazy *l)
{
	char text[256];
	ssize_t n = pread(l->events, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	/* They are frozen from before the hosts have agreed until they have. */
	l->thawed = l->finished && strstr(text, "frozen 0");
	/* The group itself is gone: ENODEV. */
	return n < 0 || strstr(text, "populated 0");
}

/*
 * All its processes have ended: nobody misses anything. The kernel tells a change of cgroup.events at most every 10 ms, and the last one never, when the group is removed before that (cgroup_file_notify() and
 * cgroup_rm_file() in kernel/cgroup/cgroup.c; a group that is frozen, killed and removed at once does it): so who waits for nothing but that looks each GROUP_MS, too.
 */
static void look_at_group(struct cr_lazy *l)
{
	/* Read in any case: it is readable until it is read. */
	if (l->events < 0 || !is_empty_group(l) || !l->finished)
		return;
	for (size_t i = 0; i < l->task_count; i++)
		cr_task_end(l->tasks[i]);
}

static int handle(struct cr_lazy *l, const struct epoll_event *ev, struct err *e)
{
	void *tag = ev->data.ptr;

	if (tag == &l->criu_listener)
		return accept_criu(l, e);
	if (tag == &l->criu)
		return hear_criu(l, e);
	if (tag == &l->ask_listener)
		return accept_asker(l, e);
	if (tag == &l->asker)
		return hear_asker(l, e);
	if (tag == &l->source)
		return cr_source_read(l, e);
	if (tag == &l->events) {
		look_at_group(l);
		return 0;
	}
	if (tag == &l->control) {
		bool cancelled = l->criu_listener >= 0;

		unwatch(l, &l->control);
		return cancelled ? err_set(e, ECANCELED, "cancelled") : 0;
	}
	return cr_task_read(l, tag, e);
}

/* --- what is done between --- */

static int retry_all(struct cr_lazy *l, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < l->task_count; i++) {
		l->tasks[i]->again = false;
		if (l->tasks[i]->waiting_count)
			r = cr_task_retry(l, l->tasks[i], e);
	}
	return r;
}

/* Forgets those that are complete. */
static void sweep(struct cr_lazy *l)
{
	size_t kept = 0;

	if (!l->finished)
		return;
	for (size_t i = 0; i < l->task_count; i++) {
		struct cr_task *t = l->tasks[i];

		if (t->uffd < 0 || cr_task_is_complete(t))
			cr_task_free(t);
		else
			l->tasks[kept++] = t;
	}
	l->task_count = kept;
}

static bool any_again(const struct cr_lazy *l)
{
	for (size_t i = 0; i < l->task_count; i++)
		if (l->tasks[i]->again)
			return true;
	return false;
}

static int check_starved(const struct cr_lazy *l, struct err *e)
{
	if (!l->starved_ns || cr_lazy_now_ns() - l->starved_ns < STARVED_S * UINT64_C(1000000000))
		return 0;
	return err_set(e, ENOMEM, "its memory limit has no room for its pages");
}

/*
 * Until the processes run, those who let them run need a processor some thirty times, for microseconds each: criu, its hooks, the two hosts' ends of the link. Who becomes runnable on ours while another
 * one is idle stays there until the next tick, 4 ms (seen twice in one freeze, by sched_switch). So they get ours after each piece.
 */
static void give_way(const struct cr_lazy *l)
{
	if (l->finished && cr_lazy_now_ns() - l->report.finished_ns < CR_LAZY_GIVE_WAY_NS)
		sched_yield();
}

/*
 * The kernel does not tell when a copy that it refused with EAGAIN is possible again: that is when the task whose event we have read has been on a processor. So
 * those are tried each millisecond.
 */
static int turn(struct cr_lazy *l, bool busy, struct err *e)
{
	struct epoll_event ev[EVENTS_MOST];
	bool again = any_again(l);
	int idle = l->finished && l->events >= 0 ? GROUP_MS : -1;
	int n = epoll_wait(l->epoll, ev, EVENTS_MOST, busy ? 0 : again ? AGAIN_MS : idle), r = 0;
	bool came = false;

	if (n < 0 && errno != EINTR)
		return err_sys(e, "wait for events");
	if (n == 0 && !again)
		look_at_group(l);
	for (int i = 0; r >= 0 && i < n; i++) {
		r = handle(l, &ev[i], e);
		came = came || ev[i].data.ptr == &l->source || ev[i].data.ptr == &l->asker;
	}
	if (r >= 0 && (came || again))
		r = retry_all(l, e);
	if (r >= 0)
		r = check_starved(l, e);
	if (r >= 0)
		r = cr_tasks_push(l, e);
	busy = r > 0;
	if (busy || came)
		give_way(l);
	if (r >= 0)
		r = cr_source_fill(l, e);
	sweep(l);
	return r < 0 ? r : busy;
}

static void tear_down(struct cr_lazy *l)
{
	cr_hand_stop(l->hand);
	l->hand = NULL;
	for (size_t i = 0; i < l->task_count; i++)
		cr_task_free(l->tasks[i]);
	cr_tasks_plan_done(l);
	free(l->tasks);
	l->tasks = NULL;
	l->task_count = l->task_room = 0;
	free(l->source.data);
	if (l->index != MAP_FAILED)
		munmap(l->index, sizeof(*l->index));
	if (l->buffer != MAP_FAILED)
		munmap(l->buffer, CR_LAZY_BUFFER * PAGE);
	own_close_fd(&l->epoll);
}

int cr_lazy_run(struct cr_lazy *l, struct err *e)
{
	int r;

	l->epoll = l->criu = l->asker = -EBADF;
	l->source.expected = l->source.in >= 0;
	r = set_up(l, e);
	for (bool busy = false; r >= 0 && !(l->finished && !l->task_count); busy = r > 0)
		r = turn(l, busy, e);
	if (r < 0) {
		/* The userfaultfds stay: the processes wait in the kernel until the keeper has killed them. */
		return e->no == ECANCELED ? (err_clear(e), 1) : r;
	}
	l->report.resident = 1;
	l->report.resident_ns = cr_lazy_now_ns();
	report(l, l->control);
	cr_source_close(l, true);
	tear_down(l);
	return 0;
}
