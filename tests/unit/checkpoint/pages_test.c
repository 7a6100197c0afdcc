// SPDX-License-Identifier: GPL-2.0-only
/* The store of pages, and the ranges of those that are missing. */
#include "tests/unit/checkpoint/pages_lab.h"

#include "checkpoint/pages_ranges.h"

#define V    0x7f0000000000ul
#define MOST (1ul << 48)

static uint8_t data[CR_PAGES_RUN_MOST * 4096], page[4096];

static void fill(uint32_t id, uint64_t vaddr, uint64_t npages)
{
	for (uint64_t i = 0; i < npages; i++)
		lab_fill(id, vaddr + i * PAGE, data + i * PAGE);
}

static void expect(struct cr_pages *p, uint32_t id, uint64_t vaddr, uint32_t as_id)
{
	struct err e = {0};

	assert_int_equal(cr_pages_get(p, id, vaddr, page, &e), 1);
	assert_true(lab_same(as_id, page, vaddr, 1));
}

static void expect_none(struct cr_pages *p, uint32_t id, uint64_t vaddr)
{
	struct err e = {0};

	assert_int_equal(cr_pages_get(p, id, vaddr, page, &e), 0);
}

static void test_put(void **state)
{
	auto_pages struct cr_pages *p = NULL;
	struct err e = {0};

	(void)state;
	must(cr_pages_new(1000 * PAGE, &p, &e));
	fill(9, V, 100);
	must(cr_pages_put(p, 9, V, 100, data, &e));
	fill(3, V, 100); /* another one, the same addresses */
	must(cr_pages_put(p, 3, V, 100, data, &e));
	fill(3, MOST - PAGE, 1);
	must(cr_pages_put(p, 3, MOST - PAGE, 1, data, &e));
	assert_int_equal(cr_pages_bytes(p), 201 * PAGE);
	expect(p, 9, V + 50 * PAGE, 9);
	expect(p, 3, V + 50 * PAGE, 3);
	expect(p, 3, MOST - PAGE, 3);
	expect_none(p, 9, V + 100 * PAGE);
	expect_none(p, 9, MOST - PAGE);
	expect_none(p, 4, V);
	/* A later version in place of the former, and some that are new. */
	fill(77, V + 90 * PAGE, 20);
	must(cr_pages_put(p, 9, V + 90 * PAGE, 20, data, &e));
	assert_int_equal(cr_pages_bytes(p), 211 * PAGE);
	expect(p, 9, V + 89 * PAGE, 9);
	expect(p, 9, V + 90 * PAGE, 77);
	expect(p, 9, V + 109 * PAGE, 77);
	must(cr_pages_put_zero(p, 9, V + 95 * PAGE, 30, &e));
	assert_int_equal(cr_pages_bytes(p), 226 * PAGE);
	assert_int_equal(cr_pages_get(p, 9, V + 124 * PAGE, page, &e), 1);
	assert_true(lab_zero(page, 1));
	must(cr_pages_drop(p, 9, V + 10 * PAGE, 30, &e));
	must(cr_pages_drop(p, 9, V + 10 * PAGE, 30, &e)); /* not there: nothing */
	must(cr_pages_drop(p, 8, V, 30, &e));
	assert_int_equal(cr_pages_bytes(p), 196 * PAGE);
	expect_none(p, 9, V + 39 * PAGE);
	expect(p, 9, V + 40 * PAGE, 9);
	must(cr_pages_drop_all(p, 3, &e));
	assert_int_equal(cr_pages_bytes(p), 95 * PAGE);
	expect_none(p, 3, MOST - PAGE);
	expect(p, 9, V, 9);
}

static void test_limit(void **state)
{
	auto_pages struct cr_pages *p = NULL;
	struct err e = {0};

	(void)state;
	must(cr_pages_new(100 * PAGE, &p, &e));
	fill(1, V, 100);
	must(cr_pages_put(p, 1, V, 60, data, &e));
	assert_int_equal(cr_pages_put(p, 2, V, 41, data, &e), -ENOSPC);
	assert_int_equal(e.class, ERR_NO_SPACE);
	expect_none(p, 2, V);
	e = (struct err){0};
	assert_int_equal(cr_pages_put(p, 1, V + 30 * PAGE, 71, data, &e), -ENOSPC);
	e = (struct err){0};
	assert_int_equal(cr_pages_put_zero(p, 3, V, 41, &e), -ENOSPC);
	e = (struct err){0};
	/* What overwrites counts nothing. */
	must(cr_pages_put(p, 1, V, 100, data, &e));
	must(cr_pages_put(p, 1, V, 100, data, &e));
	assert_int_equal(cr_pages_put(p, 1, V + 100 * PAGE, 1, data, &e), -ENOSPC);
	e = (struct err){0};
	must(cr_pages_drop(p, 1, V, 1, &e));
	must(cr_pages_put(p, 1, V + 100 * PAGE, 1, data, &e));
	assert_int_equal(cr_pages_bytes(p), 100 * PAGE);
}

