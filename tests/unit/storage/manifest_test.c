// SPDX-License-Identifier: GPL-2.0-only
/* When a ctime counts: its age, and a clock that was set back. */
#include "tests/unit/storage/tmp_tree.h"

#include <sys/syscall.h>
#include <time.h>

#include "storage/manifest.h"
#include "storage/manifest_state.h"

#define SECOND 1000000000LL

/* The wall clock of this program only, libskep included: the machine's is everybody's. */
static int64_t shift_ns;

int clock_gettime(clockid_t id, struct timespec *t)
{
	int64_t ns;

	if (syscall(SYS_clock_gettime, id, t) < 0)
		return -1;
	ns = t->tv_sec * SECOND + t->tv_nsec + (id == CLOCK_REALTIME ? shift_ns : 0);
	t->tv_sec = ns / SECOND;
	t->tv_nsec = ns % SECOND;
	return 0;
}

struct look {
	struct st_manifest *m;
	struct st_noted *n;
	struct stat st;
};

/* A name whose ctime was that old when it was noted. */
static void noted(struct look *l, mode_t mode, int64_t age_ns)
{
	struct timespec now;
	int64_t ctime_ns;

	clock_gettime(CLOCK_REALTIME, &now);
	ctime_ns = now.tv_sec * SECOND + now.tv_nsec - age_ns;
	l->st = (struct stat){.st_ino = 7,
			      .st_mode = mode,
			      .st_nlink = 1,
			      .st_size = 100,
			      .st_ctim = {ctime_ns / SECOND, ctime_ns % SECOND}};
	if (S_ISREG(mode))
		assert_non_null(st_noted_blocks(l->m, l->n, 100));
	st_noted_set(l->m, l->n, &l->st, &now);
}

static int setup(void **state)
{
	struct look *l = calloc(1, sizeof(*l));
	auto_fd int root = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err e = {0};

	shift_ns = 0;
	l->m = st_manifest_new();
	l->n = st_manifest_root(l->m);
	*state = l;
	return st_manifest_begin(l->m, root, &e);
}

static int teardown(void **state)
{
	struct look *l = *state;

	st_manifest_free(l->m);
	free(l);
	return 0;
}

static void young_ctimes_do_not_count(void **state)
{
	struct look *l = *state;

	l->m->blind = false; /* whatever /tmp is */
	noted(l, S_IFDIR | 0755, SECOND / 100);
	assert_int_equal(st_noted_match(l->m, l->n, &l->st), ST_MATCH_NOT);
	noted(l, S_IFDIR | 0755, SECOND / 10);
	assert_int_equal(st_noted_match(l->m, l->n, &l->st), ST_MATCH);
	noted(l, S_IFREG | 0644, SECOND / 100);
	assert_int_equal(st_noted_match(l->m, l->n, &l->st), ST_MATCH_NOT);
	noted(l, S_IFREG | 0644, SECOND);
	assert_int_equal(st_noted_match(l->m, l->n, &l->st), ST_MATCH_CONTENT);
	st_noted_blocks_drop(l->m, l->n);
	assert_int_equal(st_noted_match(l->m, l->n, &l->st), ST_MATCH_NOT);
	noted(l, S_IFREG | 0644, 3 * SECOND);
	assert_int_equal(st_noted_match(l->m, l->n, &l->st), ST_MATCH);
	/* From the future: the clock was wrong, or will be. */
	noted(l, S_IFREG | 0644, -100 * SECOND);
	assert_int_equal(st_noted_match(l->m, l->n, &l->st), ST_MATCH_NOT);
}

/* What is changed after it can have a ctime that was seen before it. */
static void set_back_clock(void **state)
{
	struct look *l = *state;
	auto_fd int root = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err e = {0};

	noted(l, S_IFDIR | 0755, 60 * SECOND);
	shift_ns = -100 * SECOND;
	assert_good(st_manifest_begin(l->m, root, &e));
	assert_int_equal(st_noted_match(l->m, l->n, &l->st), ST_MATCH_NOT);
	/* Noted since then, it counts again, and what was old enough never stopped to. */
	noted(l, S_IFDIR | 0755, 60 * SECOND);
	assert_int_equal(st_noted_match(l->m, l->n, &l->st), ST_MATCH);
	shift_ns = -130 * SECOND;
	assert_good(st_manifest_begin(l->m, root, &e));
	assert_int_equal(st_noted_match(l->m, l->n, &l->st), ST_MATCH);
	/* Forwards is no matter. */
	shift_ns = 1000 * SECOND;
	assert_good(st_manifest_begin(l->m, root, &e));
	assert_int_equal(st_noted_match(l->m, l->n, &l->st), ST_MATCH);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(young_ctimes_do_not_count),
		TEST(set_back_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
