// SPDX-License-Identifier: GPL-2.0-only
/* Starting skep-pages, asking it, waiting for its end. */
#include "checkpoint/pages_daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "checkpoint/pages.h"
#include "ns/fds.h"
#include "runtime/libexec.h"

#define FIRST CR_PAGES_FD_STORE
#define COUNT (CR_PAGES_FDS_END - FIRST)
#define HIGH  64 /* above all places */

/* What the daemon is given, in the order of enum cr_pages_fd; those that are ours to close are in `own`. */
struct start {
	int fds[COUNT];
	int own[COUNT];
	int control;
	char program[256];
};

static void drop_start(struct start *s)
{
	for (int i = 0; i < COUNT; i++)
		own_close_fd(&s->own[i]);
	own_close_fd(&s->control);
}

static void give(struct start *s, enum cr_pages_fd place, int fd)
{
	s->fds[place - FIRST] = fd;
}

static void give_own(struct start *s, enum cr_pages_fd place, int fd)
{
	s->own[place - FIRST] = fd;
	give(s, place, fd);
}

/* The directory may have any name: the address goes by way of its descriptor. */
static void address(int dir, const char *name, struct sockaddr_un *sa)
{
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/%s", dir, name);
}

static int listen_at(int dir, const char *name, int type, struct err *e)
{
	struct sockaddr_un sa;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	address(dir, name, &sa);
	if (fd >= 0 && (unlinkat(dir, name, 0) == 0 || errno == ENOENT) &&
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(fd, 8) == 0)
		return fd;
	err_sys(e, "listen at %s", name);
	own_close_fd(&fd);
	return -e->no;
}

/* The file stays for ever: a lock on a file that is replaced is none. */
static int take_lock(int state_dir, struct err *e)
{
	auto_fd int fd = openat(state_dir, CR_PAGES_LOCK_FILE,
				O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_sys(e, "open " CR_PAGES_LOCK_FILE);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return err_sys(e, "lock " CR_PAGES_LOCK_FILE);
		err_set(e, EWOULDBLOCK, "its memory is still on the way");
		return err_class(e, ERR_LOCKED);
	}
	return take_fd(&fd);
}

static int open_in_group(int cgroup, const char *name, int flags, struct err *e)
{
	int fd = openat(cgroup, name, flags | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "open %s of the container", name) : fd;
}

static int prepare(struct start *s, const struct cr_pages_daemon_start *how, struct err *e)
{
	int pair[2], fd = ct_libexec_find("skep-pages", s->program, sizeof(s->program), e);

	if (fd >= 0)
		give_own(s, CR_PAGES_FD_LOCK, fd = take_lock(how->state_dir, e));
	if (fd >= 0)
		give_own(s, CR_PAGES_FD_KILL,
			 fd = open_in_group(how->cgroup, "cgroup.kill", O_WRONLY, e));
	if (fd >= 0)
		give_own(s, CR_PAGES_FD_EVENTS,
			 fd = open_in_group(how->cgroup, "cgroup.events", O_RDONLY, e));
	if (fd >= 0)
		give_own(s, CR_PAGES_FD_ASK,
			 fd = listen_at(how->state_dir, CR_PAGES_SOCKET_FILE, SOCK_SEQPACKET, e));
	if (fd >= 0)
		give_own(s, CR_PAGES_FD_CRIU,
			 fd = listen_at(how->images, CR_PAGES_CRIU_SOCKET, SOCK_STREAM, e));
	if (fd < 0)
		return fd;
	if (unlinkat(how->state_dir, CR_PAGES_LOST_FILE, 0) < 0 && errno != ENOENT)
		return err_sys(e, "remove " CR_PAGES_LOST_FILE);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "make a socket pair");
	s->control = pair[0];
	give_own(s, CR_PAGES_FD_CONTROL, pair[1]);
	give(s, CR_PAGES_FD_STORE, cr_pages_fd(how->store));
	give(s, CR_PAGES_FD_IMAGES, how->images);
	give(s, CR_PAGES_FD_STATE, how->state_dir);
	give(s, CR_PAGES_FD_LOG, how->log_fd);
	give(s, CR_PAGES_FD_IN, how->source_in);
	give(s, CR_PAGES_FD_OUT, how->source_out);
	return 0;
}

