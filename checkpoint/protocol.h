/* SPDX-License-Identifier: GPL-2.0-only */
/* What the two hosts of a migration say to each other: frames of JSON, and bulk data between them. */
#pragma once

/*
 * A frame is 12 bytes (u32 magic, u32 type, u32 length; little-endian) and a JSON object of that length. Bulk data is not framed: a frame says that it
 * comes (ROOTFS, DELTA: a tree stream, which knows its own end; FILE: as many bytes as it says), and behind it the next frame begins. So nothing is copied
 * twice, and who reads never reads too far. The talk, source on the left:
 *
 *   HELLO        ->   version                 <- HELLO
 *   OFFER        ->   who it is, what it needs <- ACCEPT, or ERROR
 *   ROOTFS tree  ->   first pass, it runs here
 *   in the live modes, any number of times: PAGES runs (memory.h) ->, at the end of a round ROUND -> <- ROUND, DELTA tree ->
 *   and, to a host that can, SOON ->: the next thing is that it does not run any more
 *   DELTA tree   ->   it does not run any more
 *   IMAGES, FILE bytes, FILE bytes, ... ->    <- READY
 *   COMMIT       ->                           <- RUNS (only if it is to run), then, all on disk, DONE
 *   BYE          ->   the source remembers that it moved: the record may go    <- BYE: it is gone
 *   if it goes on there where it was stopped here: HELD bytes -> right before COMMIT and right after RUNS, the frames that came for it meanwhile (held.h)
 *   in the lazy ones: STALE pages -> that the target must not use; FEED <- its daemon is up; and on a second connection FEED -> <- FEED, and then it is the daemon's (pages_wire.h)
 * or, after an interruption: FINISH -> <- STATE, then BYE and BYE; FORGET -> <- STATE.
 *
 * ERROR may come instead of any answer; it ends the talk. After COMMIT it means: the target does not have it, and will not. The
 * end of the stream is never an answer. All that comes is untrusted: sizes are bounded before memory is taken, names are judged, types are expected.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/squeeze.h"

/* 3: images come with unseen-ID.img. Who does not know of it (version 2) would take memory that it has for zeroes. */
#define CR_PROTOCOL_VERSION 3
#define CR_FRAME_MAGIC	    0x316d6b73u /* "skm1" */
#define CR_FRAME_MAX	    (1U << 20)

/* Of images: a chunk as it was, and the mark of one that is packed. */
#define CR_CHUNK	(1U << 20)
#define CR_CHUNK_PACKED (1U << 31)

/* How long an answer may take: to checks, to a restore or a start. */
#define CR_ANSWER_MS  60000
#define CR_RESTORE_MS 300000

/*
 * How long the target hears nothing from a source before it takes it for dead, gives back what it received and lets go of its lock: a host without power
 * ends no connection. The first pass of the files sends all the time. Behind it there are silences: a walk over files that are the same, memory that is
 * hashed, criu's dump. What may last longer - a container that is given time to end, much memory on a slow disk, a small --bwlimit - the source announces with its
 * offer, as "patience", in seconds.
 */
#define CR_SENDING_MS	60000
#define CR_SILENCE_MS	CR_RESTORE_MS
#define CR_PATIENCE_MAX (2 * 86400) /* s */

/* X(name): their numbers are the protocol's, so new ones come last. */
#define CR_FRAMES(X) \
	X(HELLO)     \
	X(OFFER)     \
	X(ACCEPT)    \
	X(ROOTFS)    \
	X(DELTA)     \
	X(IMAGES)    \
	X(FILE)      \
	X(READY)     \
	X(COMMIT)    \
	X(RUNS)      \
	X(DONE)      \
	X(BYE)       \
	X(FINISH)    \
	X(FORGET)    \
	X(STATE)     \
	X(ERROR)     \
	X(PAGES)     \
	X(ROUND)     \
	X(HELD)      \
	X(STALE)     \
	X(FEED)      \
	X(SOON)

enum cr_frame {
	CR_FRAME_NONE,
#define X(name) CR_FRAME_##name,
	CR_FRAMES(X)
#undef X
		CR_FRAME_END
};
const char *cr_frame_to_str(unsigned frame);

/* X(name, word): what a host can, told with HELLO. A word that we do not know is not for us. */
#define CR_CANS(X)                                                                                 \
	X(LEND, "lend")	  /* keep a container frozen, whoever dies, while another host takes it */ \
	X(TRACK, "track") /* find the memory that a container writes while it runs */              \
	X(LAZY, "lazy")	  /* let a container run before its memory is in place */                  \
	X(ZSTD, "zstd")	  /* take packed what may be packed (squeeze.h) */                         \
	X(HASTE, "haste") /* be told SOON (haste.h) */

