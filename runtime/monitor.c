// SPDX-License-Identifier: GPL-2.0-only
/* The last step of a guardian: its descriptors in the order that skep-monitor expects, and exec. */
#include "runtime/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "ns/self.h"
#include "runtime/libexec.h"
#include "runtime/state.h"

#define AT_END_MOST 16

/* Above all numbers that the monitor is given. */
#define OUT_OF_THE_WAY 64

static int listen_socket(int dir, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	auto_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/" MONITOR_SOCKET_FILE, dir);
	if (unlinkat(dir, MONITOR_SOCKET_FILE, 0) < 0 && errno != ENOENT)
		return err_sys(e, "remove the old " MONITOR_SOCKET_FILE);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 8) < 0)
		return err_sys(e, "make the socket " MONITOR_SOCKET_FILE);
	return take_fd(&fd);
}

/* A disk too full for the log's first byte must not keep a container from running. */
static int open_log(const struct ct_monitor *m, struct err *e)
{
	int fd = openat(m->data_dir, strrchr(m->log_path, '/') + 1,
			O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 && (errno == ENOSPC || errno == EDQUOT)) {
		log_warn("%s cannot be written: %s", m->log_path, strerror(errno));
		fd = open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC);
	}
	return fd < 0 ? err_sys(e, "open %s", m->log_path) : fd;
}

/* out[] gets high copies of in[]; -EBADF stays. */
static int copy_high(const int in[], int out[], int n, struct err *e)
{
	for (int i = 0; i < n; i++) {
		out[i] = -EBADF;
		if (in[i] < 0)
			continue;
		out[i] = fcntl(in[i], F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
		if (out[i] < 0 && errno != EBADF)
			return err_sys(e, "copy a descriptor");
	}
	return 0;
}

/* fds[i] becomes MONITOR_STATE + i; flags: O_CLOEXEC or 0. */
static int place(const int fds[], int n, int flags, struct err *e)
{
	for (int i = 0; i < n; i++) {
		if (fds[i] < 0)
			close(MONITOR_STATE + i);
		else if (dup3(fds[i], MONITOR_STATE + i, flags) < 0)
			return err_sys(e, "place a descriptor for the monitor");
	}
	return 0;
}

/* The numbers may be in use, among them by what our caller needs if the exec fails: kept aside, and put back then. */
static int exec_with(const char *program, char *const argv[], const int given[], struct err *e)
{
	enum { COUNT = MONITOR_FDS_END - MONITOR_STATE };
	int present[COUNT], aside[COUNT], high[COUNT];
	struct err ignored = {0};
	int r;

	for (int i = 0; i < COUNT; i++)
		present[i] = MONITOR_STATE + i;
	r = copy_high(given, high, COUNT, e);
	if (r >= 0)
		r = copy_high(present, aside, COUNT, e);
	if (r < 0)
		return r;
	r = place(high, COUNT, 0, e);
	if (r >= 0) {
		execv(program, argv);
		r = err_sys(e, "execute %s", program);
	}
	if (place(aside, COUNT, O_CLOEXEC, &ignored) < 0)
		log_warn("%s", ignored.text);
	for (int i = 0; i < COUNT; i++) {
		own_close_fd(&high[i]);
		own_close_fd(&aside[i]);
	}
	return r;
}

int ct_monitor_become(const struct ct_monitor *m, struct err *e)
{
	char program[PATH_MAX], pid[16];
	char *argv[5 + AT_END_MOST] = {(char *)(uintptr_t) "skep-monitor", pid,
				       (char *)(uintptr_t)m->log_path, (char *)(uintptr_t) "--"};
	auto_fd int sock = -EBADF;
	auto_fd int log = -EBADF;
	sigset_t all;
	int n = 4, r = ct_libexec_find("skep-monitor", program, sizeof(program), e);

	if (r < 0)
		return r;
	for (const char *const *word = m->at_end; *word; word++) {
		if (n == 4 + AT_END_MOST)
			return err_set(e, E2BIG, "too many words for the monitor");
		argv[n++] = (char *)(uintptr_t)*word;
	}
	snprintf(pid, sizeof(pid), "%d", m->ct->s.pid);
	sock = listen_socket(m->ct->dir, e);
	if (sock < 0)
		return sock;
	log = open_log(m, e);
	if (log < 0)
		return log;
	r = ns_self_reset_signals(e);
	if (r < 0)
		return r;
	/* What is sent to it while it is being executed waits until it has its handlers. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	return exec_with(program, argv, (const int[]){m->ct->dir, m->pidfd, m->console, sock, log},
			 e);
}
