// SPDX-License-Identifier: GPL-2.0-only
/* Runs of pages in and out of PAGES frames. */
#include "checkpoint/memory.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/own.h"
#include "checkpoint/pace.h"
#include "checkpoint/pages.h"

#define HEAD sizeof(struct cr_memory_run)

int cr_memory_out_init(struct cr_memory_out *o, struct cr_link *link, struct cr_pace *pace,
		       struct err *e)
{
	*o = (struct cr_memory_out){
		.link = link, .pace = pace, .buffer = malloc(CR_MEMORY_BYTES_MOST)};
	return o->buffer ? 0 : err_set(e, ENOMEM, "send the memory: out of memory");
}

void cr_memory_out_done(struct cr_memory_out *o)
{
	free(o->buffer);
	*o = (struct cr_memory_out){0};
}

/* size bytes, or packed ones in their place; 0: they are not. */
static int send_pages(struct cr_memory_out *o, size_t size, size_t packed, const struct iovec *bulk,
		      size_t n, struct err *e)
{
	size_t len = packed ? packed : size;
	auto_json json_t *j = json_pack("{s:I}", "size", (json_int_t)size);
	int r;

	if (!j || (packed && json_object_set_new(j, "packed", json_integer((json_int_t)len)) < 0))
		return err_set(e, ENOMEM, "send the memory: out of memory");
	r = cr_pace_take(o->pace, len, e);
	if (r >= 0)
		r = cr_link_send_bulk(o->link, CR_FRAME_PAGES, j, bulk, n, e);
	squeeze_passed(o->link->squeeze, size, len);
	return r;
}

int cr_memory_out_flush(struct cr_memory_out *o, struct err *e)
{
	const void *data = o->buffer;
	struct iovec bulk;
	size_t packed;
	int r;

	if (!o->used)
		return 0;
	packed = squeeze_pack(o->link->squeeze, o->buffer, o->used, &data);
	bulk = packed ? (struct iovec){(void *)(uintptr_t)data, packed}
		      : (struct iovec){o->buffer, o->used};
	r = send_pages(o, o->used, packed, &bulk, 1, e);
	o->used = 0;
	o->pages = 0;
	return r;
}

static struct cr_memory_run describe(uint32_t id, uint64_t vaddr, uint32_t npages,
				     const unsigned char *data, bool zero)
{
	return (struct cr_memory_run){.id = htole32(id),
				      .npages = htole32(npages),
				      .vaddr = htole64(vaddr),
				      .zero = htole32(zero),
				      .sum = htole64(zero ? 0 : cr_pages_sum(0, data, npages))};
}

/* A whole frame of one run, as most are: from where it lies. */
static int send_run(struct cr_memory_out *o, uint32_t id, uint64_t vaddr, uint32_t npages,
		    const unsigned char *data, struct err *e)
{
	struct cr_memory_run run = describe(id, vaddr, npages, data, false);
	size_t len = (size_t)npages * CR_PAGE_BYTES;
	const struct iovec bulk[] = {{&run, HEAD}, {(void *)(uintptr_t)data, len}};

	return send_pages(o, HEAD + len, 0, bulk, ARRAY_SIZE(bulk), e);
}

int cr_memory_out_round(struct cr_memory_out *o, unsigned number, struct err *e)
{
	auto_json json_t *j = json_pack("{s:i}", "round", (int)number);
	int r = cr_memory_out_flush(o, e);

	if (!j)
		return err_set(e, ENOMEM, "send the memory: out of memory");
	if (r >= 0)
		r = cr_link_send(o->link, CR_FRAME_ROUND, j, e);
	return r < 0 ? r : cr_link_expect(o->link, CR_FRAME_ROUND, NULL, CR_ANSWER_MS, e);
}

static bool is_zero(const unsigned char *page)
{
	return page[0] == 0 && !memcmp(page, page + 1, CR_PAGE_BYTES - 1);
}

