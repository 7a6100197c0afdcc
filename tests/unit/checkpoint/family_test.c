// SPDX-License-Identifier: GPL-2.0-only
/* Images of families as criu writes them: whose mappings differ, whose are nobody's concern; and damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "checkpoint/family.h"
#include "checkpoint/image.h"
#include "tests/unit/checkpoint/image_lab.h"

#define MB    (UINT64_C(1) << 20)
#define PLAIN (1 | 1 << 9) /* VMA_AREA_REGULAR, VMA_ANON_PRIVATE */
#define HEAP  (PLAIN | 1 << 5)
#define FILED (1 | 1 << 6)
#define ANON  (MAP_PRIVATE | MAP_ANONYMOUS)
#define MANY  6

struct text {
	uint8_t data[1 << 18];
	size_t len;
};

struct vma {
	uint64_t start, end;
	unsigned status, flags;
};

static void put(struct text *t, const void *data, size_t len)
{
	memcpy(t->data + t->len, data, len);
	t->len += len;
}

static void varint(struct text *t, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		t->data[t->len++] = (uint8_t)(value | 0x80);
	t->data[t->len++] = (uint8_t)value;
}

static void number(struct text *t, unsigned field, uint64_t value)
{
	varint(t, field << 3);
	varint(t, value);
}

static void message(struct text *t, unsigned field, const struct text *m)
{
	varint(t, field << 3 | 2);
	varint(t, m->len);
	put(t, m->data, m->len);
}

static void entry(struct text *image, const struct text *m)
{
	uint32_t len = (uint32_t)m->len;

	put(image, &len, sizeof(len));
	put(image, m->data, m->len);
}

static void save(const struct lab *l, const char *name, const struct text *t)
{
	struct err e = {0};

	assert_int_equal(
		file_replace_volatile_at(l->fd, name, (const char *)t->data, t->len, 0600, &e), 0);
}

/* pids: pid, parent, ..., 0. */
static void tree(const struct lab *l, const unsigned *pids)
{
	struct text image = {0};

	put(&image, "\x19\x43\x56\x54\x50\x16\x23\x50", 8);
	for (; *pids; pids += 2) {
		struct text m = {0};

		number(&m, 1, pids[0]);
		number(&m, 2, pids[1]);
		number(&m, 3, 1);
		number(&m, 4, 1);
		number(&m, 5, pids[0]);
		entry(&image, &m);
	}
	save(l, "pstree.img", &image);
}

static void process(const struct lab *l, unsigned pid, unsigned exe, const struct vma *v)
{
	struct text image = {0}, m = {0};
	char name[32];

	put(&image, "\x19\x43\x56\x54\x49\x10\x82\x57", 8);
	number(&m, 1, 0x401000);
	number(&m, 12, exe);
	for (; v->end; v++) {
		struct text vma = {0};

		number(&vma, 1, v->start);
		number(&vma, 2, v->end);
		number(&vma, 3, 0);
		number(&vma, 4, 0);
		number(&vma, 5, PROT_READ | PROT_WRITE);
		number(&vma, 6, v->flags);
		number(&vma, 7, v->status);
		number(&vma, 8, 1);
		message(&m, 14, &vma);
	}
	number(&m, 15, 1);
	entry(&image, &m);
	snprintf(name, sizeof(name), "mm-%u.img", pid);
	save(l, name, &image);
}

/* The image says exactly that. */
static void is(const struct lab *l, unsigned pid, unsigned exe, const struct vma *v)
{
	struct lab expected = {0};
	char name[32], *was = NULL, *want = NULL;
	struct err e = {0};
	int n, m;

	snprintf(name, sizeof(name), "mm-%u.img", pid);
	n = file_read_at(l->fd, name, 1 << 18, &was, &e);
	expected = *l;
	process(&expected, pid, exe, v);
	m = file_read_at(l->fd, name, 1 << 18, &want, &e);
	assert_int_equal(n, m);
	assert_memory_equal(was, want, (size_t)n);
	free(was);
	free(want);
}
#define vmas(...) ((const struct vma[]){__VA_ARGS__, {0}})
#define anon(from, to)                            \
	{                                         \
		(from) * MB, (to)*MB, PLAIN, ANON \
	}

static int align(const struct lab *l)
{
	struct err e = {0};
	int r = cr_family_align(l->fd, &e);

	assert_true(r >= 0 || e.no == -r);
	return r;
}

/* A parent that grew below, a child that was cut above, one that is as the parent was, and a grandchild. */
static void test_family(void **state)
{
	const struct lab *l = *state;
	const unsigned pids[] = {1, 0, 5, 1, 6, 1, 7, 5, 8, 1, 0};

	assert_int_equal(align(l), 0);
	tree(l, pids);
	process(l, 1, 3, vmas({1 * MB, 2 * MB, FILED, MAP_PRIVATE}, anon(9, 30), anon(40, 41)));
	process(l, 5, 3, vmas(anon(10, 29), {50 * MB, 51 * MB, HEAP, ANON}));
	process(l, 6, 3, vmas(anon(10, 30), anon(40, 41)));
	process(l, 7, 3, vmas(anon(10, 29), {50 * MB, 52 * MB, HEAP, ANON}));
	/* 8 is a zombie. */
	assert_int_equal(align(l), 3);
	is(l, 1, 3,
	   vmas({1 * MB, 2 * MB, FILED, MAP_PRIVATE}, anon(9, 10), anon(10, 29), anon(29, 30),
		anon(40, 41)));
	is(l, 5, 3, vmas(anon(10, 29), {50 * MB, 51 * MB, HEAP, ANON}));
	is(l, 6, 3, vmas(anon(10, 29), anon(29, 30), anon(40, 41)));
	is(l, 7, 3,
	   vmas(anon(10, 29), {50 * MB, 51 * MB, HEAP, ANON}, {51 * MB, 52 * MB, HEAP, ANON}));
	assert_int_equal(align(l), 0);
}

