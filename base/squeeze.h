/* SPDX-License-Identifier: GPL-2.0-only */
/* Compression of what goes over a link, by zstd, for as long as it makes the link faster. */
#pragma once

/*
 * Life: squeeze_new() for a link that is to be written; then for each chunk squeeze_pack(), the write of what that says, squeeze_passed(); squeeze_free(). The other side gives what
 * came packed to squeeze_unpack(), which trusts nothing. How a chunk is marked as packed is the business of the protocol that carries it: a chunk that does not
 * become smaller by an eighth is sent as it is.
 *
 * With SQUEEZE_AUTO base/adapt.h decides, from what the socket and the compressor are seen to do.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* X(NAME, word) */
#define SQUEEZE_WHEN(X)                               \
	X(AUTO, "auto") /* when it pays */            \
	X(ZSTD, "zstd") /* whatever can be smaller */ \
	X(NONE, "none")

enum squeeze_when {
#define X(name, word) SQUEEZE_##name,
	SQUEEZE_WHEN(X)
#undef X
};
/* -EINVAL, class VALUE, naming the words there are. */
int squeeze_when_from_str(const char *word, enum squeeze_when *when, struct err *e);

/* Of one chunk. */
#define SQUEEZE_MOST ((1u << 20) + (1u << 16))

struct squeeze;

/* Of what was tried while it was on: as it was, and as it went. */
struct squeeze_stats {
	uint64_t before, after;
};

/* fd: the link's, borrowed, a socket; limit: bytes a second that the caller holds it to, 0: none. NULL with e filled: no memory. */
struct squeeze *squeeze_new(enum squeeze_when when, int fd, uint64_t limit, struct err *e);
void squeeze_free(struct squeeze *s);
#define auto_squeeze __attribute__((cleanup(squeeze_free_at)))
static inline void squeeze_free_at(struct squeeze **s)
{
	squeeze_free(*s);
}

/* From now on somebody waits for every chunk: no trials, and the limit holds no more. NULL is nothing. */
void squeeze_hurry(struct squeeze *s);

/* Whether the next chunk will be tried. For who need not read it if not. s NULL: never. */
bool squeeze_wants(struct squeeze *s);

/* For who need not put a chunk together that goes as it is: so does this one, of which data are nearly all. s NULL: always. */
bool squeeze_leaves(struct squeeze *s, const void *data, size_t len);

/* Returns the size of *packed, which is valid until the next call; 0: the chunk (len <= SQUEEZE_MOST) is to go as it is. s NULL: 0. */
size_t squeeze_pack(struct squeeze *s, const void *data, size_t len, const void **packed);

/* `plain` bytes have been written as `wire` ones, packed or not. s NULL: nothing. */
void squeeze_passed(struct squeeze *s, size_t plain, size_t wire);

/* s NULL: zeroes. */
struct squeeze_stats squeeze_stats(const struct squeeze *s);

/*
 * One packed chunk, untrusted: exactly len bytes to out, or -EBADMSG: it is damaged, is none, or would become more or less. No memory is taken for what it claims to be.
 */
int squeeze_unpack(const void *packed, size_t size, void *out, size_t len, struct err *e);
