// SPDX-License-Identifier: GPL-2.0-only
/* Userfaultfds of other processes; PAGEMAP_SCAN. */
#include "checkpoint/uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "checkpoint/inject.h"
#include "checkpoint/pagemap_scan.h"
#include "checkpoint/track.h"

/* Linux 6.7; Debian 12's headers are older. */
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

/* A stop takes microseconds, on a busy host as long as it takes to get a processor; for ever in an uninterruptible sleep. */
int cr_uffd_stop_wait_ms = 300;

static const uint64_t uffd_flags = O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY;

/* Without USER_MODE_ONLY a container could not make one (vm.unprivileged_userfaultfd); in asynchronous mode the kernel's own writes are seen all the same. */
static int shake_hands(int uffd, struct err *e)
{
	struct uffdio_api api = {.api = UFFD_API,
				 .features = UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED};

	if (ioctl(uffd, UFFDIO_API, &api) < 0)
		return err_sys(e, "asynchronous write protection by userfaultfd");
	return 0;
}

int cr_uffd_own(struct err *e)
{
	auto_fd int fd = (int)syscall(SYS_userfaultfd, uffd_flags);

	if (fd < 0)
		return err_sys(e, "make a userfaultfd");
	if (shake_hands(fd, e) < 0)
		return -e->no;
	return take_fd(&fd);
}

/* I am the child of cr_uffd_take(). Makes one in the process, takes a copy and closes the process's own, in one stop. */
static int take_one(const struct cr_uffd_ask *ask, uint64_t *stop_ns, struct err *e)
{
	auto_fd int process = proc_open(ask->pid, ask->ticks, e), fd = -EBADF;
	struct cr_inject in;
	struct err late = {0};
	long made = -EBADF, closed;
	int r;

	if (process < 0)
		return process;
	r = cr_inject_begin(&in, ask->pid, ask->ticks, cr_uffd_stop_wait_ms, e);
	if (r < 0)
		return r;
	r = cr_inject_syscall(&in, SYS_userfaultfd, (uint64_t[6]){uffd_flags}, &made, e);
	if (r == 0 && made < 0)
		r = err_set(e, (int)-made, "process %d can make no userfaultfd: %s", ask->pid,
			    strerror((int)-made));
	if (r == 0) {
		fd = (int)syscall(SYS_pidfd_getfd, process, (int)made, 0);
		if (fd < 0)
			r = err_sys(e, "take the userfaultfd of process %d", ask->pid);
		if (cr_inject_syscall(&in, SYS_close, (uint64_t[6]){(uint64_t)made}, &closed,
				      &late) < 0)
			r = r < 0 ? r : err_set(e, late.no, "%s", late.text);
	}
	if (cr_inject_end(&in, stop_ns, &late) < 0 && r == 0)
		r = err_set(e, late.no, "%s", late.text);
	return r < 0 ? r : take_fd(&fd);
}

struct answer {
	uint64_t index, stop_ns;
	int result;
	struct err why;
};

static void answer(int sock, struct answer *a, int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {a, sizeof(*a)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control.room);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	}
	/* Nobody left to hear it: the work is done to its end all the same, no process may stay half-way. */
	(void)sendmsg(sock, &msg, MSG_NOSIGNAL);
}

/* I am the child, all signals blocked: who interrupts me leaves a process of the container with wrong registers. My end takes back what is left of tracing. */
static void __attribute__((noreturn)) work(const struct cr_uffd_ask *asks, size_t count, int sock)
{
	prctl(PR_SET_NAME, "skep-inject");
	for (size_t i = 0; i < count; i++) {
		struct answer a = {.index = i};
		auto_fd int fd = take_one(&asks[i], &a.stop_ns, &a.why);

		a.result = fd < 0 ? fd : 0;
		answer(sock, &a, fd);
	}
	_exit(0);
}

