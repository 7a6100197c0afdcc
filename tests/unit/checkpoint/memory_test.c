// SPDX-License-Identifier: GPL-2.0-only
/* Pages over a link into a store; what a hostile source could send instead; the limit of bytes a second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "checkpoint/memory.h"
#include "checkpoint/pace.h"
#include "checkpoint/pages.h"

#define BASE UINT64_C(0x7f0000000000)

struct lab {
	struct cr_link source, target;
	struct cr_pages *store;
};

static int set_up(void **state)
{
	struct lab *l = calloc(1, sizeof(*l));
	const int size = 4 << 20;
	struct err e = {0};
	int fd[2];

	if (!l || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		return -1;
	for (int i = 0; i < 2; i++)
		setsockopt(fd[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	l->source = (struct cr_link){.in = fd[0], .out = fd[0], .peer = "the target"};
	l->target = (struct cr_link){.in = fd[1], .out = fd[1], .peer = "the source"};
	*state = l;
	return cr_pages_new(64 << 20, &l->store, &e);
}

static int tear_down(void **state)
{
	struct lab *l = *state;

	close(l->source.in);
	close(l->target.in);
	cr_pages_free(l->store);
	free(l);
	return 0;
}

/* All that was sent, up to and without the next frame that is not PAGES; its type. */
static int take_all(struct lab *l, struct err *e)
{
	for (;;) {
		auto_json json_t *payload = NULL;
		int r = cr_link_receive(&l->target, &payload, 1000, e);

		if (r != CR_FRAME_PAGES)
			return r;
		if (cr_memory_in(&l->target, payload, l->store, e) < 0)
			return -e->no;
	}
}

static void has(const struct lab *l, uint32_t id, uint64_t vaddr, unsigned char first)
{
	unsigned char page[CR_PAGE_BYTES];
	struct err e = {0};

	assert_int_equal(cr_pages_get(l->store, id, vaddr, page, &e), 1);
	assert_int_equal(page[0], first);
	assert_int_equal(page[CR_PAGE_BYTES - 1], first);
}

/* I am the source, a child: two processes, zeroes among the pages, more than one frame. */
static _Noreturn void send_pages(struct lab *l)
{
	unsigned char *data = calloc(300, CR_PAGE_BYTES);
	struct cr_memory_out out;
	struct err e = {0};

	for (int i = 0; i < 300; i++)
		memset(data + (size_t)i * CR_PAGE_BYTES, i % 7, CR_PAGE_BYTES);
	if (cr_memory_out_init(&out, &l->source, NULL, &e) < 0 ||
	    cr_memory_out_run(&out, 1, BASE, 300, data, &e) < 0 ||
	    cr_memory_out_run(&out, 2, BASE, 1, data + 3 * CR_PAGE_BYTES, &e) < 0 ||
	    cr_memory_out_run(&out, 1, BASE, 1, data + 5 * CR_PAGE_BYTES, &e) < 0 ||
	    cr_memory_out_round(&out, 1, &e) < 0)
		_exit(1);
	_exit(out.bytes == 302 * CR_PAGE_BYTES && out.zeroes == 43 * CR_PAGE_BYTES ? 0 : 2);
}

static void test_round_trip(void **state)
{
	struct lab *l = *state;
	struct err e = {0};
	pid_t source = fork();
	int status;

	if (source == 0)
		send_pages(l);
	assert_int_equal(take_all(l, &e), CR_FRAME_ROUND);
	assert_int_equal(cr_link_send(&l->target, CR_FRAME_ROUND, NULL, &e), 0);
	assert_int_equal(waitpid(source, &status, 0), source);
	assert_int_equal(status, 0);
	for (uint64_t i = 1; i < 300; i++)
		has(l, 1, BASE + i * CR_PAGE_BYTES, (unsigned char)(i % 7));
	has(l, 2, BASE, 3);
	has(l, 1, BASE, 5); /* the later one */
	/* 43 of 302 are numbers only. */
	assert_true(l->target.received < 265 * CR_PAGE_BYTES);
}

