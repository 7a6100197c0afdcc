// SPDX-License-Identifier: GPL-2.0-only
/* POSIX locks of criu's images, compared with those that the restored tasks have, and taken by the tasks themselves. */
#include "checkpoint/file_locks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/proc.h"
#include "cgroups/kill.h"
#include "checkpoint/image.h"
#include "checkpoint/inject.h"

/* Fields as in criu's images/file-lock.proto, FL_POSIX as in its file-lock.h. */
#define LOCK_KIND  1
#define LOCK_TYPE  2
#define LOCK_PID   3
#define LOCK_FD	   4
#define LOCK_START 5
#define LOCK_LEN   6
#define FL_POSIX   1

#define LOCKS_MOST 65536
#define STOP_MS	   5000
/* Below the stack pointer of criu's own code, and below what that may use there: 128 bytes (x86-64's red zone). */
#define STACK_SKIP 1024

struct lock {
	pid_t pid; /* of the image, then as we see it */
	int fd, type;
	int64_t start, len; /* len 0: to the end */
};

struct locks {
	struct lock *list;
	size_t count, room;
};

/* --- read --- */

/* False: nonsense. kind 0: not of this kind. */
static bool read_lock(struct cr_span entry, uint64_t *kind, struct lock *l)
{
	struct cr_span content;
	unsigned number;
	uint64_t value;

	*l = (struct lock){0};
	*kind = 0;
	while (cr_image_field(&entry, &number, &value, &content)) {
		switch (number) {
		case LOCK_KIND:
			*kind = value;
			break;
		case LOCK_TYPE:
			l->type = (int)value;
			break;
		case LOCK_PID:
			l->pid = (pid_t)value;
			break;
		case LOCK_FD:
			l->fd = (int)value;
			break;
		case LOCK_START:
			l->start = (int64_t)value;
			break;
		case LOCK_LEN:
			l->len = (int64_t)value;
			break;
		default:
			break;
		}
	}
	return entry.at == entry.end &&
	       (*kind != FL_POSIX ||
		(l->pid > 0 && l->fd >= 0 && (l->type == F_RDLCK || l->type == F_WRLCK) &&
		 l->start >= 0 && l->len >= 0 && l->len <= INT64_MAX - l->start));
}

static int read_locks(int images, struct locks *all, struct err *e)
{
	auto_free char *text = NULL;
	struct cr_span rest, entry;
	int r = cr_image_read(images, "filelocks.img", &text, &rest, e);

	if (r < 0)
		return r == -ENOENT && !e->no ? 0 : r;
	while (cr_image_next(&rest, &entry)) {
		struct lock l;
		uint64_t kind;

		if (!read_lock(entry, &kind, &l) || all->count == LOCKS_MOST)
			return cr_image_damaged("filelocks.img", e);
		if (kind != FL_POSIX)
			continue;
		if (all->count == all->room) {
			struct lock *more =
				reallocarray(all->list, all->room * 2 + 16, sizeof(*more));

			if (!more)
				return err_set(e, ENOMEM, "read the locks: out of memory");
			all->list = more;
			all->room = all->room * 2 + 16;
		}
		all->list[all->count++] = l;
	}
	return rest.at == rest.end ? 0 : cr_image_damaged("filelocks.img", e);
}

/* --- compare --- */

/* "lock:	1: POSIX  ADVISORY  WRITE 412 08:01:1234 120 127", of the processes that have this file open: it ends with EOF instead of a number. */
static bool says(const char *line, const struct lock *l)
{
	char kind[16], mode[16], type[16], end[32], want[32] = "EOF";
	int64_t start;
	int pid;

	if (l->len)
		snprintf(want, sizeof(want), "%" PRId64, l->start + l->len - 1);
	return sscanf(line, "lock: %*s %15s %15s %15s %d %*s %" SCNd64 " %31s", kind, mode, type,
		      &pid, &start, end) == 6 &&
	       !strcmp(kind, "POSIX") && pid == l->pid && start == l->start && !strcmp(end, want) &&
	       !strcmp(type, l->type == F_WRLCK ? "WRITE" : "READ");
}

static bool has(const struct lock *l)
{
	auto_free char *text = NULL;
	struct err gone = {0};
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", l->pid, l->fd);
	if (file_try_read_at(AT_FDCWD, path, 1 << 20, &text, &gone) < 0)
		return false;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (says(line, l))
			return true;
	}
	return false;
}

