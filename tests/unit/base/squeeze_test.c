// SPDX-License-Identifier: GPL-2.0-only
/* Packing, over a slow link too; what a hostile sender could call packed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/squeeze.h"

#define CHUNK (1U << 20)

static uint64_t seed = 88172645463325252ULL;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

/* Pages by turns of noise and of nothing much. */
static uint8_t *half_random(size_t len)
{
	uint8_t *data = calloc(1, len);

	assert_non_null(data);
	for (size_t i = 0; i + 8 <= len; i += 8)
		if (i & 4096)
			*(uint64_t *)(data + i) = random64();
		else
			*(uint64_t *)(data + i) = i / 64;
	return data;
}

static void test_words(void **state)
{
	enum squeeze_when when = SQUEEZE_NONE;
	struct err e = {0};

	(void)state;
	assert_int_equal(squeeze_when_from_str("auto", &when, &e), 0);
	assert_int_equal(when, SQUEEZE_AUTO);
	assert_int_equal(squeeze_when_from_str("zstd", &when, &e), 0);
	assert_int_equal(when, SQUEEZE_ZSTD);
	assert_int_equal(squeeze_when_from_str("lz4", &when, &e), -EINVAL);
	assert_int_equal(e.class, ERR_VALUE);
}

static void test_round_trip(void **state)
{
	static const size_t sizes[] = {512, 4096, 100001, CHUNK, SQUEEZE_MOST};
	auto_free uint8_t *data = half_random(SQUEEZE_MOST);
	auto_free uint8_t *back = malloc(SQUEEZE_MOST);
	struct err e = {0};
	auto_squeeze struct squeeze *s = squeeze_new(SQUEEZE_ZSTD, -1, 0, &e);
	uint64_t before = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const void *packed;
		size_t n = squeeze_pack(s, data, sizes[i], &packed);

		assert_in_range(n, 1, sizes[i] - sizes[i] / 8);
		squeeze_passed(s, sizes[i], n);
		memset(back, 0xee, SQUEEZE_MOST);
		assert_int_equal(squeeze_unpack(packed, n, back, sizes[i], &e), 0);
		assert_memory_equal(back, data, sizes[i]);
		before += sizes[i];
	}
	assert_int_equal(squeeze_stats(s).before, before);
	assert_in_range(squeeze_stats(s).after, 1, before * 2 / 3);
}

/* What does not become smaller, is hardly anything, or has no squeeze at all. */
static void test_as_it_is(void **state)
{
	auto_free uint64_t *noise = malloc(CHUNK);
	const void *packed;
	struct err e = {0};
	auto_squeeze struct squeeze *s = squeeze_new(SQUEEZE_ZSTD, -1, 0, &e);
	auto_squeeze struct squeeze *never = squeeze_new(SQUEEZE_NONE, -1, 0, &e);
	char zeroes[1024] = "";

	(void)state;
	for (size_t i = 0; i < CHUNK / 8; i++)
		noise[i] = random64();
	assert_int_equal(squeeze_pack(s, noise, CHUNK, &packed), 0);
	assert_int_equal(squeeze_pack(s, zeroes, 100, &packed), 0);
	assert_true(squeeze_pack(s, zeroes, sizeof(zeroes), &packed) > 0);
	assert_int_equal(squeeze_pack(never, zeroes, sizeof(zeroes), &packed), 0);
	assert_int_equal(squeeze_pack(NULL, zeroes, sizeof(zeroes), &packed), 0);
	assert_false(squeeze_wants(never));
	assert_false(squeeze_wants(NULL));
	squeeze_passed(NULL, 1, 1);
	assert_int_equal(squeeze_stats(NULL).before, 0);
}

/* --- hostile --- */

/* Whatever comes, nothing is written behind the room, and it is told as damage. */
static int unpack(const void *packed, size_t size, size_t len)
{
	auto_free uint8_t *out = malloc(len + 64);
	struct err e = {0};
	int r;

	memset(out + len, 0x5a, 64);
	r = squeeze_unpack(packed, size, out, len, &e);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(out[len + i], 0x5a);
	if (r < 0)
		assert_non_null(strstr(e.text, "damaged"));
	return r;
}