/* Runs that fill a frame go from where they lie, others by way of the buffer: in their order, and each once. */
static void test_whole_frames(void **state)
{
	enum { LONE = 3, MANY = 3 * CR_MEMORY_PAGES_MOST, ALL = LONE + MANY };
	struct lab *l = *state;
	unsigned char *data = malloc((size_t)ALL * CR_PAGE_BYTES);
	struct cr_memory_out out;
	struct err e = {0};

	for (unsigned i = 0; i < ALL; i++)
		memset(data + (size_t)i * CR_PAGE_BYTES, (int)(i % 250 + 1), CR_PAGE_BYTES);
	assert_int_equal(cr_memory_out_init(&out, &l->source, NULL, &e), 0);
	for (unsigned i = 0; i < MANY; i += CR_MEMORY_PAGES_MOST)
		assert_int_equal(cr_memory_out_run(&out, 1, BASE + (uint64_t)i * CR_PAGE_BYTES,
						   CR_MEMORY_PAGES_MOST,
						   data + (size_t)i * CR_PAGE_BYTES, &e),
				 0);
	/* Nothing waits in the buffer. */
	assert_int_equal(out.used, 0);
	assert_int_equal(cr_memory_out_run(&out, 1, BASE + (uint64_t)MANY * CR_PAGE_BYTES, LONE,
					   data + (size_t)MANY * CR_PAGE_BYTES, &e),
			 0);
	assert_int_equal(cr_memory_out_run(&out, 1, BASE, 1, data + (size_t)99 * CR_PAGE_BYTES, &e),
			 0);
	/* Newer than what has gone, and than what waits. */
	assert_int_equal(cr_memory_out_run(&out, 1, BASE, CR_MEMORY_PAGES_MOST,
					   data + (size_t)7 * CR_PAGE_BYTES, &e),
			 0);
	assert_int_equal(cr_memory_out_flush(&out, &e), 0);
	assert_int_equal(out.bytes, (uint64_t)(ALL + 1 + CR_MEMORY_PAGES_MOST) * CR_PAGE_BYTES);
	assert_int_equal(cr_link_send(&l->source, CR_FRAME_ROUND, NULL, &e), 0);
	assert_int_equal(take_all(l, &e), CR_FRAME_ROUND);
	assert_int_equal(l->source.sent, l->target.received);
	for (unsigned i = 0; i < ALL; i++)
		has(l, 1, BASE + (uint64_t)i * CR_PAGE_BYTES,
		    (unsigned char)((i < CR_MEMORY_PAGES_MOST ? i + 7 : i) % 250 + 1));
	cr_memory_out_done(&out);
	free(data);
}

/* The same over a link that packs: half of it is what a byte of each page says. */
static void test_packed(void **state)
{
	struct lab *l = *state;
	struct err e = {0};
	auto_squeeze struct squeeze *s = squeeze_new(SQUEEZE_ZSTD, l->source.out, 0, &e);
	pid_t source;
	int status;

	l->source.squeeze = s;
	source = fork();
	if (source == 0)
		send_pages(l);
	assert_int_equal(take_all(l, &e), CR_FRAME_ROUND);
	assert_int_equal(cr_link_send(&l->target, CR_FRAME_ROUND, NULL, &e), 0);
	assert_int_equal(waitpid(source, &status, 0), source);
	assert_int_equal(status, 0);
	for (uint64_t i = 1; i < 300; i++)
		has(l, 1, BASE + i * CR_PAGE_BYTES, (unsigned char)(i % 7));
	has(l, 1, BASE, 5);
	assert_true(l->target.received < 30 * CR_PAGE_BYTES);
}

/* A frame PAGES that says packed: what is inside is judged as if it had come as it is, and what is none is refused. */
static int hostile_packed(const void *plain, size_t len, int64_t size, int64_t packed, int flip,
			  struct err *e)
{
	auto_squeeze struct squeeze *s = squeeze_new(SQUEEZE_ZSTD, -1, 0, e);
	auto_json json_t *j = NULL;
	struct lab *l;
	void *fresh = NULL;
	const void *data;
	size_t n = squeeze_pack(s, plain, len, &data);
	auto_free uint8_t *copy = malloc(n);
	uint64_t kept;
	int r;

	assert_int_equal(set_up(&fresh), 0);
	l = fresh;
	memcpy(copy, data, n);
	if (flip)
		copy[n / 2] ^= 1;
	j = json_pack("{s:I, s:I}", "size", (json_int_t)(size ? size : (int64_t)len), "packed",
		      (json_int_t)(packed ? packed : (int64_t)n));
	assert_int_equal(cr_link_send(&l->source, CR_FRAME_PAGES, j, e), 0);
	assert_int_equal(cr_link_send_bytes(&l->source, copy, n, e), 0);
	assert_int_equal(cr_link_send(&l->source, CR_FRAME_ROUND, NULL, e), 0);
	r = take_all(l, e);
	kept = cr_pages_bytes(l->store);
	tear_down(&fresh);
	return r == CR_FRAME_ROUND ? (int)kept : r;
}

