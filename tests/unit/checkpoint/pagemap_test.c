// SPDX-License-Identifier: GPL-2.0-only
/* Page maps as criu writes them, old and new, and as no criu does. */
#include "checkpoint/track.h"
#include "tests/unit/checkpoint/pages_lab.h"

#define V 0x7f0000000000ul

static int set_up(void **state)
{
	struct lab *l = calloc(1, sizeof(*l));
	const char *tmp = getenv("TMPDIR");

	snprintf(l->dir, sizeof(l->dir), "%.40s/skep-pagemap-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(l->dir));
	l->images = open(l->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = l;
	return 0;
}

static int tear_down(void **state)
{
	struct lab *l = *state;
	struct err e = {0};

	close(l->images);
	file_remove_tree_at(AT_FDCWD, l->dir, &e);
	free(l);
	return 0;
}

static void test_runs(void **state)
{
	static const struct cr_page_run runs[] = {
		{0x1000, 1, CR_PAGE_PRESENT},
		{V, 300, CR_PAGE_LAZY},
		{V + 300 * PAGE, 2, CR_PAGE_LAZY | CR_PAGE_PRESENT},
		{V + 400 * PAGE, 5, CR_PAGE_PARENT}};
	struct lab *l = *state;
	struct cr_pagemap map;
	struct err e = {0};

	lab_pagemap(l, 12, runs, ARRAY_SIZE(runs));
	must(cr_pagemap_load(l->images, 12, &map, &e));
	assert_int_equal(map.id, 12);
	assert_int_equal(map.count, ARRAY_SIZE(runs));
	assert_memory_equal(map.runs, runs, sizeof(runs));
	assert_int_equal(map.pages, 308);
	assert_int_equal(map.lazy, 302);
	assert_ptr_equal(cr_pagemap_find(&map, 0), &map.runs[0]);
	assert_ptr_equal(cr_pagemap_find(&map, 0x1fff), &map.runs[0]);
	assert_ptr_equal(cr_pagemap_find(&map, 0x2000), &map.runs[1]);
	assert_ptr_equal(cr_pagemap_find(&map, V + 299 * PAGE), &map.runs[1]);
	assert_ptr_equal(cr_pagemap_find(&map, V + 300 * PAGE), &map.runs[2]);
	assert_ptr_equal(cr_pagemap_find(&map, V + 405 * PAGE - 1), &map.runs[3]);
	assert_null(cr_pagemap_find(&map, V + 405 * PAGE));
	cr_pagemap_done(&map);
	assert_int_equal(cr_pagemap_load(l->images, 13, &map, &e), -ENOENT);
	assert_int_equal(e.no, 0);
}

static int note(const struct cr_pagemap *map, void *arg, struct err *e)
{
	uint64_t *seen = arg;

	*seen += map->id * 1000 + map->pages;
	return map->id == 99 ? err_set(e, ECANCELED, "enough") : 0;
}

static void put_file(const struct lab *l, const char *name, const void *data, size_t len)
{
	struct err e = {0};

	must(file_replace_volatile_at(l->images, name, data, len, 0600, &e));
}

static void test_each(void **state)
{
	static const struct cr_page_run one = {V, 5, CR_PAGE_LAZY};
	struct lab *l = *state;
	struct err e = {0};
	uint64_t seen = 0;

	lab_pagemap(l, 1, &one, 1);
	lab_pagemap(l, 40, &one, 1);
	put_file(l, "pagemap-shmem-7.img", "?", 1);
	put_file(l, "pagemap-07.img", "?", 1);
	put_file(l, "pagemap-0.img", "?", 1);
	put_file(l, "pagemap-8.img.tmp", "?", 1);
	assert_int_equal(cr_pagemap_each(l->images, note, &seen, &e), 2);
	assert_int_equal(seen, 41010);
	lab_pagemap(l, 99, &one, 1);
	assert_int_equal(cr_pagemap_each(l->images, note, &seen, &e), -ECANCELED);
	e = (struct err){0};
	put_file(l, "pagemap-99.img", "magicma", 7);
	assert_int_equal(cr_pagemap_each(l->images, note, &seen, &e), -EPROTO);
}

/* Of criu up to 4.1: a short count, and of older ones without flags. */
static void test_old(void **state)
{
	static const uint8_t image[] =
		"magicmag"
		"\2\0\0\0\10\1"
		"\7\0\0\0\10\x80\x20\20\7\30\0"	   /* 0x1000, 7 pages, not in_parent */
		"\6\0\0\0\10\x80\x80\2\20\1"	   /* 0x8000, 1 page */
		"\10\0\0\0\10\x80\xa0\2\20\3\30\1" /* 0x9000, 3 pages, in_parent */
		"\12\0\0\0\10\x80\xc0\3\20\4\40\2\110\1"; /* 0xe000, 4 pages, lazy, and a field of a later criu */
	static const struct cr_page_run runs[] = {{0x1000, 7, CR_PAGE_PRESENT},
						  {0x8000, 1, CR_PAGE_PRESENT},
						  {0x9000, 3, CR_PAGE_PARENT},
						  {0xe000, 4, CR_PAGE_LAZY}};
	struct lab *l = *state;
	struct cr_pagemap map;
	struct err e = {0};

	put_file(l, "pagemap-1.img", image, sizeof(image) - 1);
	must(cr_pagemap_load(l->images, 1, &map, &e));
	assert_int_equal(map.count, ARRAY_SIZE(runs));
	assert_memory_equal(map.runs, runs, sizeof(runs));
	cr_pagemap_done(&map);
}

/* What criu was not shown is lazy memory as any other, between what it was. */
static void test_unseen(void **state)
{
	static const struct cr_page_run seen[] = {{0x1000, 1, CR_PAGE_PRESENT},
						  {V + 10 * PAGE, 1, CR_PAGE_PRESENT},
						  {V + 900 * PAGE, 7, CR_PAGE_LAZY}};
	static const struct cr_run unseen[] = {
		{V, 10}, {V + 11 * PAGE, 1ul << 20}, {V + (1ul << 21) * PAGE, 3}};
	static const struct cr_page_run all[] = {{0x1000, 1, CR_PAGE_PRESENT},
						 {V - 7 * PAGE, 2, CR_PAGE_LAZY},
						 {V, 10, CR_PAGE_LAZY},
						 {V + 10 * PAGE, 1, CR_PAGE_PRESENT},
						 {V + 11 * PAGE, 1ul << 20, CR_PAGE_LAZY},
						 {V + (1ul << 21) * PAGE, 3, CR_PAGE_LAZY}};
	struct lab *l = *state;
	struct cr_pagemap map = {.id = 5};
	struct err e = {0};

	lab_pagemap(l, 5, (struct cr_page_run[]){all[0], all[1], all[3]}, 3);
	must(cr_pagemap_save_unseen(l->images, 5, unseen, ARRAY_SIZE(unseen), &e));
	must(cr_pagemap_load(l->images, 5, &map, &e));
	assert_int_equal(map.count, ARRAY_SIZE(all));
	assert_memory_equal(map.runs, all, sizeof(all));
	assert_int_equal(map.lazy, (1 << 20) + 15);
	assert_int_equal(map.pages, (1 << 20) + 17);
	cr_pagemap_done(&map);
	/* A page that was both shown and not. */
	lab_pagemap(l, 5, seen, ARRAY_SIZE(seen));
	assert_int_equal(cr_pagemap_load(l->images, 5, &map, &e), -EPROTO);
	/* Only lazy pages are nowhere in the images. */
	lab_pagemap(l, 6, (struct cr_page_run[]){{V, 1, CR_PAGE_PRESENT}}, 1);
	assert_int_equal(renameat(l->images, "pagemap-6.img", l->images, "unseen-5.img"), 0);
	lab_pagemap(l, 5, all, 1);
	assert_int_equal(cr_pagemap_load(l->images, 5, &map, &e), -EPROTO);
	assert_int_equal(unlinkat(l->images, "pagemap-5.img", 0), 0);
	e = (struct err){0};
	assert_int_equal(cr_pagemap_load(l->images, 5, &map, &e), -ENOENT);
}

static void expect_damaged(struct lab *l, const struct cr_page_run *runs, size_t n)
{
	struct cr_pagemap map = {.id = 5};
	struct err e = {0};

	lab_pagemap(l, 5, runs, n);
	assert_int_equal(cr_pagemap_load(l->images, 5, &map, &e), -EPROTO);
	assert_int_equal(map.id, 5); /* untouched */
}

static void test_hostile(void **state)
{
	static const struct cr_page_run bad[][2] = {
		{{V, 2, 2}, {V + PAGE, 1, 2}},		 /* over each other */
		{{V, 1, 2}, {V - 9 * PAGE, 1, 2}},	 /* falling */
		{{V + 1, 1, 2}, {V + 9 * PAGE, 1, 2}},	 /* not on a border */
		{{V, 0, 2}, {V + PAGE, 1, 2}},		 /* none */
		{{V, 1, 2}, {1ul << 48, 1, 2}},		 /* too high */
		{{V, 1, 2}, {(1ul << 48) - PAGE, 2, 2}}, /* over the end */
		{{V, 1, 2}, {V + PAGE, UINT64_MAX, 2}},	 /* wraps */
		{{V, 1ul << 52, 2}, {V + PAGE, 1, 2}},	 /* wraps to the same place */
	};
	struct lab *l = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect_damaged(l, bad[i], 2);
}

/* Each length of a good image but the whole one, and those that end with an entry, is damage; none is read over its end (ASan sees it). */
static void test_truncated(void **state)
{
	static const struct cr_page_run runs[] = {{V, 300, 2}, {V + 400 * PAGE, 5, 6}};
	struct lab *l = *state;
	auto_free char *text = NULL;
	struct err e = {0};
	int good = 0, n;

	lab_pagemap(l, 5, runs, 2);
	n = file_read_at(l->images, "pagemap-5.img", 4096, &text, &e);
	assert_true(n > 0);
	for (int len = 0; len < n; len++) {
		auto_pagemap struct cr_pagemap map = {0};
		int r;

		e = (struct err){0};
		put_file(l, "pagemap-5.img", text, (size_t)len);
		r = cr_pagemap_load(l->images, 5, &map, &e);
		if (r < 0)
			assert_int_equal(r, -EPROTO);
		else
			good++;
	}
	assert_int_equal(good, 2); /* no entry, one entry */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_runs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_each, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_old, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unseen, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hostile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_truncated, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
