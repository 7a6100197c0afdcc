/* SPDX-License-Identifier: GPL-2.0-only */
/* A tree over a descriptor: the root file system's way in a migration, in two passes or more. */
#pragma once

/*
 * Pass one sends everything while the container runs (files may vanish, grow and shrink under it) and fills a manifest; pass
 * two, after the freeze, sends what differs from that manifest and the names that are gone. Carried: types, modes, owners relative to id_base,
 * times in ns, xattrs (with ids in capabilities and ACLs made relative as well), hard links, holes, devices, fifos, sockets, and overlayfs'
 * whiteouts and opaque marks. Each pass ends with a record, so that a stream that was cut is seen. The descriptor is left just behind it.
 *
 * The receiver trusts nothing: every name is resolved beneath the directory without following links, and only known types and
 * xattrs are taken. With id_base > 0 the only devices it makes are whiteouts.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct st_manifest;
struct squeeze;

struct st_stream_stats {
	uint64_t entries;  /* names sent or made */
	uint64_t removed;  /* names sent as gone, or removed */
	uint64_t bytes;	   /* of content */
	uint64_t wire;	   /* bytes on the descriptor */
	uint64_t vanished; /* disappeared while they were being read */
};

/*
 * Called before each piece of `bytes` bytes (at most 512 KiB) is written: it may wait (a limit of bandwidth), or end the pass with
 * -errno and e filled.
 */
typedef int st_stream_pace(void *arg, size_t bytes, struct err *e);

struct st_stream_pass {
	int dir;
	int fd; /* both borrowed */
	uint32_t id_base;
	/*
	 * What the receiver has: sent is compared with, and brought up to date while the pass sends the difference. Empty: everything is sent. NULL:
	 * everything, and there is no further pass.
	 */
	struct st_manifest *sent;
	bool last;	      /* nothing changes the tree any more: sent is not needed afterwards */
	st_stream_pace *pace; /* or NULL */
	void *pace_arg;
	struct squeeze *squeeze; /* for a receiver that can; borrowed; or NULL */
};

/*
 * Sends one pass. As many as one likes may be sent while the tree is in use: stats->bytes and ->entries of one say what the next will be. stats may
 * be NULL. A pass that failed leaves nothing that a further one could build on. Uses threads while it runs, none afterwards.
 */
int st_stream_send_pass(const struct st_stream_pass *p, struct st_stream_stats *stats,
			struct err *e);

/*
 * Receives one pass into dir (an existing directory: its own owner, mode, times are set as well). A stream that ends
 * early is -EPIPE; no room is class NO_SPACE; a record that no sender makes is -EBADMSG.
 */
int st_stream_receive(int dir, uint32_t id_base, int fd, struct st_stream_stats *stats,
		      struct err *e);
/* -EAGAIN when fd, a pipe, brings no byte for ms; < 0: it may be silent for ever. A socket has its own limit (SO_RCVTIMEO). */
int st_stream_receive_within(int dir, uint32_t id_base, int fd, int ms,
			     struct st_stream_stats *stats, struct err *e);