/* A page in each 128 MiB: with what the store needs to remember it, each is two. */
static void test_far_apart(void **state)
{
	enum { LIMIT = 2000 };
	struct cr_pages *p;
	struct err e = {0};
	uint64_t n = 0;

	(void)state;
	must(cr_pages_new(LIMIT * PAGE, &p, &e));
	while (n < LIMIT && cr_pages_put(p, 1, n << 27, 1, data, &e) == 0)
		n++;
	assert_int_equal(e.no, ENOSPC);
	assert_int_equal(e.class, ERR_NO_SPACE);
	assert_in_range(n, LIMIT / 2, LIMIT * 3 / 4);
	/* What is there can still be overwritten. */
	e = (struct err){0};
	assert_int_equal(cr_pages_put(p, 1, 0, 1, data, &e), 0);
	cr_pages_free(p);
}

static void test_hostile(void **state)
{
	static const struct {
		uint32_t id;
		uint64_t vaddr, npages;
	} bad[] = {{0, V, 1},	       {1, V + 1, 1},	      {1, V, 0},
		   {1, V, 1025},       {1, MOST, 1},	      {1, MOST - PAGE, 2},
		   {1, ~0ul << 12, 1}, {1, ~0ul << 12, 1024}, {1, V, UINT64_MAX}};
	auto_pages struct cr_pages *p = NULL;
	struct err e = {0};

	(void)state;
	must(cr_pages_new(1ul << 40, &p, &e));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		e = (struct err){0};
		assert_int_equal(cr_pages_put(p, bad[i].id, bad[i].vaddr, bad[i].npages, data, &e),
				 -EPROTO);
		assert_int_equal(e.class, ERR_MIGRATE);
	}
	assert_int_equal(cr_pages_bytes(p), 0);
	/* Many processes: memory for a few of them, and an end. */
	e = (struct err){0};
	for (uint32_t i = CR_PAGES_PROCESSES_MOST; i > 0; i--)
		must(cr_pages_put_zero(p, i, 0, 1, &e));
	assert_int_equal(cr_pages_put_zero(p, CR_PAGES_PROCESSES_MOST + 1, 0, 1, &e), -E2BIG);
	assert_int_equal(cr_pages_bytes(p), CR_PAGES_PROCESSES_MOST * PAGE);
}

static void test_stream(void **state)
{
	auto_pages struct cr_pages *p = NULL;
	struct err e = {0};
	uint64_t sum = 0;
	int in[2];
	pid_t pid;

	(void)state;
	must(cr_pages_new(1ul << 30, &p, &e));
	fill(5, V, 200);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		struct err w = {0};

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(in[0]);
		_exit(file_write_all(in[1], data, 200 * PAGE + 5, &w) < 0);
	}
	close(in[1]);
	must(cr_pages_put_from(p, 5, V, 200, in[0], &sum, &e));
	assert_int_equal(sum, cr_pages_sum(0, data, 200));
	expect(p, 5, V + 199 * PAGE, 5);
	/* Half of a run: what came counts, and the stream is broken. */
	assert_int_equal(cr_pages_put_from(p, 5, V + 500 * PAGE, 3, in[0], NULL, &e), -EPIPE);
	assert_int_equal(cr_pages_bytes(p), 200 * PAGE);
	close(in[0]);
	waitpid(pid, NULL, 0);
}

static void test_sum(void **state)
{
	uint64_t all;

	(void)state;
	fill(1, V, 8);
	all = cr_pages_sum(0, data, 8);
	assert_int_equal(cr_pages_sum(cr_pages_sum(0, data, 3), data + 3 * PAGE, 5), all);
	/* One bit; two words that change their places; two pages that do; zeroes. */
	data[5000] ^= 16;
	assert_int_not_equal(cr_pages_sum(0, data, 8), all);
	data[5000] ^= 16;
	memcpy(page, data + 64, 32);
	memcpy(data + 64, data + 96, 32);
	memcpy(data + 96, page, 32);
	assert_int_not_equal(cr_pages_sum(0, data, 8), all);
	fill(1, V, 8);
	memcpy(page, data, PAGE);
	memcpy(data, data + PAGE, PAGE);
	memcpy(data + PAGE, page, PAGE);
	assert_int_not_equal(cr_pages_sum(0, data, 8), all);
	memset(data, 0, 2 * PAGE);
	assert_int_not_equal(cr_pages_sum(0, data, 1), cr_pages_sum(0, data, 2));
}