enum cr_can {
#define X(name, word) CR_CAN_##name,
	CR_CANS(X)
#undef X
};

struct cr_link {
	int in, out;	  /* borrowed; may be the same socket */
	const char *peer; /* "host-b", "the source": for messages */
	uint64_t sent, received;
	int silence_ms; /* of a pipe: cr_link_bound() */
	int notice_ms; /* a frame that is awaited for longer is worth a word to the operator; 0: it is not */
	bool refused;		 /* the peer sent ERROR: it ended the talk by its own will */
	unsigned can;		 /* what the peer said that it can: bit 1 << enum cr_can */
	struct squeeze *squeeze; /* what it may be sent packed by; borrowed; NULL: nothing is */
};

/* payload: an object, borrowed; NULL: {}. One write. -EPIPE, class MIGRATE, when the peer is gone. */
int cr_link_send(struct cr_link *l, enum cr_frame frame, const json_t *payload, struct err *e);

/* The same, and behind it bulk data, n <= CR_BULK_PARTS pieces: one write. Alone a frame would be a packet, and who carries it be woken for it. */
#define CR_BULK_PARTS 2
struct iovec;
int cr_link_send_bulk(struct cr_link *l, enum cr_frame frame, const json_t *payload,
		      const struct iovec *bulk, size_t n, struct err *e);

/* Tells the peer why we end. Never fails loudly: it may be gone. */
void cr_link_send_error(struct cr_link *l, const struct err *why);

/*
 * The next frame, of any known type but ERROR, which fills e with the peer's words ("host-b: ..."), class and number. The caller owns *payload (NULL allowed). ms:
 * until its first byte, < 0: for ever; then -ETIMEDOUT. The end of the stream: -EPIPE. Nonsense: -EPROTO. Returns the type.
 */
int cr_link_receive(struct cr_link *l, json_t **payload, int ms, struct err *e);

/* As cr_link_receive; another type than `want` is -EPROTO, naming both. */
int cr_link_expect(struct cr_link *l, enum cr_frame want, json_t **payload, int ms, struct err *e);

/* The first words of either side, with what each can (can: ours): the source speaks first. Refuses another version, and another machine's architecture (class UNSUPPORTED). */
int cr_link_greet(struct cr_link *l, bool first, unsigned can, int ms, struct err *e);

/*
 * After a failure to write: the peer may have said why it went before it went. If an ERROR comes within a moment, e is that, else e stays. Returns -e->no.
 */
int cr_link_blame(struct cr_link *l, struct err *e);

/* r and e of somebody who wrote to or read from the link by its descriptor: a broken link is told as ours are. Returns r. */
int cr_link_judge(const struct cr_link *l, int r, struct err *e);

/*
 * Bulk data, until the next call of this: a read that gets no byte for ms fails with -EAGAIN, or as cr_link_judge() has it, -ETIMEDOUT. Sockets, as sshd's and the
 * source's own end are, know that by themselves; who reads from a pipe by its descriptor asks cr_link_silence() for how long to wait, < 0: for ever.
 */
int cr_link_bound(struct cr_link *l, int ms, struct err *e);
int cr_link_silence(const struct cr_link *l);

/* Bulk data: exactly size bytes of file (from its start, or from at) to the peer, from the peer. A shorter file is -EIO. */
int cr_link_send_file(struct cr_link *l, int file, uint64_t size, struct err *e);
int cr_link_send_part(struct cr_link *l, int file, uint64_t at, uint64_t size, struct err *e);
int cr_link_receive_file(struct cr_link *l, int file, uint64_t size, struct err *e);

/* The same of memory. */
int cr_link_send_bytes(struct cr_link *l, const void *data, size_t len, struct err *e);
int cr_link_receive_bytes(struct cr_link *l, void *data, size_t len, struct err *e);

/*
 * A directory of images: IMAGES, then each regular file. One whose FILE says "chunks" comes in pieces of CR_CHUNK bytes and the rest, each behind a u32: how many bytes of it
 * cross the link, with CR_CHUNK_PACKED if they are packed (squeeze.h). Receiving makes them in dir, which is empty, and refuses what no sender sends; announced: the payload of IMAGES, NULL: that frame is still to come.
 */
int cr_images_send(struct cr_link *l, int dir, uint64_t *bytes, struct err *e);
int cr_images_receive(struct cr_link *l, int dir, const json_t *announced, struct err *e);
/* How much cr_images_send will send. */
int cr_images_measure(int dir, uint64_t *files, uint64_t *bytes, struct err *e);

/* A struct err as JSON, and back (untrusted). The caller owns the result; NULL without memory. */
json_t *cr_err_to_json(const struct err *why);
void cr_err_from_json(const json_t *j, const char *peer, struct err *e);
