// SPDX-License-Identifier: GPL-2.0-only
/* The tracker by soft-dirty marks: what other kernels' tracker need not fear. The rest of its tests is with the others', in track_test.c and track_life_test.c. */
#include "worker.h"

#include "checkpoint/track_proc.h"

#define TABLE (2u << 20) /* bytes that one page table maps */

/* Takes its marks from the process, as each process may do with its own. */
static void clear_marks_of(pid_t pid)
{
	auto_fd int fd = -EBADF;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "4", 1), 1);
}

/* What was written before somebody else cleared the marks is found all the same, by a round and by the final. */
static void marks_that_others_clear(void **state)
{
	struct lab l;

	(void)state;
	begin(&l, "others", CR_TRACK_SOFT_DIRTY, write_pages);
	one_round(&l);
	one_round(&l);
	assert_int_equal(l.last.untracked, 0);
	for (char c = 1; c <= 20; c++)
		tell(&l, c);
	clear_marks_of(l.w.pid);
	assert_in_range(final_is_exact(&l.cg, l.t, &l.to), 20, 20 + OWN_PAGES);
	for (char c = 1; c <= 20; c++)
		tell(&l, c);
	clear_marks_of(l.w.pid);
	tell(&l, 21);
	one_round(&l);
	assert_int_equal(l.last.untracked, 1);
	assert_in_range(l.last.pages, 20, 20 + OWN_PAGES);
	assert_in_range(final_is_exact(&l.cg, l.t, &l.to), 0, OWN_PAGES);
	one_round(&l);
	assert_int_equal(l.last.untracked, 0);
	end(&l);
}

