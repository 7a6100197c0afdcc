// SPDX-License-Identifier: GPL-2.0-only
// Network namespaces: by process, entering one for the length of a call, sysctls inside.
#include "net/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/own.h"
#include "base/sys.h"

int net_netns_open(pid_t pid, struct err *e)
{
	char path[64];
	int fd;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	else
		snprintf(path, sizeof(path), "/proc/thread-self/ns/net");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "open the network namespace of process %d", (int)pid) : fd;
}

int net_netns_create(struct err *e)
{
	auto_fd int home = net_netns_open(0, e);
	int fd;

	if (home < 0)
		return home;
	if (unshare(CLONE_NEWNET))
		return err_sys(e, "make a network namespace");
	fd = net_netns_open(0, e);
	sys_setns_home(home, CLONE_NEWNET);
	return fd;
}

int net_netns_run(int netns, int (*fn)(void *arg, struct err *e), void *arg, struct err *e)
{
	auto_fd int home = -EBADF;
	int r;

	if (netns < 0)
		return fn(arg, e);
	home = net_netns_open(0, e);
	if (home < 0)
		return home;
	if (setns(netns, CLONE_NEWNET))
		return err_sys(e, "enter the network namespace");
	r = fn(arg, e);
	sys_setns_home(home, CLONE_NEWNET);
	return r;
}

struct socket_request {
	int domain, type, protocol;
};

static int make_socket(void *arg, struct err *e)
{
	const struct socket_request *q = arg;
	int fd = socket(q->domain, q->type | SOCK_CLOEXEC, q->protocol);

	return fd < 0 ? err_sys(e, "open a network socket") : fd;
}

int net_netns_socket(int netns, int domain, int type, int protocol, struct err *e)
{
	struct socket_request q = {.domain = domain, .type = type, .protocol = protocol};

	return net_netns_run(netns, make_socket, &q, e);
}

struct sysctl_request {
	const char *key, *value;
	long *out;
};

/* The kernel picks the tables of /proc/sys/net by the *opener's* namespace, so our own /proc serves every one. */
static int do_sysctl(void *arg, struct err *e)
{
	const struct sysctl_request *q = arg;
	auto_fd int fd = -EBADF;
	char path[160], text[64];
	ssize_t n;

	if (strstr(q->key, "..") ||
	    snprintf(path, sizeof(path), "/proc/sys/net/%s", q->key) >= (int)sizeof(path))
		return err_set(e, EINVAL, "no such sysctl: net/%s", q->key);
	fd = open(path, (q->value ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : err_sys(e, "open sysctl net/%s", q->key);
	if (q->value) {
		if (write(fd, q->value, strlen(q->value)) < 0)
			return err_sys(e, "set sysctl net/%s to %s", q->key, q->value);
		return 0;
	}
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return err_sys(e, "read sysctl net/%s", q->key);
	text[n] = '\0';
	if (q->out)
		*q->out = strtol(text, NULL, 10);
	return 0;
}

int net_sysctl_write(int netns, const char *key, const char *value, struct err *e)
{
	struct sysctl_request q = {.key = key, .value = value};

	return net_netns_run(netns, do_sysctl, &q, e);
}

int net_sysctl_read(int netns, const char *key, long *value, struct err *e)
{
	struct sysctl_request q = {.key = key, .out = value};

	return net_netns_run(netns, do_sysctl, &q, e);
}
