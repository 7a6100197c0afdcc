/* SPDX-License-Identifier: GPL-2.0-only */
/* Network namespaces: by process, entering one for the length of a call, sysctls inside. */
#pragma once

#include <sys/types.h>

struct err;

/* Opens the network namespace of a process, or the caller's own (pid 0). Returns the fd. */
int net_netns_open(pid_t pid, struct err *e);

/* Makes a new namespace without staying in it. Returns its fd; closing the last one destroys it. */
int net_netns_create(struct err *e);

/*
 * Runs fn(arg, e) inside netns and comes back (setns(2), calling thread only: 2-4 us, no fork). If coming back
 * fails the process aborts: to go on in a container's namespace would be worse. netns < 0: runs it where we are.
 */
int net_netns_run(int netns, int (*fn)(void *arg, struct err *e), void *arg, struct err *e);

/* A socket(2) that belongs to netns (CLOEXEC is added). Returns the fd. */
int net_netns_socket(int netns, int domain, int type, int protocol, struct err *e);

/*
 * Writes net.* sysctl `key` ("ipv4/ip_forward") in netns (< 0: ours). Our own /proc is used; never the container's.
 * -ENOENT leaves e untouched: the kernel has no such knob (IPv6 off).
 */
int net_sysctl_write(int netns, const char *key, const char *value, struct err *e);
/* Reads a number; -ENOENT leaves e untouched. */
int net_sysctl_read(int netns, const char *key, long *value, struct err *e);
