/* SPDX-License-Identifier: GPL-2.0-only */
/* The bytes of a tree stream: frames of a 32-bit length and that many bytes, holding records. */
#pragma once

/*
 * The highest bit of a frame's length says that it is packed (base/squeeze.h): a length of its own for what it becomes follows, then the packed bytes. Only to a receiver that said that it can.
 * Frames let the receiver read ahead without ever reading past the end of the stream: what follows on the same descriptor is
 * somebody else's. Numbers are little-endian. The record types and their fields, in order:
 *
 *   START  u64 magic
 *   ENTRY  str path, u32 mode, u32 uid, u32 gid, u64 rdev, u64 size, time atime, time mtime, str link, u8 hard, u16 n, n times (str name, str value)
 *          link: target of a symbolic link, or (hard = 1) the path that this is another name of
 *   PATCH  as ENTRY, for a regular file that is there and keeps what is not sent
 *   DATA   u64 offset, str bytes         of the regular file just begun
 *   HOLE   u64 offset, u64 length        likewise
 *   FILE   u64 size                      ends it
 *   LEAVE  str path, time atime, time mtime   of a directory, after its content
 *   REMOVE str path
 *   END    u64 entries, u64 removed, u64 bytes
 *
 * str: u32 length and bytes. time: i64 seconds, u32 nanoseconds.
 */

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct err;
struct squeeze;

#define ST_FRAME_MAX	(512U * 1024)
#define ST_FRAME_PACKED (1U << 31)
#define ST_DATA_MAX	(256U * 1024)
#define ST_MAGIC	0x32736670656b73ULL /* "skepfs2" */

enum st_record {
	ST_RECORD_START = 1,
	ST_RECORD_ENTRY,
	ST_RECORD_DATA,
	ST_RECORD_FILE,
	ST_RECORD_LEAVE,
	ST_RECORD_REMOVE,
	ST_RECORD_END,
	ST_RECORD_PATCH,
	ST_RECORD_HOLE,
};

struct st_frame {
	int fd;
	size_t at, len; /* reading: position and length; writing: len only */
	int failed;	/* -errno of the first failure: later puts do nothing */
	struct err *e;
	int (*pace)(void *arg, size_t bytes,
		    struct err *e); /* writing: asked before each frame; or NULL */
	void *pace_arg;
	struct squeeze *squeeze; /* writing: borrowed; NULL: nothing is packed */
	uint64_t wire;		 /* bytes that went or came over fd */
	int silence_ms;		 /* reading: see st_stream_receive_within() */
	uint8_t *packed;	 /* reading: room for one packed frame, once there was one */
	uint8_t buf[4 + ST_FRAME_MAX];
};

/* What it holds beside fd and squeeze. */
void st_frame_done(struct st_frame *f);

/* Writing. A failure stays in f->failed, with *f->e filled, so that records can be put without a check a field. */
void st_put_bytes(struct st_frame *f, const void *data, size_t len);
void st_put_u8(struct st_frame *f, uint8_t v);
void st_put_u16(struct st_frame *f, uint16_t v);
void st_put_u32(struct st_frame *f, uint32_t v);
void st_put_u64(struct st_frame *f, uint64_t v);
void st_put_str(struct st_frame *f, const void *data, size_t len);
void st_put_time(struct st_frame *f, const struct timespec *t);
/* Room for len bytes in a row; NULL after a failure. st_put_fill says how many of them were used. */
uint8_t *st_put_room(struct st_frame *f, size_t len);
void st_put_fill(struct st_frame *f, size_t len);
int st_put_flush(struct st_frame *f);

/* Reading: the same, the other way; after a failure zeros come. */
void st_get_bytes(struct st_frame *f, void *data, size_t len);
uint8_t st_get_u8(struct st_frame *f);
uint16_t st_get_u16(struct st_frame *f);
uint32_t st_get_u32(struct st_frame *f);
uint64_t st_get_u64(struct st_frame *f);
void st_get_time(struct st_frame *f, struct timespec *t);
/* At most size - 1 bytes and a NUL; longer is -EBADMSG. Returns the length. */
size_t st_get_str(struct st_frame *f, void *data, size_t size);
/* Whether the frame that was read last is used up: so after END. */
int st_get_end(struct st_frame *f);