/* One answer; 0 when there will be none any more. */
static int hear(int sock, struct cr_uffd_ask *asks, size_t count)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct answer a;
	struct iovec iov = {&a, sizeof(a)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control.room)};
	auto_fd int fd = -EBADF;
	ssize_t n;

	while ((n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
		;
	if (n != sizeof(a) || a.index >= count)
		return 0;
	if (CMSG_FIRSTHDR(&msg) && control.head.cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	asks[a.index].stop_ns = a.stop_ns;
	asks[a.index].fd = a.result < 0 ? a.result : fd < 0 ? -EMFILE : fd;
	if (a.result < 0) {
		log_debug("memory of process %d is not followed: %s", asks[a.index].pid,
			  a.why.text);
	} else if (fd >= 0) {
		a.why = (struct err){0};
		if (shake_hands(fd, &a.why) < 0)
			asks[a.index].fd = -a.why.no;
		else
			take_fd(&fd);
	}
	return 1;
}

int cr_uffd_take(struct cr_uffd_ask *asks, size_t count, struct err *e)
{
	/* Far more than it can take, unless a freezer caught a process half-way: then the child stays until it is thawed, and we go on. */
	int patience_ms = 5000 + (int)(count < 10000 ? count : 10000) * 2 * cr_uffd_stop_wait_ms;
	uint64_t end = log_now_ns() + (uint64_t)patience_ms * 1000000u;
	auto_fd int ours = -EBADF, theirs = -EBADF;
	sigset_t all, old;
	int pair[2];
	pid_t child;

	for (size_t i = 0; i < count; i++)
		asks[i].fd = -ECHILD;
	if (count == 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "make a pair of sockets");
	ours = pair[0];
	theirs = pair[1];
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	child = fork();
	if (child == 0)
		work(asks, count, theirs);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (child < 0)
		return err_sys(e, "make a child");
	own_close_fd(&theirs);
	for (;;) {
		struct pollfd p = {.fd = ours, .events = POLLIN};
		uint64_t now = log_now_ns();
		int r = now >= end ? 0 : poll(&p, 1, (int)((end - now) / 1000000u) + 1);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0 || !hear(ours, asks, count))
			break;
	}
	/* It has closed its end by ending, unless patience ran out. */
	while (waitpid(child, NULL, log_now_ns() >= end ? WNOHANG : 0) < 0 && errno == EINTR)
		;
	return 0;
}

int cr_uffd_follow(int uffd, uint64_t start, uint64_t end)
{
	struct uffdio_register reg = {.range = {.start = start, .len = end - start},
				      .mode = UFFDIO_REGISTER_MODE_WP};
	struct uffdio_writeprotect clear = {.range = reg.range};

	if (ioctl(uffd, UFFDIO_REGISTER, &reg) < 0)
		return -errno;
	if (ioctl(uffd, UFFDIO_WRITEPROTECT, &clear) < 0)
		return -errno;
	return 0;
}

/* Whether the kernel knows guard pages; asked once by trying. */
static uint64_t guard_category(int pagemap)
{
	static int known = -1;
	struct cr_scan_arg arg = {.size = sizeof(arg), .category_inverted = CR_IS_GUARD};
	struct cr_region none;

	arg.category_mask = CR_IS_GUARD;
	arg.vec = (uint64_t)(uintptr_t)&none;
	arg.vec_len = 1;
	if (known < 0)
		known = ioctl(pagemap, CR_PAGEMAP_SCAN, &arg) >= 0;
	return known ? CR_IS_GUARD : 0;
}

/*
 * Holes are left out (PRESENT or SWAPPED is asked for), so they get no marks: the kernel's marks for unpopulated pages would fill page tables, and would look
 * like swapped out pages to criu's own PAGEMAP_SCAN. They need none: a page that comes into being has no protection, and so counts as written.
 *
 * CR_IS_FILE is not asked for: what is anonymous has none, and the kernel would look at the struct of each page, which takes ten times as long (12 ms of 1 GB).
 */
int cr_uffd_scan(int pagemap, enum cr_scan what, uint64_t *start, uint64_t end, uint64_t pages,
		 struct cr_region *v, size_t room)
{
	uint64_t out = CR_IS_PFNZERO | guard_category(pagemap);
	struct cr_scan_arg arg = {.size = sizeof(arg),
				  .start = *start,
				  .end = end,
				  .vec = (uint64_t)(uintptr_t)v,
				  .vec_len = room,
				  .max_pages = pages,
				  .category_inverted = out,
				  .category_mask = out,
				  .category_anyof_mask = CR_IS_PRESENT | CR_IS_SWAPPED};
	int n;

	if (what == CR_SCAN_LOOK || what == CR_SCAN_PROTECT)
		arg.category_mask |= CR_IS_WRITTEN;
	if (what != CR_SCAN_PRESENT)
		arg.flags |= CR_SCAN_CHECKS;
	if (what == CR_SCAN_PROTECT || what == CR_SCAN_PROTECT_ALL)
		arg.flags |= CR_SCAN_PROTECTS;
	/* Neighbours are one region when what return_mask shows of them is the same: return_mask is 0. */
	n = ioctl(pagemap, CR_PAGEMAP_SCAN, &arg);
	if (n < 0)
		return -errno;
	*start = arg.walk_end;
	return n;
}
