// SPDX-License-Identifier: GPL-2.0-only
/* flock(2) with the holder's name. */
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"

static int locked_by(int fd, const char *name, struct err *e)
{
	char holder[128] = "another command";
	ssize_t n = pread(fd, holder, sizeof(holder) - 1, 0);

	if (n > 0)
		holder[n] = 0;
	err_set(e, EWOULDBLOCK, "%s is locked by %s", name, holder);
	err_class(e, ERR_LOCKED);
	return err_hint(e, "wait for it to end, or try again");
}

/*
 * flock(2) has no deadline of its own, and an alarm would need a signal handler in a library. Asking every 10 ms bounds the wait
 * and costs nothing where nobody holds the lock.
 */
int lock_take_at(int dir, const char *name, const char *verb, int wait_ms, struct err *e)
{
	uint64_t end_ns = log_now_ns() + (uint64_t)wait_ms * 1000000u;
	auto_fd int fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	char line[128];
	int n;

	if (fd < 0)
		return err_sys(e, "open lock %s", name);
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		const struct timespec pause = {.tv_nsec = 10000000};

		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(e, "lock %s", name);
		if (log_now_ns() >= end_ns)
			return locked_by(fd, name, e);
		nanosleep(&pause, NULL);
	}
	n = snprintf(line, sizeof(line), "pid %d (%s)", getpid(), verb);
	if (n >= (int)sizeof(line))
		n = (int)sizeof(line) - 1;
	/* The name only serves a message: a full disk must not stop the command. */
	if (ftruncate(fd, 0) < 0 || pwrite(fd, line, (size_t)n, 0) != n)
		log_warn("lock %s: cannot note its holder: %s", name, strerror(errno));
	return take_fd(&fd);
}
