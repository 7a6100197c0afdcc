// SPDX-License-Identifier: GPL-2.0-only
/* The source's half of pages_wire.h. */
#include "checkpoint/pages_serve.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "checkpoint/pages.h"
#include "checkpoint/pages_wire.h"

#define PAGE ((uint64_t)CR_PAGE_BYTES)
/* Of one answer: 256 KiB stay in a processor's cache from the reading over the sum to the link, and at the other end from the link into the process. */
#define ANSWER_MOST 64u

static bool is_zero(const uint8_t *data, size_t len)
{
	return data[0] == 0 && !memcmp(data, data + 1, len - 1);
}

static int judge_request(const struct cr_pages_request *q, struct err *e)
{
	const uint64_t space = UINT64_C(1) << CR_PAGE_VA_BITS;

	if (q->magic == CR_PAGES_WIRE_MAGIC &&
	    (q->kind == CR_PAGES_DONE ||
	     ((q->kind == CR_PAGES_WANT || q->kind == CR_PAGES_FILL) && q->id && q->npages &&
	      q->npages <= CR_PAGES_RUN_MOST && q->vaddr % PAGE == 0 && q->vaddr < space &&
	      q->npages <= (space - q->vaddr) / PAGE)))
		return 0;
	err_set(e, EPROTO, "the target asks for pages that cannot be");
	return err_class(e, ERR_MIGRATE);
}

struct service {
	int out;
	uint8_t *data; /* ANSWER_MOST pages */
	struct cr_pages_served *served;
};

static int send_answer(struct service *s, const struct cr_pages_request *q, uint64_t vaddr,
		       uint32_t npages, uint32_t flags, const uint8_t *data, struct err *e)
{
	struct cr_pages_answer a = {.magic = CR_PAGES_WIRE_MAGIC,
				    .flags = flags,
				    .id = q->id,
				    .npages = npages,
				    .vaddr = vaddr,
				    .sum = flags ? 0 : cr_pages_sum(0, data, npages)};
	size_t len = flags ? 0 : npages * PAGE;

	struct iovec parts[] = {{&a, sizeof(a)}, {(void *)(uintptr_t)data, len}};

	if (file_write_parts(s->out, parts, len ? 2 : 1, e) < 0)
		return -e->no;
	s->served->bytes += sizeof(a) + len;
	return 0;
}

/* Zero pages at the front of a run cross the link as a number. */
static int send_run(struct service *s, const struct cr_pages_request *q, uint64_t vaddr,
		    uint32_t npages, struct err *e)
{
	uint32_t done = 0;

	while (done < npages) {
		const uint8_t *at = s->data + done * PAGE;
		bool zero = is_zero(at, PAGE);
		uint32_t n = 1;

		while (done + n < npages && is_zero(at + n * PAGE, PAGE) == zero)
			n++;
		if (send_answer(s, q, vaddr + done * PAGE, n, zero ? CR_PAGES_ZERO : 0, at, e) < 0)
			return -e->no;
		s->served->pages += n;
		s->served->zeroes += zero ? n : 0;
		done += n;
	}
	return 0;
}

static int answer(struct service *s, const struct cr_pages_request *q, cr_pages_read_fn read,
		  void *arg, struct err *e)
{
	uint32_t done = 0;

	while (done < q->npages) {
		uint64_t vaddr = q->vaddr + done * PAGE;
		uint32_t left = q->npages - done;
		int n = read(q->id, vaddr, left < ANSWER_MOST ? left : ANSWER_MOST, s->data, arg,
			     e);

		if (n < 0)
			return n;
		if (n == 0)
			return send_answer(s, q, vaddr, 1, CR_PAGES_GONE, NULL, e);
		if (send_run(s, q, vaddr, (uint32_t)n, e) < 0)
			return -e->no;
		done += (uint32_t)n;
	}
	return 0;
}

/* A socket whose other end was closed with something unread in it says it so. */
static int link_broke(struct err *e)
{
	if (e->no == ECONNRESET)
		e->no = EPIPE;
	return -e->no;
}

int cr_pages_serve(int in, int out, cr_pages_read_fn read,
		   int (*idle)(const struct cr_pages_served *so_far, void *arg, struct err *e),
		   void *arg, struct cr_pages_served *served, struct err *e)
{
	auto_free uint8_t *data = malloc(ANSWER_MOST * PAGE);
	struct service s = {.out = out, .data = data, .served = served};
	struct cr_pages_request q;
	int r;

	*served = (struct cr_pages_served){0};
	if (!data)
		return err_set(e, ENOMEM, "serve pages: out of memory");
	for (;;) {
		if (idle && idle(served, arg, e) < 0)
			return -e->no;
		if (file_read_exactly(in, &q, sizeof(q), e) < 0 || judge_request(&q, e) < 0)
			return link_broke(e);
		if (q.kind == CR_PAGES_DONE)
			return 0;
		served->requests++;
		r = answer(&s, &q, read, arg, e);
		if (r < 0)
			return link_broke(e);
	}
}

int cr_pages_read_process(int32_t pid, uint64_t vaddr, uint32_t npages, void *data, struct err *e)
{
	struct iovec local = {data, npages * PAGE};
	struct iovec remote = {(void *)(uintptr_t)vaddr, npages * PAGE};
	ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	if (n < 0 && errno == EFAULT)
		return 0;
	if (n < 0)
		return err_sys(e, "read the memory of process %d", pid);
	return (int)((uint64_t)n / PAGE);
}