/* Two areas of whole page tables, which change places when it is told: no mark is set by that. */
static int swaps_tables(struct worker *w)
{
	char *room = mmap(NULL, 8 * TABLE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *a = (char *)(((uintptr_t)room + TABLE - 1) & ~(uintptr_t)(TABLE - 1));
	char *b = a + 2 * TABLE, *c = a + 4 * TABLE;

	munmap(a, 6 * TABLE);
	for (int i = 0; i < 2; i++) {
		char *m = mmap(i ? b : a, TABLE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		for (size_t at = 0; at < TABLE; at += CR_PAGE_SIZE)
			memset(m + at, (int)(at / CR_PAGE_SIZE + (size_t)i * 7 + 1), CR_PAGE_SIZE);
	}
	for (;;) {
		next_word(w);
		if (mremap(a, TABLE, TABLE, MREMAP_MAYMOVE | MREMAP_FIXED, c) != c ||
		    mremap(b, TABLE, TABLE, MREMAP_MAYMOVE | MREMAP_FIXED, a) != a ||
		    mremap(c, TABLE, TABLE, MREMAP_MAYMOVE | MREMAP_FIXED, b) != b)
			return 2;
	}
}

static void page_tables_that_move(void **state)
{
	const uint64_t both = 2 * TABLE / CR_PAGE_SIZE;
	struct lab l;

	(void)state;
	begin(&l, "tables", CR_TRACK_SOFT_DIRTY, swaps_tables);
	one_round(&l);
	one_round(&l);
	assert_in_range(l.last.pages, 0, OWN_PAGES);
	tell(&l, 's');
	assert_in_range(final_is_exact(&l.cg, l.t, &l.to), both, both + OWN_PAGES);
	tell(&l, 's');
	one_round(&l);
	assert_in_range(l.last.pages, both, both + OWN_PAGES);
	assert_in_range(final_is_exact(&l.cg, l.t, &l.to), 0, OWN_PAGES);
	end(&l);
}

static int has_huge_pages(struct worker *w)
{
	char *room =
		mmap(NULL, 6 * TABLE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *a = (char *)(((uintptr_t)room + TABLE - 1) & ~(uintptr_t)(TABLE - 1));

	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	madvise(a, 4 * TABLE, MADV_HUGEPAGE);
	for (size_t i = 0; i < 4 * TABLE; i += 8)
		*(size_t *)(a + i) = i;
	for (;;) {
		next_word(w);
		for (size_t i = 0; i < 4; i++)
			a[i * TABLE + 5000]++;
	}
	return 0;
}

/* A huge page is marked as a whole: only what differs in it goes. */
static void huge_pages(void **state)
{
	struct err e = {0};
	uint64_t pending;
	struct lab l;

	(void)state;
	begin(&l, "huge", CR_TRACK_SOFT_DIRTY, has_huge_pages);
	one_round(&l);
	for (int i = 0; i < 3; i++) {
		tell(&l, 'h');
		one_round(&l);
		assert_in_range(l.last.pages, 4, 4 + OWN_PAGES);
		tell(&l, 'h');
		OK(cr_track_pending(l.t, &pending, &e));
		assert_in_range(pending, 1, 4 + 4 * OWN_PAGES);
		assert_in_range(final_is_exact(&l.cg, l.t, &l.to), 4, 4 + OWN_PAGES);
	}
	end(&l);
}

#define SPARSE_SHIFT 36

static int sparse(struct worker *w)
{
	char *m = mmap(NULL, 1ull << SPARSE_SHIFT, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (m == MAP_FAILED)
		return 2;
	w->area = m;
	madvise(m, 1ull << SPARSE_SHIFT, MADV_NOHUGEPAGE);
	for (size_t k = 0;; k++) {
		for (size_t i = 0; i < 16; i++)
			m[(i << (SPARSE_SHIFT - 4)) + k * CR_PAGE_SIZE]++;
		next_word(w);
	}
}

/* The holes of a large mapping are looked through while the process runs. */
static void it_stands_still_for_no_holes(void **state)
{
	struct cr_run needed[16];
	struct cr_track_stats s = {0};
	struct err e = {0};
	int brief = 0;
	struct lab l;

	(void)state;
	begin(&l, "holes", CR_TRACK_SOFT_DIRTY, sparse);
	for (int i = 0; i < 3; i++) {
		one_round(&l);
		assert_in_range(l.last.pages, 16, i ? 16 + OWN_PAGES : 3 * PAGES);
		assert_true(l.last.stop_ns > 0);
		brief += l.last.stop_ns < l.last.ns / 2;
		tell(&l, 'n');
	}
	/* A busy machine may hold us back while it stands still, but not each time. */
	assert_true(brief > 0);
	for (size_t i = 0; i < 16; i++)
		needed[i] = (struct cr_run){
			(uint64_t)(uintptr_t)l.w.area + (i << (SPARSE_SHIFT - 4)), 4};
	OK(cg_freeze(&l.cg, 30000, &e));
	OK(cr_track_final(l.t, (uint32_t)l.w.pid, needed, 16, to_store, &l.to, &s, &e));
	assert_int_equal(s.pages, 16);
	same_memory(&l.to, l.w.pid, (uint32_t)l.w.pid, needed, 16);
	end(&l);
}

/* Without a keeper nothing is frozen, so nothing is cleared, and nothing lost. The next round has another keeper. */
static void a_keeper_that_was_killed(void **state)
{
	struct lab l;

	(void)state;
	begin(&l, "keeper", CR_TRACK_SOFT_DIRTY, write_pages);
	one_round(&l);
	kill(l.t->still.pid, SIGKILL);
	test_reap(l.t->still.pid);
	for (char c = 1; c <= 20; c++)
		tell(&l, c);
	one_round(&l);
	assert_int_equal(l.last.stop_ns, 0);
	assert_in_range(l.last.pages, 20, 20 + OWN_PAGES);
	for (char c = 1; c <= 5; c++)
		tell(&l, c);
	assert_in_range(final_is_exact(&l.cg, l.t, &l.to), 5, 5 + OWN_PAGES);
	one_round(&l);
	assert_true(l.last.stop_ns > 0);
	for (char c = 1; c <= 5; c++)
		tell(&l, c);
	assert_in_range(final_is_exact(&l.cg, l.t, &l.to), 5, 5 + OWN_PAGES);
	end(&l);
}

/* Whoever froze it thaws it. */
static void one_that_is_frozen_already(void **state)
{
	struct err e = {0};
	struct lab l;

	(void)state;
	begin(&l, "frozen", CR_TRACK_SOFT_DIRTY, write_pages);
	OK(cg_freeze(&l.cg, 30000, &e));
	one_round(&l);
	assert_int_equal(l.last.untracked, 0);
	assert_int_equal(cg_frozen(&l.cg, &e), 1);
	OK(cg_thaw(&l.cg, 30000, &e));
	tell(&l, 1);
	assert_in_range(final_is_exact(&l.cg, l.t, &l.to), 1, 1 + OWN_PAGES);
	end(&l);
}

static int idles(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return 0;
}

/* Who freezes it dies in that moment, and has a child that goes on; it is thawed. Needs no marks. */
static void the_keeper_thaws(void **state)
{
	struct err e = {0};
	unsigned looks = 0;
	int hold[2];
	struct cg cg;
	pid_t pid, us;
	char c;

	(void)state;
	test_make("thaw", &cg);
	pid = test_spawn(&cg, idles, NULL);
	assert_int_equal(pipe2(hold, 0), 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* the keeper comes to us */
	us = fork();
	if (us == 0) {
		struct cr_still s = CR_STILL_INIT;
		struct err why = {0};

		for (int i = 0; i < 3; i++)
			if (cr_still_begin(&s, &cg, 5000, &why) < 0 || cg_frozen(&cg, &why) != 1 ||
			    cr_still_end(&s, &cg, &why) < 0 || cg_frozen(&cg, &why) != 0)
				_exit(1);
		if (cr_still_begin(&s, &cg, 5000, &why) < 0 || write(hold[1], "b", 1) != 1)
			_exit(1);
		raise(SIGKILL);
	}
	close(hold[1]);
	assert_int_equal(read(hold[0], &c, 1), 1);
	test_reap(us);
	while (cg_frozen(&cg, &e) != 0)
		assert_true(test_again(&looks));
	assert_true(wait(NULL) > 0); /* the keeper: the other one is idle */
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	close(hold[0]);
	kill(pid, SIGKILL);
	test_reap(pid);
	test_end(&cg);
}

/* The choice, and the environment's. */
static void choice(void **state)
{
	char why[CR_TRACK_WHY];
	enum cr_track_backend b;
	struct err e = {0};
	bool soft = cr_track_supported(CR_TRACK_SOFT_DIRTY, &e) >= 0;
	bool uffd = cr_track_supported(CR_TRACK_UFFD, &e) >= 0;

	(void)state;
	err_clear(&e);
	unsetenv("SKEP_TRACK");
	assert_int_equal(cr_track_choose(&b, why, &e), uffd || soft ? 0 : -EOPNOTSUPP);
	assert_int_equal(b, uffd ? CR_TRACK_UFFD : CR_TRACK_SOFT_DIRTY);
	assert_int_equal(why[0] != 0, !uffd && soft);
	setenv("SKEP_TRACK", "uffd", 1);
	assert_int_equal(cr_track_choose(&b, why, &e), uffd ? 0 : -EOPNOTSUPP);
	assert_int_equal(b, CR_TRACK_UFFD);
	setenv("SKEP_TRACK", "soft-dirty", 1);
	assert_int_equal(cr_track_choose(&b, why, &e), soft ? 0 : -EOPNOTSUPP);
	assert_int_equal(b, CR_TRACK_SOFT_DIRTY);
	assert_non_null(strstr(soft ? why : e.text, soft ? "SKEP_TRACK" : "soft-dirty"));
	err_clear(&e);
	setenv("SKEP_TRACK", "content", 1);
	assert_int_equal(cr_track_choose(&b, why, &e), -EINVAL);
	unsetenv("SKEP_TRACK");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(choice),
		cmocka_unit_test(the_keeper_thaws),
		cmocka_unit_test(marks_that_others_clear),
		cmocka_unit_test(page_tables_that_move),
		cmocka_unit_test(huge_pages),
		cmocka_unit_test(it_stands_still_for_no_holes),
		cmocka_unit_test(a_keeper_that_was_killed),
		cmocka_unit_test(one_that_is_frozen_already),
	};

	return cmocka_run_group_tests_name("track_softdirty", tests, small_pages, test_clean);
}
