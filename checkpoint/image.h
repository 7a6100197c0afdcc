/* SPDX-License-Identifier: GPL-2.0-only */
/* Just enough of criu's image format to read some of its numbers. Images may come from another host: nothing in them is trusted. */
#pragma once

/*
 * An image is two magic numbers (CR_IMAGE_MAGIC_BYTES), then entries: a length (u32, host order) and a protobuf message. A struct cr_span walks over a text that somebody
 * else owns; each call below moves it on. At the end, and at nonsense, they return false: then at is end, or not.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define CR_IMAGE_MAGIC_BYTES 8
#define CR_IMAGE_MOST	     (64u << 20) /* of one image */
#define CR_VARINT_MOST	     10		 /* bytes of a number of 64 bits */

/* A part of an image. */
struct cr_span {
	const uint8_t *at, *end;
};

/*
 * Reads a whole image of at most CR_IMAGE_MOST bytes; *text is the caller's, *entries is what follows the magic numbers. A missing one is -ENOENT with e untouched; one without
 * magic numbers is -EPROTO.
 */
int cr_image_read(int images, const char *name, char **text, struct cr_span *entries,
		  struct err *e);

/* The next entry of an image. */
bool cr_image_next(struct cr_span *s, struct cr_span *entry);

/* The next field of a message: its number; a varint's value (content is where it stands), or a message's content. Numbers of fixed length have neither. */
bool cr_image_field(struct cr_span *s, unsigned *number, uint64_t *value, struct cr_span *content);

/* Writes a number, at most CR_VARINT_MOST bytes; returns what comes behind it. */
uint8_t *cr_image_put_varint(uint8_t *to, uint64_t value);

/* -EPROTO: "image NAME is damaged". */
int cr_image_damaged(const char *name, struct err *e);

/*
 * For a restore: the tasks, already without rights on this host, read parts of the images by themselves. Nobody else gets at them: ROOT/ct/NAME is closed to all but root. The modes
 * are set there as they may have come from another host.
 */
int cr_image_open_all(int images, struct err *e);