static int place_all(const struct start *s, int report, struct err *e)
{
	int high[COUNT], keep[COUNT + 1], n = 0;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		return err_sys(e, "open /dev/null");
	/* First all out of the way: one's old number may be another's place. */
	report = fcntl(report, F_DUPFD_CLOEXEC, HIGH);
	for (int i = 0; i < COUNT; i++) {
		high[i] = s->fds[i] < 0 ? -EBADF : fcntl(s->fds[i], F_DUPFD_CLOEXEC, HIGH);
		if (s->fds[i] >= 0 && high[i] < 0)
			return err_sys(e, "place descriptors");
	}
	for (int i = 0; i < COUNT; i++) {
		if (high[i] < 0)
			continue;
		if (dup2(high[i], FIRST + i) < 0)
			return err_sys(e, "place descriptors");
		keep[n++] = FIRST + i;
	}
	keep[n++] = report;
	if (report < 0 || ns_fds_close_others(keep, (size_t)n, e) < 0)
		return e->no ? -e->no : err_sys(e, "place descriptors");
	return report;
}

/* I am a grandchild of the caller and become skep-pages: a session of my own, and the host's init is my parent. */
static _Noreturn void become(struct start *s, const char *name, int report)
{
	char *const argv[] = {"skep-pages", (char *)name, NULL};
	char *const env[] = {NULL};
	struct err e = {0};
	int r = place_all(s, report, &e);

	if (r >= 0) {
		report = r;
		execve(s->program, argv, env);
		err_sys(&e, "execute %s", s->program);
	}
	_exit(write(report, &e, sizeof(e)) < 0 ? 126 : 127);
}

/* I am a child of the caller: between it and the daemon, so that nobody has to reap that. Tells its pid. */
static _Noreturn void between(struct start *s, const char *name, int report)
{
	pid_t pid;

	setsid();
	pid = fork();
	if (pid == 0)
		become(s, name, report);
	_exit(pid < 0 || write(s->own[CR_PAGES_FD_CONTROL - FIRST], &pid, sizeof(pid)) < 0);
}