/* One mapping of the one over several of the other. */
static void test_pieces(void **state)
{
	const struct lab *l = *state;

	tree(l, (const unsigned[]){1, 0, 2, 1, 0});
	process(l, 1, 3, vmas(anon(10, 20)));
	process(l, 2, 3, vmas(anon(8, 12), anon(12, 13), anon(14, 15), anon(18, 22)));
	assert_int_equal(align(l), 2);
	is(l, 1, 3,
	   vmas(anon(10, 12), anon(12, 13), anon(13, 14), anon(14, 15), anon(15, 18),
		anon(18, 20)));
	is(l, 2, 3,
	   vmas(anon(8, 10), anon(10, 12), anon(12, 13), anon(14, 15), anon(18, 20), anon(20, 22)));
}

static void test_left_alone(void **state)
{
	const struct lab *l = *state;
	const struct {
		unsigned exe, status, flags;
		uint64_t end;
	} other[MANY] = {{4, PLAIN, ANON, 19 * MB}, /* another program */
			 {3, FILED, MAP_PRIVATE, 19 * MB},
			 {3, PLAIN, MAP_SHARED | MAP_ANONYMOUS, 19 * MB},
			 {3, PLAIN | 1 << 13, ANON, 19 * MB}, /* asynchronous I/O */
			 {3, PLAIN, ANON | MAP_GROWSDOWN, 19 * MB},
			 {3, PLAIN, ANON, 10 * MB + CR_FAMILY_LEAST / 2}};

	tree(l, (const unsigned[]){1, 0, 2, 1, 0});
	for (size_t i = 0; i < MANY; i++) {
		process(l, 1, 3, vmas(anon(10, 20)));
		process(l, 2, other[i].exe,
			vmas({10 * MB, other[i].end, other[i].status, other[i].flags}));
		assert_int_equal(align(l), 0);
	}
	/* Not its parent. */
	tree(l, (const unsigned[]){1, 0, 3, 1, 2, 3, 0});
	process(l, 2, 3, vmas(anon(10, 19)));
	assert_int_equal(align(l), 0);
}

/* Beyond it things stay as they are, and the image is a whole one. */
static void test_bound(void **state)
{
	static struct vma v[CR_FAMILY_CUTS];
	const struct lab *l = *state;
	struct cr_span all, entry, content;
	unsigned number, pieces = 0;
	auto_free char *text = NULL;
	struct err e = {0};
	uint64_t value;

	tree(l, (const unsigned[]){1, 0, 2, 1, 0});
	for (size_t i = 0; i < CR_FAMILY_CUTS - 1; i++)
		v[i] = (struct vma){(i * 3 + 1) * MB, (i * 3 + 3) * MB, PLAIN, ANON};
	process(l, 1, 3, vmas(anon(0, 3 * CR_FAMILY_CUTS)));
	process(l, 2, 3, v);
	assert_int_equal(align(l), 1);
	is(l, 2, 3, v);
	assert_true(cr_image_read(l->fd, "mm-1.img", &text, &all, &e) >= 0);
	assert_true(cr_image_next(&all, &entry));
	while (cr_image_field(&entry, &number, &value, &content))
		pieces += number == 14;
	assert_ptr_equal(entry.at, entry.end);
	assert_int_equal(pieces, CR_FAMILY_CUTS + 1);
}

static void test_damaged(void **state)
{
	const struct lab *l = *state;
	struct text good = {0};
	char *text = NULL;
	struct err e = {0};

	tree(l, (const unsigned[]){1, 0, 2, 1, 0});
	process(l, 1, 3, vmas(anon(10, 20)));
	process(l, 2, 3, vmas(anon(10, 19)));
	good.len = (size_t)file_read_at(l->fd, "mm-2.img", sizeof(good.data), &text, &e);
	memcpy(good.data, text, good.len);
	free(text);
	while (good.len-- > 0) {
		save(l, "mm-2.img", &good);
		assert_int_equal(align(l), -EPROTO);
	}
	/* Its end lies before its start; two over one another. */
	process(l, 2, 3, vmas(anon(10, 9)));
	assert_int_equal(align(l), -EPROTO);
	process(l, 2, 3, vmas(anon(10, 19), anon(18, 20)));
	assert_int_equal(align(l), -EPROTO);
	process(l, 2, 3, vmas(anon(10, 19)));
	save(l, "pstree.img", &(struct text){.data = "no image", .len = 8});
	assert_int_equal(align(l), 0);
	save(l, "pstree.img", &(struct text){.data = "no image at all", .len = 15});
	assert_int_equal(align(l), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_family, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pieces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_left_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bound, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