static void test_hostile_packed(void **state)
{
	const size_t len = sizeof(struct cr_memory_run) + CR_PAGE_BYTES;
	auto_free uint8_t *plain = calloc(1, 4 << 20);
	struct cr_memory_run run = {.id = 1, .npages = 1, .vaddr = BASE};
	struct err e = {0};

	(void)state;
	memset(plain + sizeof(run), 7, CR_PAGE_BYTES);
	run.sum = htole64(cr_pages_sum(0, plain + sizeof(run), 1));
	memcpy(plain, &run, sizeof(run));
	assert_int_equal(hostile_packed(plain, len, 0, 0, 0, &e), CR_PAGE_BYTES);
	assert_int_equal(hostile_packed(plain, len, 0, 0, 1, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "memory from the source: compressed data is damaged"));
	e = (struct err){0};
	assert_int_equal(hostile_packed(plain, len, (int64_t)len + 1, 0, 0, &e), -EBADMSG);
	e = (struct err){0};
	assert_int_equal(hostile_packed(plain, len, (int64_t)len - 1, 0, 0, &e), -EBADMSG);
	e = (struct err){0};
	assert_int_equal(hostile_packed(plain, len, 0, -1, 0, &e), -EPROTO);
	e = (struct err){0};
	assert_int_equal(hostile_packed(plain, len, 0, INT64_MAX, 0, &e), -EPROTO);
	e = (struct err){0};
	assert_int_equal(hostile_packed(plain, len, 0, (int64_t)len, 0, &e), -EPROTO);
	/* A bomb within what a chunk may be, called something small; and runs that say more than there is. */
	e = (struct err){0};
	assert_int_equal(hostile_packed(plain, 1 << 20, 4096, 0, 0, &e), -EBADMSG);
	run.npages = 2;
	memcpy(plain, &run, sizeof(run));
	e = (struct err){0};
	assert_int_equal(hostile_packed(plain, len, 0, 0, 0, &e), -EPROTO);
}

/* One frame PAGES of `size`, and what follows. */
static int hostile(struct lab *l, int64_t size, const struct cr_memory_run *run, size_t data,
		   struct err *e)
{
	auto_json json_t *j = json_pack("{s:I}", "size", (json_int_t)size);
	auto_free unsigned char *pages = calloc(1, data + 1);

	memset(pages, 0xaa, data);
	*e = (struct err){0};
	assert_int_equal(cr_link_send(&l->source, CR_FRAME_PAGES, j, e), 0);
	assert_int_equal(cr_link_send_bytes(&l->source, run, sizeof(*run), e), 0);
	assert_int_equal(cr_link_send_bytes(&l->source, pages, data, e), 0);
	return take_all(l, e);
}

static void test_hostile(void **state)
{
	const size_t head = sizeof(struct cr_memory_run);
	static const struct {
		int64_t size;
		struct cr_memory_run run;
		size_t data;
		int no;
	} bad[] = {
		{0, {1, 1, BASE, 1, 0, 0}, 0, EPROTO},
		{-1, {1, 1, BASE, 1, 0, 0}, 0, EPROTO},
		{CR_MEMORY_BYTES_MOST + 1, {1, 1, BASE, 1, 0, 0}, 0, EPROTO},
		{INT64_MAX, {1, 1, BASE, 1, 0, 0}, 0, EPROTO},
		{head - 1, {1, 1, BASE, 1, 0, 0}, 0, EPROTO},
		{head, {1, 1, BASE, 0, 0, 0}, 0, EPROTO},		 /* no pages behind it */
		{head, {1, 0, BASE, 1, 0, 0}, 0, EPROTO},		 /* of nothing */
		{head, {1, UINT32_MAX, BASE, 1, 0, 0}, 0, EPROTO},	 /* of too much */
		{head, {0, 1, BASE, 1, 0, 0}, 0, EPROTO},		 /* of nobody */
		{head, {1, 1, BASE + 1, 1, 0, 0}, 0, EPROTO},		 /* no page */
		{head, {1, 1, UINT64_MAX - 4095, 1, 0, 0}, 0, EPROTO},	 /* nowhere */
		{head + 4096, {1, 1, BASE, 0, 0, 12345}, 4096, EBADMSG}, /* damaged */
		{head + 4096, {1, 2, BASE, 0, 0, 12345}, 4096, EPROTO},	 /* cut */
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		void *fresh = NULL;
		struct err e;

		assert_int_equal(set_up(&fresh), 0);
		if (hostile(fresh, bad[i].size, &bad[i].run, bad[i].data, &e) != -bad[i].no)
			fail_msg("case %zu: %d, %s", i, e.no, e.text);
		assert_int_equal(cr_pages_bytes(((struct lab *)fresh)->store), 0);
		tear_down(&fresh);
	}
	(void)state;
}

static void test_pace(void **state)
{
	struct cr_pace p = {.bytes_per_s = 10 << 20};
	uint64_t began = log_now_ns(), ns;
	struct err e = {0};

	(void)state;
	for (int i = 0; i < 32; i++)
		assert_int_equal(cr_pace_take(&p, 128 << 10, &e), 0);
	ns = log_now_ns() - began;
	/* 4 MB at 10 MB/s, the first tenth of a second's worth at once. */
	assert_in_range(ns, 290000000, 30000000000);
	p.off = true;
	began = log_now_ns();
	assert_int_equal(cr_pace_take(&p, 1 << 30, &e), 0);
	assert_true(log_now_ns() - began < 1000000000);
	assert_int_equal(cr_pace_take(NULL, 1 << 30, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_whole_frames, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_packed, set_up, tear_down),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_hostile_packed),
		cmocka_unit_test(test_pace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