static int put(struct cr_memory_out *o, uint32_t id, uint64_t vaddr, uint32_t npages,
	       const unsigned char *data, bool zero, struct err *e)
{
	if (!zero && !o->used && npages == CR_MEMORY_PAGES_MOST &&
	    squeeze_leaves(o->link->squeeze, data, (size_t)npages * CR_PAGE_BYTES))
		return send_run(o, id, vaddr, npages, data, e);
	while (npages) {
		uint32_t room = CR_MEMORY_PAGES_MOST - o->pages, n = npages < room ? npages : room;
		size_t len = zero ? 0 : (size_t)n * CR_PAGE_BYTES;
		struct cr_memory_run run = describe(id, vaddr, n, data, zero);
		int r;

		memcpy(o->buffer + o->used, &run, HEAD);
		if (len)
			memcpy(o->buffer + o->used + HEAD, data, len);
		o->used += HEAD + len;
		o->pages += n;
		npages -= n;
		vaddr += (uint64_t)n * CR_PAGE_BYTES;
		data += len;
		if (o->pages < CR_MEMORY_PAGES_MOST)
			continue;
		r = cr_memory_out_flush(o, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int cr_memory_out_run(void *arg, uint32_t id, uint64_t vaddr, uint32_t npages, const void *data,
		      struct err *e)
{
	struct cr_memory_out *o = arg;
	const unsigned char *at = data;
	int r = 0;

	o->bytes += (uint64_t)npages * CR_PAGE_BYTES;
	while (r >= 0 && npages) {
		bool zero = is_zero(at);
		uint32_t n = 1;
		size_t len;

		while (n < npages && is_zero(at + (size_t)n * CR_PAGE_BYTES) == zero)
			n++;
		len = (size_t)n * CR_PAGE_BYTES;
		r = put(o, id, vaddr, n, at, zero, e);
		if (zero)
			o->zeroes += len;
		at += len;
		vaddr += len;
		npages -= n;
	}
	return r;
}

static int nonsense(const struct cr_link *l, struct err *e)
{
	return err_set(e, EPROTO, "%s sent memory that cannot be", l->peer);
}

/* One run at *at: to the store. */
static int take_run(const struct cr_link *l, const unsigned char **at, size_t *left,
		    struct cr_pages *store, struct err *e)
{
	struct cr_memory_run run;
	uint32_t npages;
	size_t len;

	if (*left < HEAD)
		return nonsense(l, e);
	memcpy(&run, *at, HEAD);
	*at += HEAD;
	*left -= HEAD;
	npages = le32toh(run.npages);
	if (!npages || npages > CR_MEMORY_PAGES_MOST)
		return nonsense(l, e);
	if (run.zero)
		return cr_pages_put_zero(store, le32toh(run.id), le64toh(run.vaddr), npages, e);
	len = (size_t)npages * CR_PAGE_BYTES;
	if (*left < len)
		return nonsense(l, e);
	if (cr_pages_sum(0, *at, npages) != le64toh(run.sum))
		return err_set(e, EBADMSG, "the memory of process %u came damaged from %s",
			       le32toh(run.id), l->peer);
	if (cr_pages_put(store, le32toh(run.id), le64toh(run.vaddr), npages, *at, e) < 0)
		return -e->no;
	*at += len;
	*left -= len;
	return 0;
}

/* size bytes to buffer, which cross the link as `packed` ones. */
static int take_packed(struct cr_link *l, unsigned char *buffer, size_t size, size_t packed,
		       struct err *e)
{
	auto_free unsigned char *in = malloc(packed);
	int r = in ? cr_link_receive_bytes(l, in, packed, e)
		   : err_set(e, ENOMEM, "receive memory: out of memory");

	if (r >= 0)
		r = squeeze_unpack(in, packed, buffer, size, e);
	return r == -EBADMSG ? err_wrap(e, "memory from %s", l->peer) : r;
}

int cr_memory_in(struct cr_link *l, const json_t *pages, struct cr_pages *store, struct err *e)
{
	auto_free unsigned char *buffer = NULL;
	const unsigned char *at;
	int64_t size = -1, packed = 0;
	size_t left;
	int r = json_get_int(pages, "size", &size, e);

	if (r >= 0)
		r = json_get_int(pages, "packed", &packed, e);
	if (r < 0)
		return r;
	if (size <= 0 || size > CR_MEMORY_BYTES_MOST || packed < 0 || packed >= size)
		return nonsense(l, e);
	left = (size_t)size;
	at = buffer = malloc(left);
	if (!buffer)
		return err_set(e, ENOMEM, "receive memory: out of memory");
	r = packed ? take_packed(l, buffer, left, (size_t)packed, e)
		   : cr_link_receive_bytes(l, buffer, left, e);
	while (r >= 0 && left)
		r = take_run(l, &at, &left, store, e);
	return r;
}