static int launch(struct start *s, const char *name, int *pidfd, struct err *e)
{
	struct err why = {0};
	int report[2], status;
	pid_t pid, daemon;
	ssize_t n;

	if (pipe2(report, O_CLOEXEC) < 0)
		return err_sys(e, "make a pipe");
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		between(s, name, report[1]);
	close(report[1]);
	if (pid < 0) {
		close(report[0]);
		return err_sys(e, "start skep-pages");
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	do
		n = read(report[0], &why, sizeof(why));
	while (n < 0 && errno == EINTR);
	close(report[0]);
	if (n == (ssize_t)sizeof(why)) {
		*e = why;
		return -e->no;
	}
	if (status || n != 0 ||
	    recv(s->control, &daemon, sizeof(daemon), MSG_DONTWAIT) != (ssize_t)sizeof(daemon))
		return err_set(e, EIO, "skep-pages cannot be started");
	*pidfd = pidfd_open(daemon, 0);
	return *pidfd < 0 ? err_sys(e, "open skep-pages") : 0;
}

int cr_pages_daemon_start(const struct cr_pages_daemon_start *how, struct cr_pages_daemon *d,
			  struct err *e)
{
	__attribute__((cleanup(drop_start))) struct start s = {.control = -EBADF};
	int r;

	for (int i = 0; i < COUNT; i++)
		s.fds[i] = s.own[i] = -EBADF;
	r = prepare(&s, how, e);
	if (r >= 0)
		r = launch(&s, how->name, &d->pidfd, e);
	if (r >= 0)
		d->control = take_fd(&s.control);
	return r;
}

void cr_pages_daemon_done(struct cr_pages_daemon *d)
{
	own_close_fd(&d->control);
	own_close_fd(&d->pidfd);
}

/* --- afterwards --- */

static int check_lost(int state_dir, struct err *e)
{
	auto_free char *text = NULL;
	int n = file_try_read_at(state_dir, CR_PAGES_LOST_FILE, 4096, &text, e);

	if (n == -ENOENT)
		return 0;
	if (n < 0)
		return n;
	if (n && text[n - 1] == '\n')
		text[n - 1] = 0;
	err_set(e, EIO, "%s", text);
	return err_class(e, ERR_RESTORE);
}

/* 1: nobody has the lock. */
static int try_lock(int state_dir, struct err *e)
{
	auto_fd int fd = openat(state_dir, CR_PAGES_LOCK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? 1 : err_sys(e, "open " CR_PAGES_LOCK_FILE);
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return 1;
	return errno == EWOULDBLOCK ? 0 : err_sys(e, "lock " CR_PAGES_LOCK_FILE);
}

int cr_pages_resident(int state_dir, struct err *e)
{
	int r = try_lock(state_dir, e);

	if (r > 0 && check_lost(state_dir, e) < 0)
		return -e->no;
	return r;
}

static int too_late(int state_dir, struct err *e)
{
	struct cr_pages_report report = {0};
	struct err ignored = {0};

	if (cr_pages_daemon_ask(state_dir, &report, &ignored) < 0)
		err_set(e, ETIMEDOUT, "its memory is still on the way");
	else
		err_set(e, ETIMEDOUT, "its memory is still on the way: %llu of %llu pages to go",
			(unsigned long long)report.left, (unsigned long long)report.total);
	return err_class(e, ERR_LOCKED);
}

/* I am a child of cr_pages_wait(), and block in flock(2) for it, which knows no deadline. */
static _Noreturn void block(int fd)
{
	while (flock(fd, LOCK_SH) < 0)
		if (errno != EINTR)
			_exit(1);
	_exit(0);
}

static int wait_lock(int state_dir, int ms, struct err *e)
{
	auto_fd int fd = openat(state_dir, CR_PAGES_LOCK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	auto_fd int pidfd = -EBADF;
	struct pollfd p;
	pid_t pid;
	int r;

	if (fd < 0)
		return err_sys(e, "open " CR_PAGES_LOCK_FILE);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		block(fd);
	if (pid < 0)
		return err_sys(e, "wait for the container's memory");
	pidfd = pidfd_open(pid, 0);
	p = (struct pollfd){.fd = pidfd, .events = POLLIN};
	do
		r = poll(&p, 1, ms);
	while (r < 0 && errno == EINTR);
	kill(pid, SIGKILL); /* our child, not reaped yet */
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r > 0 ? 0 : -ETIMEDOUT;
}

int cr_pages_wait(int state_dir, int ms, struct err *e)
{
	int r = cr_pages_resident(state_dir, e);

	if (r)
		return r < 0 ? r : 0;
	r = ms == 0 ? -ETIMEDOUT : wait_lock(state_dir, ms, e);
	if (r == -ETIMEDOUT && !e->no)
		return too_late(state_dir, e);
	return r < 0 ? r : check_lost(state_dir, e);
}

/* One letter, with descriptors or without, and the report that is its answer. */
static int talk(int state_dir, char word, const int *fds, size_t n_fds,
		struct cr_pages_report *report, struct err *e)
{
	union {
		char room[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {&word, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct timeval patience = {.tv_sec = 10};
	auto_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa;
	ssize_t n;

	address(state_dir, CR_PAGES_SOCKET_FILE, &sa);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return err_sys(e, "make a socket");
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return errno == ENOENT || errno == ECONNREFUSED ? -ENOENT
								: err_sys(e, "ask skep-pages");
	if (n_fds) {
		struct cmsghdr *c;

		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		*c = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
				      .cmsg_type = SCM_RIGHTS,
				      .cmsg_len = CMSG_LEN(n_fds * sizeof(int))};
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	n = sendmsg(fd, &m, MSG_NOSIGNAL);
	if (n == 1)
		n = recv(fd, report, sizeof(*report), 0);
	if (n == (ssize_t)sizeof(*report))
		return 0;
	/* It ended just now. */
	if (n >= 0 || errno == EPIPE || errno == ECONNRESET)
		return -ENOENT;
	return err_sys(e, "ask skep-pages");
}

int cr_pages_daemon_ask(int state_dir, struct cr_pages_report *report, struct err *e)
{
	return talk(state_dir, CR_PAGES_ASK, NULL, 0, report, e);
}

int cr_pages_daemon_feed(int state_dir, int in, int out, struct err *e)
{
	const int fds[2] = {in, out};
	struct cr_pages_report report;

	return talk(state_dir, CR_PAGES_FEED, fds, 2, &report, e);
}
