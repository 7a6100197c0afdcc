/* SPDX-License-Identifier: GPL-2.0-only */
/* A new network namespace, made while its caller does something else. */
#pragma once

/*
 * To make one is a third of what the kernel does for a container, and nothing of it waits for the rest: a thread of ours makes it on another processor, sends it to who waits for it, and ends.
 *
 * A program that clones has no threads, because the child would inherit locks that nobody gives back. This one takes none: it calls nothing of libc's, not even for its system calls, and
 * has no errno. It is there from net_netns_begin() to net_netns_await() only, and dies with the program.
 */

#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * Begins. When the namespace is there, msg (len bytes, at most NET_NETNS_MSG_MAX; copied) goes to the other end of `sock`, which stays open until net_netns_await(), with the namespace as its one descriptor. One at a time. false: it cannot be
 * made so here, and nothing has happened.
 */
#define NET_NETNS_MSG_MAX 2048
bool net_netns_begin(int sock, const void *msg, size_t len);

/* Waits until it is made and sent, with its loopback up, or why not. Returns the caller's own descriptor of it, once. */
int net_netns_await(struct err *e);