/* --- ranges --- */

#define SPACE 64

/* What the ranges say, page by page: the image's page + 1, or 0. Compared with a plain array that does the same. */
static void compare(const struct cr_ranges *r, const uint16_t *model)
{
	uint64_t pages = 0, last = 0;

	for (size_t i = 0; i < r->count; i++) {
		const struct cr_range *x = &r->all[r->first + i];

		assert_true(x->start < x->end && x->start >= last);
		last = x->end;
	}
	for (uint64_t i = 0; i < SPACE; i++) {
		const struct cr_range *x = cr_ranges_find(r, i * PAGE);

		pages += model[i] != 0;
		assert_int_equal(x ? (x->img + (i * PAGE - x->start)) / PAGE + 1 : 0, model[i]);
	}
	assert_int_equal(r->pages, pages);
}

static void random_step(struct cr_ranges *r, uint16_t *model, unsigned *seed)
{
	uint64_t a = (unsigned)rand_r(seed) % SPACE, n = 1 + (unsigned)rand_r(seed) % 12, b;
	uint16_t moved[SPACE];
	struct err e = {0};

	n = a + n > SPACE ? SPACE - a : n;
	switch (rand_r(seed) % 4) {
	case 0:
		must(cr_ranges_cut(r, a * PAGE, (a + n) * PAGE, &e));
		memset(model + a, 0, n * sizeof(*model));
		break;
	case 1:
		b = (unsigned)rand_r(seed) % (SPACE - n + 1);
		if (b < a + n && a < b + n) /* mremap(2) knows no such */
			break;
		must(cr_ranges_move(r, a * PAGE, b * PAGE, n * PAGE, &e));
		memcpy(moved, model + a, n * sizeof(*model));
		memset(model + a, 0, n * sizeof(*model));
		memcpy(model + b, moved, n * sizeof(*model));
		break;
	default:
		for (uint64_t i = a; i < a + n; i++)
			if (model[i])
				return;
		must(cr_ranges_add(r, (struct cr_range){a * PAGE, (a + n) * PAGE, 2 * a * PAGE},
				   &e));
		for (uint64_t i = 0; i < n; i++)
			model[a + i] = (uint16_t)(2 * a + i + 1);
	}
}

static void test_ranges(void **state)
{
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct cr_ranges r = {0}, copy, arrived = {0};
		uint16_t model[SPACE] = {0}, there[SPACE] = {0};
		struct err e = {0};

		for (int i = 0; i < 60; i++) {
			random_step(&r, model, &seed);
			compare(&r, model);
		}
		must(cr_ranges_copy(&copy, &r, &e));
		compare(&copy, model);
		/* Of what was dumped in [20, 60) all arrives. */
		must(cr_ranges_arrive(&r, &arrived, 20 * PAGE, 60 * PAGE, &e));
		for (int i = 0; i < SPACE; i++) {
			if (model[i] > 20 && model[i] <= 60) {
				there[i] = model[i];
				model[i] = 0;
			}
		}
		compare(&r, model);
		compare(&arrived, there);
		cr_ranges_done(&r);
		cr_ranges_done(&copy);
		cr_ranges_done(&arrived);
	}
}

/* What follows is joined: 10,000 pages one by one are one range; from the front they leave at once. */
static void test_joined(void **state)
{
	struct cr_ranges r = {0};
	struct err e = {0};

	(void)state;
	for (uint64_t i = 0; i < 10000; i += 2)
		must(cr_ranges_add(&r, (struct cr_range){i * PAGE, (i + 1) * PAGE, i * PAGE}, &e));
	assert_int_equal(r.count, 5000);
	for (uint64_t i = 1; i < 10000; i += 2)
		must(cr_ranges_add(&r, (struct cr_range){i * PAGE, (i + 1) * PAGE, i * PAGE}, &e));
	assert_int_equal(r.count, 1);
	assert_int_equal(r.pages, 10000);
	must(cr_ranges_cut(&r, 0, 9999 * PAGE, &e));
	assert_int_equal(cr_ranges_first(&r)->start, 9999 * PAGE);
	must(cr_ranges_cut(&r, 0, UINT64_MAX, &e));
	assert_null(cr_ranges_first(&r));
	cr_ranges_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put),	  cmocka_unit_test(test_limit),
		cmocka_unit_test(test_far_apart), cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_stream),	  cmocka_unit_test(test_sum),
		cmocka_unit_test(test_ranges),	  cmocka_unit_test(test_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