/* Keeps those that are missing, with our pids. What is none of the restored ones' has come from elsewhere, and is nobody's. */
static void keep_lost(struct locks *all, const pid_t *pids, size_t count)
{
	size_t kept = 0;

	for (size_t k = 0; k < count && all->count; k++) {
		pid_t inner = proc_inner_pid(pids[k], pids[k]);

		for (size_t i = kept; i < all->count; i++) {
			struct lock l = all->list[i];

			if (l.pid != inner)
				continue;
			l.pid = pids[k];
			if (has(&l))
				continue;
			all->list[i] = all->list[kept];
			all->list[kept++] = l;
		}
	}
	all->count = kept;
}

/* --- take --- */

static int refused(const struct lock *l, int no, struct err *e)
{
	return err_set(e, no, "process %d has lost its lock on descriptor %d: %s",
		       proc_inner_pid(l->pid, l->pid), l->fd, strerror(no));
}

static int take(struct cr_inject *in, const struct lock *l, struct err *e)
{
	struct flock lock = {.l_type = (short)l->type,
			     .l_whence = SEEK_SET,
			     .l_start = l->start,
			     .l_len = l->len};
	uint64_t at = (in->regs.rsp - STACK_SKIP) & ~UINT64_C(15);
	struct iovec here = {&lock, sizeof(lock)}, there = {(void *)at, sizeof(lock)};
	long result = -1;

	if (process_vm_writev(l->pid, &here, 1, &there, 1, 0) != sizeof(lock))
		return err_sys(e, "write into process %d", l->pid);
	if (cr_inject_syscall(in, SYS_fcntl, (uint64_t[6]){(uint64_t)l->fd, F_SETLK, at}, &result,
			      e) < 0)
		return -e->no;
	return result < 0 ? refused(l, (int)-result, e) : 0;
}

/* All of one process, which is that of list[0]. Returns how many. */
static int take_all(const struct lock *list, size_t count, struct err *e)
{
	struct err late = {0};
	struct cr_inject in;
	uint64_t ticks;
	int r = proc_start_time(list->pid, &ticks, e);
	size_t n = 0;

	if (r >= 0)
		r = cr_inject_begin(&in, list->pid, ticks, STOP_MS, e);
	if (r < 0)
		return r;
	for (; r >= 0 && n < count && list[n].pid == list->pid; n++)
		r = take(&in, &list[n], e);
	if (cr_inject_end(&in, NULL, &late) < 0 && r >= 0)
		r = err_set(e, late.no, "%s", late.text);
	return r < 0 ? r : (int)n;
}

/* I am a child made for it: see inject.h for why, and why no signal may reach me. */
static void __attribute__((noreturn)) work(const struct locks *all, int out)
{
	struct err e = {0};
	size_t done = 0;
	int r = 0;

	prctl(PR_SET_NAME, "skep-inject");
	for (; r >= 0 && done < all->count; done += (size_t)r) {
		r = take_all(&all->list[done], all->count - done, &e);
		if (r < 0)
			break;
	}
	/* No pipe is smaller than that, so it is written at once; nobody left to read it is no matter. */
	(void)!write(out, &e, sizeof(e));
	_exit(0);
}

static int by_child(const struct locks *all, struct err *e)
{
	auto_fd int in = -EBADF, out = -EBADF;
	struct err theirs = {0};
	sigset_t every, old;
	int ends[2], n;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "make a pipe");
	in = ends[0];
	out = ends[1];
	sigfillset(&every);
	sigprocmask(SIG_BLOCK, &every, &old);
	child = fork();
	if (child == 0)
		work(all, out);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (child < 0)
		return err_sys(e, "make a child");
	own_close_fd(&out);
	while ((n = (int)read(in, &theirs, sizeof(theirs))) < 0 && errno == EINTR)
		;
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != sizeof(theirs))
		return err_set(e, ECHILD, "who takes the locks again has died");
	if (theirs.no)
		return err_set(e, theirs.no, "%s", theirs.text);
	return (int)all->count;
}

int cr_file_locks_take(int images, const struct cg *cg, pid_t init, struct err *e)
{
	auto_free pid_t *pids = NULL;
	struct locks all = {0};
	int r = read_locks(images, &all, e);

	if (r >= 0 && all.count)
		r = cg_pids(cg, &pids, e);
	if (r >= 0)
		keep_lost(&all, pids, (size_t)r);
	for (size_t i = 0; r >= 0 && i < all.count; i++)
		if (all.list[i].pid == init)
			r = refused(&all.list[i], EBUSY, e);
	if (r >= 0)
		r = all.count ? by_child(&all, e) : 0;
	free(all.list);
	return r < 0 ? err_class(e, ERR_RESTORE) : r;
}