static void test_cut_and_flipped(void **state)
{
	auto_free uint8_t *data = half_random(3 * 4096);
	struct err e = {0};
	auto_squeeze struct squeeze *s = squeeze_new(SQUEEZE_ZSTD, -1, 0, &e);
	const size_t len = 3 * 4096;
	auto_free uint8_t *copy = NULL, *back = malloc(len);
	const void *packed;
	size_t n = squeeze_pack(s, data, len, &packed), idle = 0;

	(void)state;
	assert_in_range(n, 4096, len);
	assert_int_equal(unpack(packed, n, len), 0);
	for (size_t cut = 0; cut < n; cut++)
		assert_int_equal(unpack(packed, cut, len), -EBADMSG);
	assert_int_equal(unpack(packed, n, len - 1), -EBADMSG);
	assert_int_equal(unpack(packed, n, len + 1), -EBADMSG);
	copy = malloc(n + 1);
	memcpy(copy, packed, n);
	copy[n] = 0;
	assert_int_equal(unpack(copy, n + 1, len), -EBADMSG);
	/* Refused, or a bit that says nothing: a padding, a size of window that is not needed. */
	for (size_t bit = 0; bit < n * 8; bit++) {
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (squeeze_unpack(copy, n, back, len, &(struct err){0}) >= 0) {
			assert_memory_equal(back, data, len);
			idle++;
		}
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_in_range(idle, 0, 32);
}

static void test_bomb(void **state)
{
	const size_t real = 256UL << 20;
	auto_free void *zeroes = calloc(1, real);
	size_t room = ZSTD_compressBound(real);
	auto_free uint8_t *bomb = malloc(room), *twice = NULL;
	size_t n = ZSTD_compress(bomb, room, zeroes, real, 1);
	static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4};
	static const uint8_t old[] = {0x27, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0, 0, 0};
	/* A head that says 2^64 - 1 bytes and a window of 2^41, and then one empty last block. */
	static const uint8_t giant[] = {0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0xf8, 0xff, 0xff, 0xff,
					0xff, 0xff, 0xff, 0xff, 0xff, 1,    0,	  0};
	uint64_t began = log_now_ns();

	(void)state;
	assert_false(ZSTD_isError(n));
	assert_true(n < 64 << 10);
	assert_int_equal(unpack(bomb, n, CHUNK), -EBADMSG);
	assert_int_equal(unpack(bomb, n, 0), -EBADMSG);
	assert_int_equal(unpack(skippable, sizeof(skippable), 0), -EBADMSG);
	assert_int_equal(unpack(old, sizeof(old), CHUNK), -EBADMSG);
	assert_int_equal(unpack(giant, sizeof(giant), CHUNK), -EBADMSG);
	assert_int_equal(unpack("", 0, CHUNK), -EBADMSG);
	/* One behind the other. */
	n = ZSTD_compress(bomb, room, zeroes, 4096, 1);
	twice = malloc(2 * n);
	memcpy(twice, bomb, n);
	memcpy(twice + n, bomb, n);
	assert_int_equal(unpack(twice, n, 4096), 0);
	assert_int_equal(unpack(twice, 2 * n, 8192), -EBADMSG);
	assert_true(log_now_ns() - began < 10000000000ull);
}

/* --- links --- */

/* The other end of a link, in a process of its own: never faster than 64 KiB in 16 ms, 4 MB/s, and slower by whatever else this machine does meanwhile. */
static pid_t reader(int *link)
{
	int pair[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &(int){1 << 20}, sizeof(int));
	pid = fork();
	if (pid == 0) {
		static uint8_t buffer[64 << 10];

		close(pair[0]);
		while (read(pair[1], buffer, sizeof(buffer)) > 0)
			nanosleep(&(struct timespec){.tv_nsec = 16000000}, NULL);
		_exit(0);
	}
	close(pair[1]);
	*link = pair[0];
	return pid;
}

/*
 * What a real socket holds says that the link is slow: so slow that packing pays at any speed of the compressor. When it pays at others, and when it stops to, is
 * for unit/base/adapt, whose clock no other process can stop.
 */
static void test_slow_link(void **state)
{
	auto_free uint8_t *data = half_random(CHUNK);
	struct err e = {0};
	auto_fd int link = -EBADF;
	pid_t pid = reader(&link);
	auto_squeeze struct squeeze *s = squeeze_new(SQUEEZE_AUTO, link, 0, &e);
	size_t n = 0;
	int status;

	(void)state;
	/* Fewer than are judged: JUDGE_BYTES. */
	for (int i = 0; i < 8; i++) {
		const void *packed;

		n = squeeze_pack(s, data, CHUNK, &packed);
		assert_int_equal(file_write_all(link, n ? packed : data, n ? n : CHUNK, &e), 0);
		squeeze_passed(s, CHUNK, n ? n : CHUNK);
	}
	assert_in_range(n, 1, CHUNK * 7 / 8);
	own_close_fd(&link);
	kill(pid, SIGKILL); /* what is still queued is nobody's */
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* The limit is the link, from the first chunk on, until somebody waits: then the limit is none, and what was on stays on. */
static void test_limit(void **state)
{
	auto_free uint8_t *data = half_random(CHUNK);
	struct err e = {0};
	auto_squeeze struct squeeze *s = squeeze_new(SQUEEZE_AUTO, -1, 10000000, &e);
	auto_squeeze struct squeeze *cold = squeeze_new(SQUEEZE_AUTO, -1, 10000000, &e);
	const void *packed;

	(void)state;
	assert_true(squeeze_pack(s, data, CHUNK, &packed) > 0);
	squeeze_passed(s, CHUNK, CHUNK / 2);
	squeeze_hurry(s);
	assert_true(squeeze_pack(s, data, CHUNK, &packed) > 0);
	squeeze_hurry(cold);
	assert_int_equal(squeeze_pack(cold, data, CHUNK, &packed), 0);
	squeeze_hurry(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),	 cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_as_it_is), cmocka_unit_test(test_cut_and_flipped),
		cmocka_unit_test(test_bomb),	 cmocka_unit_test(test_slow_link),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
