// SPDX-License-Identifier: GPL-2.0-only
/* Framing and number formats of the tree stream. */
#include "storage/frame.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/squeeze.h"

void st_frame_done(struct st_frame *f)
{
	free(f->packed);
	f->packed = NULL;
}

static int pace(struct st_frame *f, size_t len)
{
	int r = f->pace ? f->pace(f->pace_arg, len, f->e) : 0;

	f->wire += len;
	return r;
}

static int put_packed(struct st_frame *f, const void *packed, size_t size)
{
	const uint32_t head[2] = {htole32((uint32_t)size | ST_FRAME_PACKED),
				  htole32((uint32_t)f->len)};
	int r = pace(f, sizeof(head) + size);

	if (r >= 0)
		r = file_write_all(f->fd, head, sizeof(head), f->e);
	return r < 0 ? r : file_write_all(f->fd, packed, size, f->e);
}

static int put_plain(struct st_frame *f)
{
	const uint32_t len = htole32((uint32_t)f->len);
	int r = pace(f, 4 + f->len);

	memcpy(f->buf, &len, 4);
	return r < 0 ? r : file_write_all(f->fd, f->buf, 4 + f->len, f->e);
}

int st_put_flush(struct st_frame *f)
{
	const void *packed;
	size_t size;
	int r;

	if (f->failed || !f->len)
		return f->failed;
	size = squeeze_pack(f->squeeze, f->buf + 4, f->len, &packed);
	r = size ? put_packed(f, packed, size) : put_plain(f);
	squeeze_passed(f->squeeze, f->len, size ? size : f->len);
	f->failed = r < 0 ? r : 0;
	if (f->failed)
		err_wrap(f->e, "send a tree");
	f->len = 0;
	return f->failed;
}

uint8_t *st_put_room(struct st_frame *f, size_t len)
{
	if (f->len + len > ST_FRAME_MAX)
		st_put_flush(f);
	return f->failed ? NULL : f->buf + 4 + f->len;
}

void st_put_fill(struct st_frame *f, size_t len)
{
	f->len += len;
}

void st_put_bytes(struct st_frame *f, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len && !f->failed) {
		size_t n = len < ST_FRAME_MAX - f->len ? len : ST_FRAME_MAX - f->len;

		memcpy(f->buf + 4 + f->len, p, n);
		f->len += n;
		p += n;
		len -= n;
		if (len)
			st_put_flush(f);
	}
}

void st_put_u8(struct st_frame *f, uint8_t v)
{
	st_put_bytes(f, &v, sizeof(v));
}

void st_put_u16(struct st_frame *f, uint16_t v)
{
	v = htole16(v);
	st_put_bytes(f, &v, sizeof(v));
}

void st_put_u32(struct st_frame *f, uint32_t v)
{
	v = htole32(v);
	st_put_bytes(f, &v, sizeof(v));
}

void st_put_u64(struct st_frame *f, uint64_t v)
{
	v = htole64(v);
	st_put_bytes(f, &v, sizeof(v));
}

void st_put_str(struct st_frame *f, const void *data, size_t len)
{
	st_put_u32(f, (uint32_t)len);
	st_put_bytes(f, data, len);
}

void st_put_time(struct st_frame *f, const struct timespec *t)
{
	st_put_u64(f, (uint64_t)t->tv_sec);
	st_put_u32(f, (uint32_t)t->tv_nsec);
}

/* size packed bytes follow, and before them what they become, which is put into *len. */
static int get_packed(struct st_frame *f, uint32_t size, uint32_t *len)
{
	int r = file_read_exactly_within(f->fd, len, sizeof(*len), f->silence_ms, f->e);

	*len = le32toh(*len);
	if (r >= 0 && (*len > ST_FRAME_MAX || size >= *len))
		return err_set(f->e, EBADMSG, "not a tree stream");
	if (r >= 0 && !f->packed)
		f->packed = malloc(ST_FRAME_MAX);
	if (r >= 0 && !f->packed)
		return err_set(f->e, ENOMEM, "out of memory");
	if (r >= 0)
		r = file_read_exactly_within(f->fd, f->packed, size, f->silence_ms, f->e);
	return r < 0 ? r : squeeze_unpack(f->packed, size, f->buf, *len, f->e);
}

static void next_frame(struct st_frame *f)
{
	uint32_t len = 0, size;
	int r = file_read_exactly_within(f->fd, &len, sizeof(len), f->silence_ms, f->e);

	len = le32toh(len);
	size = len & ~ST_FRAME_PACKED;
	if (r >= 0 && (size == 0 || size > ST_FRAME_MAX))
		r = err_set(f->e, EBADMSG, "not a tree stream");
	else if (r >= 0 && len & ST_FRAME_PACKED)
		r = get_packed(f, size, &len);
	else if (r >= 0)
		r = file_read_exactly_within(f->fd, f->buf, len, f->silence_ms, f->e);
	if (r < 0) {
		err_wrap(f->e, "receive a tree");
		f->failed = r;
		return;
	}
	f->wire += 4 + size;
	f->at = 0;
	f->len = len;
}

void st_get_bytes(struct st_frame *f, void *data, size_t len)
{
	uint8_t *p = data;

	while (len && !f->failed) {
		size_t n = f->len - f->at;

		if (n > len)
			n = len;
		memcpy(p, f->buf + f->at, n);
		f->at += n;
		p += n;
		len -= n;
		if (len)
			next_frame(f);
	}
	memset(p, 0, len);
}

uint8_t st_get_u8(struct st_frame *f)
{
	uint8_t v;

	st_get_bytes(f, &v, sizeof(v));
	return v;
}

uint16_t st_get_u16(struct st_frame *f)
{
	uint16_t v;

	st_get_bytes(f, &v, sizeof(v));
	return le16toh(v);
}

uint32_t st_get_u32(struct st_frame *f)
{
	uint32_t v;

	st_get_bytes(f, &v, sizeof(v));
	return le32toh(v);
}

uint64_t st_get_u64(struct st_frame *f)
{
	uint64_t v;

	st_get_bytes(f, &v, sizeof(v));
	return le64toh(v);
}

void st_get_time(struct st_frame *f, struct timespec *t)
{
	t->tv_sec = (time_t)st_get_u64(f);
	t->tv_nsec = (long)(st_get_u32(f) % 1000000000U);
}

size_t st_get_str(struct st_frame *f, void *data, size_t size)
{
	uint32_t len = st_get_u32(f);

	if (len >= size) {
		if (!f->failed)
			f->failed = err_set(f->e, EBADMSG, "receive a tree: a field too long");
		len = 0;
	}
	st_get_bytes(f, data, len);
	((char *)data)[len] = 0;
	return len;
}

int st_get_end(struct st_frame *f)
{
	return f->failed || f->at == f->len;
}
