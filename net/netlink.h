/* SPDX-License-Identifier: GPL-2.0-only */
/* One request builder over libmnl: batched route netlink with acks, and the kernel's own words on a refusal. */
#pragma once

/*
 * Life: net_nl_open() makes a socket in a network namespace; net_nl_begin() starts a message (a batch holds several),
 * attributes are put with mnl_attr_put*(), and net_nl_commit() sends the batch and reads every ack. The first refusal
 * fills e with the kernel's extended ack. net_nl_close() at the end; auto_nl does it at the end of the scope.
 * Nothing here is shared between threads.
 */

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct err;

#define NET_NL_BATCH_BYTES 16384
#define NET_NL_BATCH_MAX   48

struct net_nl {
	struct mnl_socket *sock;
	uint32_t port;
	uint32_t seq;	/* of the last message begun */
	uint32_t first; /* of the first message of this batch */
	unsigned count; /* messages in this batch */
	size_t used;	/* bytes of finished messages */
	struct nlmsghdr *open;
	bool inconsistent; /* of a query: things came and went while the kernel listed them, so that one which was there all the time may be missing */
	const char *what
		[NET_NL_BATCH_MAX]; /* what each message does, for errors; borrowed until commit */
	int forgive[NET_NL_BATCH_MAX]; /* an errno that is success for this message; 0: none */
	_Alignas(8) char buf[NET_NL_BATCH_BYTES];
};

#define auto_nl __attribute__((cleanup(net_nl_close)))

/* Opens a route socket in netns (an fd), or in the caller's own namespace when netns < 0. nl is zeroed by the caller. */
int net_nl_open(struct net_nl *nl, int netns, struct err *e);
void net_nl_close(struct net_nl *nl);

/*
 * Starts a message of this type with a header of `extra` zeroed bytes (struct ifinfomsg ...), returned to be filled
 * (NULL when the batch is full: commit then fails with -ENOBUFS). what ("add address 10.0.0.2/24") is for errors.
 */
void *net_nl_begin(struct net_nl *nl, uint16_t type, uint16_t flags, size_t extra,
		   const char *what);

/* The open message, for mnl_attr_put*(). */
struct nlmsghdr *net_nl_msg(struct net_nl *nl);

/* This errno (positive) from the open message counts as success: EEXIST on create, ENODEV on destroy. */
void net_nl_forgive(struct net_nl *nl, int no);

/* Sends the batch, waits for all acks (at most 5 s each). -errno of the first refusal, with the kernel's words. */
int net_nl_commit(struct net_nl *nl, struct err *e);

/* Sends the one open message and calls cb for each answer (dump or get). A forgiven errno is returned with e untouched. */
int net_nl_query(struct net_nl *nl, mnl_cb_t cb, void *data, struct err *e);
