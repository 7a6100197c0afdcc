/* SPDX-License-Identifier: GPL-2.0-only */
/* What arrives for a container while it is being moved: kept on the source, given to it on the target. */
#pragma once

/*
 * Why: a frame that is dropped while the container is frozen is sent again by the client's TCP only after its retransmission timer (200 ms and more, doubling), however
 * short the container was frozen. So what the lock (lock.h) takes away from the container's links goes to a tap device instead, whose queue is the buffer: the kernel
 * keeps the oldest NET_HOLD_FRAMES_MAX frames and drops the rest. A tap without offloads gets what is well-formed on a wire: super-packets of a local
 * sender cut to size, partial checksums completed. So a held frame needs nothing beside its bytes.
 *
 * Life, source: net_hold_open() before the freeze (it makes a link: 1-2 ms) -> net_lock_engage(..., hold.index) -> net_hold_take(), as often as wanted, each time what came since
 * -> net_hold_close() (it removes the link: 10-20 ms; never while the container is frozen). If the process dies the tap is gone, and the lock drops as it would without.
 * Target: net_hold_socket() before the decision -> net_hold_replay() when the links are open -> close the socket when the container runs (an RCU grace period).
 * A dump that failed: net_hold_replay() on the source, when the lock is gone.
 *
 * A batch of held frames is a file (a memfd, for checkpoint/protocol.h to send and receive as it is): for each frame u32 length (little-endian), then its bytes from
 * the Ethernet header on. At the target it is untrusted: what is not for the container's own MAC and own address is counted and left out.
 */

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "net/iface.h"

struct err;

#define NET_HOLD_FRAMES_MAX 4096
#define NET_HOLD_BYTES_MAX  (4U << 20) /* of a batch, lengths included */
#define NET_HOLD_FRAME_MAX  65549u     /* the largest MTU and an Ethernet header */

struct net_hold {
	int fd;		/* the tap; CLOEXEC */
	unsigned index; /* its ifindex; 0: none */
};
#define NET_HOLD_INIT         \
	{                     \
		.fd = -EBADF, \
	}
#define auto_hold __attribute__((cleanup(net_hold_close)))

struct net_hold_stats {
	unsigned frames; /* taken, or given to the container */
	unsigned
		refused; /* take: beyond the bounds of a batch; replay: not for this container, or no frame at all, or the link refused it */
	uint64_t bytes;	 /* of those frames */
};

/*
 * Makes the tap in this network namespace, named after the seed (net_if_host_name). Any failure (no /dev/net/tun: -ENOENT, -ENODEV, -ENXIO; no right) is one that a caller survives:
 * with index 0 the lock drops.
 */
int net_hold_open(struct net_hold *h, const char *seed, struct err *e);
void net_hold_close(struct net_hold *h);

/* A new batch in a new memfd, whose offset is 0: all that came since the last one, in order; IPv4 and IPv6 to one station only. It never waits. Returns the fd, caller's. */
int net_hold_take(struct net_hold *h, struct net_hold_stats *stats, struct err *e);

/* A socket to replay through, in this network namespace. Its close waits for an RCU grace period (5-20 ms). Returns the fd. */
int net_hold_socket(struct err *e);

/*
 * Gives each frame of the batch, in order, to that of the interfaces whose MAC it is for, if its destination is an address of that interface or its link-local one. Sent on the
 * host's end (ifc->host_name, up), so shape and everything else is as for any frame. batch: borrowed; its offset is not used. -EPROTO: no batch; the frames before that place
 * have been given. A link's refusal of single frames (too long for its MTU) is only counted.
 */
int net_hold_replay(int sock, const struct net_if *ifcs, size_t count, int batch,
		    struct net_hold_stats *stats, struct err *e);
