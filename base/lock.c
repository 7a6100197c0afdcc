// SPDX-License-Identifier: GPL-2.0-only
/* flock(2) with the holder's name. */
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"

static int locked_by(int fd, const char *name, struct err *e)
{
	char holder[128] = "another command";
	ssize_t n = pread(fd, holder, sizeof(holder) - 1, 0);

	if (n > 0)
		holder[n] = 0;
	/* Of a file that is just called "lock" the caller's prefix says what it locks. */
	if (strcmp(name, "lock") == 0)
		err_set(e, EWOULDBLOCK, "locked by %s", holder);
	else
		err_set(e, EWOULDBLOCK, "%s is locked by %s", name, holder);
	err_class(e, ERR_LOCKED);
	return err_hint(e, "wait for it to end, or try again");
}

static int take_flock(int fd, const void *arg)
{
	(void)arg;
	return flock(fd, LOCK_EX);
}

static int take_ofd(int fd, const void *arg)
{
	struct flock lock = *(const struct flock *)arg;

	return fcntl(fd, F_OFD_SETLKW, &lock);
}

/*
 * Neither flock(2) nor fcntl(2) has a deadline of its own. But the lock belongs to the open file description, which a child shares: the child
 * blocks for us, we wait for it to end with a deadline, and what it got is ours. A child killed in the moment it got the
 * lock is no harm: the caller then closes the descriptor.
 */
static int wait_for_lock(int fd, int (*take)(int fd, const void *arg), const void *arg, int wait_ms,
			 struct err *e)
{
	auto_fd int pidfd = -EBADF;
	pid_t parent = getpid();
	pid_t pid = fork();
	int r;

	if (pid < 0)
		return err_sys(e, "wait for a lock");
	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
			_exit(1);
		_exit(take(fd, arg) < 0);
	}
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) {
		err_sys(e, "wait for a lock");
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return -e->no;
	}
	r = proc_wait(pidfd, wait_ms, e);
	if (r == -ETIMEDOUT) {
		kill(pid, SIGKILL);
		proc_wait(pidfd, -1, e);
	}
	return r > 0 ? -EIO : r;
}

int lock_take_at(int dir, const char *name, const char *verb, int wait_ms, struct err *e)
{
	auto_fd int fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	char line[128];
	struct stat st;
	int n;

	if (fd < 0)
		return err_sys(e, "open lock %s", name);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return err_sys(e, "lock %s", name);
		if (wait_ms <= 0 || wait_for_lock(fd, take_flock, NULL, wait_ms, e) < 0)
			return e->no ? -e->no : locked_by(fd, name, e);
	}
	n = snprintf(line, sizeof(line), "pid %d (%s)", getpid(), verb);
	if (n >= (int)sizeof(line))
		n = (int)sizeof(line) - 1;
	/* The name only serves a message: a full disk must not stop the command. */
	/* In this order: ext4 takes "to nothing, then close" for a replacement and writes it to the disk (auto_da_alloc). */
	if (pwrite(fd, line, (size_t)n, 0) != n || fstat(fd, &st) < 0 ||
	    (st.st_size > n && ftruncate(fd, n) < 0))
		log_info("%s: cannot note its holder: %s", name, strerror(errno));
	return take_fd(&fd);
}

int lock_take_open(int fd, const char *what, int wait_ms, struct err *e)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return err_sys(e, "lock %s", what);
	if (wait_ms <= 0 || wait_for_lock(fd, take_flock, NULL, wait_ms, e) < 0)
		return e->no ? -e->no : locked_by(fd, what, e);
	return 0;
}

int lock_take_ofd(int fd, bool shared, int wait_ms, struct err *e)
{
	struct flock lock = {.l_type = shared ? F_RDLCK : F_WRLCK};
	int r;

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno != EAGAIN && errno != EACCES)
		return err_sys(e, "lock a file");
	r = wait_ms > 0 ? wait_for_lock(fd, take_ofd, &lock, wait_ms, e) : -ETIMEDOUT;
	return r == -ETIMEDOUT ? -EWOULDBLOCK : r;
}

bool lock_try_again(struct lock_tries *t, int wait_ms)
{
	if (!t->n)
		t->until = log_now_ns() + (uint64_t)(wait_ms > 0 ? wait_ms : 0) * 1000000;
	return t->n++ < 64 || log_now_ns() < t->until;
}

int lock_last_verb_at(int dir, const char *name, char *verb, size_t size)
{
	auto_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char line[128];
	ssize_t n = fd >= 0 ? pread(fd, line, sizeof(line) - 1, 0) : -1;
	char *from, *to;

	if (n < 0)
		return -errno;
	line[n] = '\0';
	from = strchr(line, '(');
	to = from ? strrchr(from, ')') : NULL;
	if (!to)
		return -ENOENT;
	snprintf(verb, size, "%.*s", (int)(to - from - 1), from + 1);
	return 0;
}
