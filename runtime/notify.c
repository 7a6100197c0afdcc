// SPDX-License-Identifier: GPL-2.0-only
/* The container's end of sd_notify(3), and ours. */
#include "runtime/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/sock.h"
#include "ns/mount.h"
#include "ns/orphan.h"
#include "runtime/patience.h"
#include "runtime/spec.h"
#include "runtime/state.h"

#define NAME	 "notify"
#define VARIABLE "NOTIFY_SOCKET="
#define BARRIER_MS \
	5000 /* as sd_notify_barrier(3) is used: who waits takes note within that, or does not know the word */

/* --- its side --- */

/* The variable's new value in the place of an old one, or as the last. */
static int set_env(struct ct_process *p, const char *socket, struct err *e)
{
	size_t n = 0;
	char **env, *text;

	while (p->env && p->env[n] && strncmp(p->env[n], VARIABLE, strlen(VARIABLE)) != 0)
		n++;
	if (asprintf(&text, VARIABLE "%s/" NAME, socket) < 0)
		return err_set(e, ENOMEM, "out of memory for the environment");
	if (p->env && p->env[n]) {
		free(p->env[n]);
		p->env[n] = text;
		return 0;
	}
	env = realloc(p->env, (n + 2) * sizeof(*env));
	if (!env) {
		free(text);
		return err_set(e, ENOMEM, "out of memory for the environment");
	}
	env[n] = text;
	env[n + 1] = NULL;
	p->env = env;
	return 0;
}

int ct_notify_add(struct ct_spec *spec, const char *socket, struct err *e)
{
	struct ns_mount *m;

	if (!socket || socket[0] != '/')
		return 0;
	m = realloc(spec->mounts, (spec->n_mounts + 1) * sizeof(*m));
	if (!m)
		return err_set(e, ENOMEM, "out of memory for mounts");
	spec->mounts = m;
	m += spec->n_mounts;
	ns_mount_init(m);
	m->target = strdup(socket);
	if (!m->target)
		return err_set(e, ENOMEM, "out of memory for mounts");
	m->bind = true;
	m->attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	spec->n_mounts++;
	spec->notify = true;
	return set_env(&spec->process, socket, e);
}

int ct_notify_make(const struct ct *ct, const struct ct_spec *spec, struct err *e)
{
	struct ns_mount *m;
	auto_fd int dir = -EBADF;
	char name[40], path[PATH_MAX];
	ssize_t n;

	if (!spec->notify)
		return 0;
	if (mkdirat(ct->dir, CT_NOTIFY_DIR, 0755) < 0)
		return err_sys(e, "make the directory " CT_NOTIFY_DIR " in its state");
	dir = openat(ct->dir, CT_NOTIFY_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* For the container's users, whoever they are; on the host nobody comes through STATE/ID. */
	if (dir < 0 || fchmod(dir, 0755) < 0)
		return err_sys(e, "open the directory " CT_NOTIFY_DIR " in its state");
	snprintf(name, sizeof(name), "/proc/self/fd/%d", dir);
	n = readlink(name, path, sizeof(path));
	if (n < 0 || n == sizeof(path))
		return err_sys(e, "find the directory " CT_NOTIFY_DIR);
	m = &spec->mounts[spec->n_mounts - 1];
	m->source = strndup(path, (size_t)n);
	return m->source ? 0 : err_set(e, ENOMEM, "out of memory for mounts");
}

/* --- ours --- */

int ct_notify_listen(const struct ct *ct, const char *socket_path, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	auto_fd int dir = -EBADF, fd = -EBADF;
	mode_t before;
	int r;

	if (!socket_path || !socket_path[0])
		return -EBADF;
	dir = openat(ct->dir, CT_NOTIFY_DIR, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? -EBADF : err_sys(e, "open " CT_NOTIFY_DIR);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/" NAME, dir);
	/* That of a start that failed, or was killed: its container waits as before. */
	if (unlinkat(dir, NAME, 0) < 0 && errno != ENOENT)
		return err_sys(e, "remove an earlier socket " CT_NOTIFY_DIR "/" NAME);
	before = umask(0111);
	r = fd < 0 ? fd : bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	if (r < 0)
		err_sys(e, "make the socket " CT_NOTIFY_DIR "/" NAME);
	umask(before);
	return r < 0 ? -e->no : take_fd(&fd);
}

/* One datagram: whether a line of it is READY=1. */
static bool hear_ready(int fd)
{
	char text[4097];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
		if (!strcmp(line, "READY=1"))
			return true;
	return false;
}

static int reach(const char *path, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	/* Who does not read holds whoever sends, once some ten datagrams wait (unix(7), net.unix.max_dgram_qlen). */
	const int ms = ct_patience_ms();
	const struct timeval most = {.tv_sec = ms > 0 ? ms / 1000 : 0};
	size_t len = strlen(path);
	auto_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (len >= sizeof(sa.sun_path))
		return err_set(e, ENAMETOOLONG, "$NOTIFY_SOCKET: too long");
	memcpy(sa.sun_path, path, len);
	if (path[0] == '@')
		sa.sun_path[0] = 0;
	if (fd < 0 ||
	    connect(fd, (struct sockaddr *)&sa,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most)) < 0)
		return err_sys(e, "$NOTIFY_SOCKET %s", path);
	return take_fd(&fd);
}

/* When our half of a pipe is closed at its other end, all that was sent before has been read: systemd must know init as ours before we, who have told it so, are gone. */
static void wait_until_noted(int fd)
{
	auto_fd int ours = -EBADF, theirs = -EBADF;
	struct err ignored = {0};
	struct pollfd p = {.events = 0};
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return;
	ours = pair[0];
	theirs = pair[1];
	p.fd = ours;
	if (sock_send_fd(fd, "BARRIER=1", strlen("BARRIER=1"), theirs, &ignored) < 0)
		return;
	own_close_fd(&theirs);
	(void)poll(&p, 1, BARRIER_MS);
}

static int pass_on(pid_t pid, const char *path, struct err *e)
{
	char text[64];
	auto_fd int fd = reach(path, e);
	int n = pid ? snprintf(text, sizeof(text), "READY=1\nMAINPID=%d", pid)
		    : snprintf(text, sizeof(text), "READY=1");

	if (fd < 0)
		return fd;
	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) < 0) {
		err_sys(e, "$NOTIFY_SOCKET %s", path);
		return e->no == EAGAIN ? err_hint(e, "nobody reads from it") : -e->no;
	}
	wait_until_noted(fd);
	return 0;
}

int ct_notify_wait(int fd, int pidfd, pid_t pid, const char *path, struct err *e)
{
	struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};

	while (fd >= 0) {
		if (poll(p, ARRAY_SIZE(p), pidfd < 0 ? 0 : -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(e, "wait for READY=1");
		}
		/* What it said before its end counts. */
		if (p[0].revents && hear_ready(fd))
			return pass_on(pid, path, e);
		if (!p[0].revents && (pidfd < 0 || p[1].revents))
			return 0;
	}
	return 0;
}

void ct_notify_follow(int fd, int pidfd, const char *path)
{
	struct err ignored = {0};
	int r;

	if (fd < 0)
		return;
	r = ns_orphan("skep-notify", (int[]){fd, pidfd}, 2);
	if (r == 0) {
		(void)ct_notify_wait(fd, pidfd, 0, path, &ignored);
		_exit(0);
	}
	if (r < 0)
		log_warn("$NOTIFY_SOCKET will not be told: %s", strerror(-r));
}
