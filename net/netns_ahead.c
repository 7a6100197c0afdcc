// SPDX-License-Identifier: GPL-2.0-only
/* A thread without a libc: unshare(2), open(2), sendmsg(2), and the loopback. */
#include "net/netns_ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"

/* What both threads know. The other one only reads what is above the line. */
static struct {
	int sock;
	char msg[NET_NETNS_MSG_MAX];
	struct iovec iov;
	struct msghdr head;
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(__alignof__(struct cmsghdr))));
	/* ---- */
	int no;		/* errno of what failed; 0 */
	const char *at; /* that */
	int fd;
	int tid; /* 0: there is no thread; the kernel writes that at its end (CLONE_CHILD_CLEARTID) */
} made = {.fd = -EBADF};

#if defined(__x86_64__)
static char stack[4096] __attribute__((aligned(64)));

/* libc's would write to the errno of the thread whose thread-local storage this one has: the caller's. */
static inline __attribute__((always_inline)) long call(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return r;
}

#define BARE __attribute__((no_stack_protector, no_sanitize("address", "undefined")))

/* netdevice(7). The one link that is there from the beginning. */
BARE static long raise_loopback(void)
{
	static struct ifreq up = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	long fd = call(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0, 0), r;

	made.at = "raise the loopback";
	if (fd < 0)
		return fd;
	r = call(SYS_ioctl, fd, SIOCSIFFLAGS, (long)&up, 0);
	call(SYS_close, fd, 0, 0, 0);
	return r;
}

/* I am the thread. */
BARE static int make(void *arg)
{
	static const char ours[] = "/proc/thread-self/ns/net";
	long r = call(SYS_unshare, CLONE_NEWNET, 0, 0, 0), fd;

	(void)arg;
	made.at = "make a network namespace";
	if (r == 0) {
		made.at = "open the new network namespace";
		r = fd = call(SYS_openat, AT_FDCWD, (long)ours, O_RDONLY | O_CLOEXEC, 0);
		if (fd >= 0) {
			made.fd = *(int *)CMSG_DATA((struct cmsghdr *)made.control) = (int)fd;
			made.at = "send the new network namespace";
			r = call(SYS_sendmsg, made.sock, (long)&made.head, MSG_NOSIGNAL, 0);
		}
		if (r >= 0)
			r = raise_loopback();
	}
	made.no = r < 0 ? (int)-r : 0;
	return 0;
}

/* No signal is handled on its stack: all are blocked. */
static bool start(void)
{
	sigset_t all, before;
	pid_t r;

	sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, &before) < 0)
		return false;
	r = clone(make, stack + sizeof(stack),
		  CLONE_VM | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_PARENT_SETTID |
			  CLONE_CHILD_CLEARTID,
		  NULL, &made.tid, NULL, &made.tid);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (r < 0)
		made.tid = 0;
	return r >= 0;
}
#else
static bool start(void)
{
	return false;
}
#endif

bool net_netns_begin(int sock, const void *msg, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)made.control;

	if (made.tid || made.fd >= 0 || len > sizeof(made.msg))
		return false;
	memcpy(made.msg, msg, len);
	made.sock = sock;
	made.iov = (struct iovec){.iov_base = made.msg, .iov_len = len};
	made.head = (struct msghdr){.msg_iov = &made.iov,
				    .msg_iovlen = 1,
				    .msg_control = made.control,
				    .msg_controllen = sizeof(made.control)};
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	made.no = 0;
	return start();
}

int net_netns_await(struct err *e)
{
	int tid;

	while ((tid = __atomic_load_n(&made.tid, __ATOMIC_ACQUIRE)))
		syscall(SYS_futex, &made.tid, FUTEX_WAIT, tid, NULL, NULL, 0);
	if (!made.no)
		return take_fd(&made.fd);
	own_close_fd(&made.fd);
	err_set(e, made.no, "%s: %s", made.at, strerror(made.no));
	return made.no == ENOSPC
		       ? err_hint(
				 e,
				 "a namespace limit is reached: see user.max_net_namespaces in sysctl")
		       : -e->no;
}
