// SPDX-License-Identifier: GPL-2.0-only
/* The memory that criu is not shown: its questions as it puts them, the kernel's answers, and what is noted instead. */
#include "tests/unit/checkpoint/pages_lab.h"

#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "cgroups/entry.h"
#include "checkpoint/pagemap_scan.h"
#include "checkpoint/track.h"
#include "checkpoint/unseen.h"
#include "checkpoint/vma_flags.h"

/* The process: a large mapping with a hole, in which a thread has its stack, and a small one. */
#define LARGE	    0x200000000000ul
#define LARGE_PAGES 8192ul
#define HOLE	    (LARGE + 1000 * PAGE)
#define HOLE_PAGES  10ul
#define STACK	    (LARGE + 5000 * PAGE)
#define SMALL	    0x210000000000ul
#define SMALL_PAGES 100ul
#define LOCKED	    0x220000000000ul

struct answers { /* shared with criu */
	volatile int attached, large, small, protect, after;
	uint64_t large_end;
	uint64_t unknown; /* a flag that we are to know nothing of */
	struct cr_region v[3][64];
	char smaps[1 << 18];
	ssize_t smaps_len;
};

static int idle(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return 0;
}

static void *map(uint64_t at, uint64_t pages)
{
	void *m = mmap((void *)at, pages * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (m != (void *)at)
		_exit(1);
	memset(m, 7, pages * PAGE);
	return m;
}

static pid_t start(struct lab *l, bool locked)
{
	struct err e = {0};
	int ready[2], status;
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)map(LARGE, LARGE_PAGES);
		(void)map(SMALL, SMALL_PAGES);
		madvise((void *)HOLE, HOLE_PAGES * PAGE, MADV_DONTNEED);
		if (locked && mlock2(map(LOCKED, 1), PAGE, 0) < 0)
			_exit(1);
		if (clone(idle, (void *)(STACK + PAGE - 64),
			  CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_FS | CLONE_FILES,
			  NULL) < 0)
			_exit(1);
		close(ready[1]);
		idle(NULL);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 0);
	close(ready[0]);
	/* All of its threads, as when criu has seized it. */
	kill(pid, SIGSTOP);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	must(cg_add(&l->cg, pid, true, &e));
	return pid;
}

static int ask(int pagemap, uint64_t start, uint64_t end, uint64_t flags, struct cr_region *v,
	       uint64_t *walk_end)
{
	/* As pmc_fill() in criu/pagemap-cache.c. */
	struct cr_scan_arg a = {.size = sizeof(a),
				.flags = flags,
				.start = start,
				.end = end,
				.vec = (uint64_t)(uintptr_t)v,
				.vec_len = 64,
				.category_inverted = CR_IS_PFNZERO | CR_IS_FILE,
				.category_mask = CR_IS_PFNZERO | CR_IS_FILE,
				.category_anyof_mask = CR_IS_PRESENT | CR_IS_SWAPPED,
				.return_mask = CR_IS_PRESENT | CR_IS_SWAPPED};
	int n = ioctl(pagemap, CR_PAGEMAP_SCAN, &a);

	*walk_end = a.walk_end;
	return n < 0 ? -errno : n;
}

/* In criu's pieces. */
static void read_smaps(pid_t pid, struct answers *a)
{
	char path[48];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	fd = open(path, O_RDONLY);
	while ((n = read(fd, a->smaps + a->smaps_len,
			 sizeof(a->smaps) - 1 - (size_t)a->smaps_len < 1000 ? 0 : 1000)) > 0)
		a->smaps_len += n;
	close(fd);
}

/* I am criu's process. The first byte of `go`: all are stopped; its end: nobody serves me any more. */
static _Noreturn void be_criu(struct cr_unseen *u, pid_t pid, int go, struct answers *a)
{
	struct err e = {0};
	uint64_t end;
	char path[48], c;
	int fd;

	if (cr_unseen_attach(u, &e) < 0)
		_exit(1);
	cr_unseen_close(u);
	a->attached = 1;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = read(go, &c, 1) == 1 ? open(path, O_RDONLY) : -1;
	if (fd < 0)
		_exit(2);
	a->small = ask(fd, SMALL, SMALL + SMALL_PAGES * PAGE, 0, a->v[0], &end);
	a->large = ask(fd, LARGE, LARGE + LARGE_PAGES * PAGE, 0, a->v[1], &a->large_end);
	/* Should it ask twice, nothing is noted twice. */
	if (ask(fd, LARGE, LARGE + LARGE_PAGES * PAGE, 0, a->v[1], &end) != a->large)
		_exit(3);
	a->protect = ask(fd, LARGE, LARGE + PAGE, CR_SCAN_PROTECTS, a->v[2], &end);
	read_smaps(pid, a);
	a->after = 1;
	if (read(go, &c, 1) == 0)
		a->after = ask(fd, SMALL, SMALL + SMALL_PAGES * PAGE, 0, a->v[2], &end);
	_exit(0);
}

/* criu's questions about a process of the container; what was noted is in u. */
static void question(struct lab *l, pid_t pid, struct cr_unseen *u, struct answers *a)
{
	int go[2], status;
	pid_t criu;

	cr_unseen_open(u, &l->cg);
	assert_int_equal(u->count, 1);
	assert_int_equal(u->task[0].pid, pid);
	assert_int_equal(u->smaps.known & a->unknown, a->unknown);
	u->smaps.known &= ~a->unknown;
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	criu = fork();
	assert_true(criu >= 0);
	if (criu == 0) {
		close(go[1]);
		be_criu(u, pid, go[0], a);
	}
	close(go[0]);
	while (!a->attached)
		assert_int_equal(waitpid(criu, &status, WNOHANG), 0);
	cr_unseen_stopped(u);
	assert_int_equal(write(go[1], "", 1), 1);
	while (!a->after) {
		struct pollfd p[CR_UNSEEN_FILES];
		size_t n = cr_unseen_poll(u, p);

		assert_true(poll(p, n, 1) >= 0);
		assert_int_equal(waitpid(criu, &status, WNOHANG), 0);
		cr_unseen_serve(u, p, n);
	}
	/* We are dead: it is told so, and does not wait. */
	close(u->task[0].fuse);
	u->task[0].fuse = -EBADF;
	close(go[1]);
	assert_int_equal(waitpid(criu, &status, 0), criu);
	assert_int_equal(status, 0);
}

static struct answers *new_answers(void)
{
	struct answers *a =
		mmap(NULL, sizeof(*a), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(a != MAP_FAILED);
	return a;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_answers(void **state)
{
	static const struct cr_page_run all[] = {
		{LARGE, 1000, CR_PAGE_LAZY},
		{HOLE + HOLE_PAGES * PAGE, 5000 - 1010, CR_PAGE_LAZY},
		{STACK + PAGE, LARGE_PAGES - 5001, CR_PAGE_LAZY},
		{SMALL, SMALL_PAGES, CR_PAGE_LAZY}};
	struct answers *a = new_answers();
	auto_unseen struct cr_unseen u = {0};
	struct cr_pagemap map = {0};
	struct lab *l = *state;
	struct err e = {0};
	pid_t pid = start(l, false);

	question(l, pid, &u, a);
	assert_int_equal(a->small, 1);
	assert_int_equal(a->v[0][0].start, SMALL);
	assert_int_equal(a->v[0][0].end, SMALL + SMALL_PAGES * PAGE);
	assert_int_equal(a->large, 1);
	assert_int_equal(a->v[1][0].start, STACK);
	assert_int_equal(a->v[1][0].end, STACK + PAGE);
	assert_int_equal(a->v[1][0].categories, CR_IS_PRESENT);
	assert_int_equal(a->large_end, LARGE + LARGE_PAGES * PAGE);
	assert_int_equal(a->protect, -EINVAL);
	assert_true(a->after == -ENOTCONN || a->after == -ECONNABORTED);
	/* criu's own image has what it was shown. */
	lab_pagemap(l, (uint32_t)pid, &all[3], 1);
	assert_int_equal(cr_unseen_save(&u, l->images, &e), LARGE_PAGES - HOLE_PAGES - 1);
	must(cr_pagemap_load(l->images, (uint32_t)pid, &map, &e));
	assert_int_equal(map.count, ARRAY_SIZE(all));
	assert_memory_equal(map.runs, all, sizeof(all));
	cr_pagemap_done(&map);
	munmap(a, sizeof(*a));
	end(pid);
}

/* The lines that criu reads of smaps, one after the other. The flags of [vsyscall], the last one, mean nothing to it. */
static char *essence(char *text)
{
	char *to = text, *next, *last = strstr(text, "\nffffffffff600000-");

	if (last)
		last[1] = 0;

	for (char *line = text; *line; line = next) {
		size_t len = strcspn(line, "\n") + 1;

		next = line + len;
		/* "Rss:   4 kB" */
		if (line[strcspn(line, ":- ")] == ':' && strncmp(line, "VmFlags:", 8) != 0)
			continue;
		memmove(to, line, len);
		to += len;
	}
	*to = 0;
	return text;
}

static void needs_iterator(void)
{
	struct err e = {0};
	auto_fd int program = cr_vma_flags_open(&e);

	if (program >= 0)
		return;
	print_message("skip: %s\n", e.text);
	skip();
}

/* Word for word what the kernel says of the same process, with flags of all kinds, and without its other lines. */
static void test_mappings(void **state)
{
	static const int advice[] = {MADV_SEQUENTIAL, MADV_DONTFORK, MADV_DONTDUMP, MADV_WIPEONFORK,
				     MADV_NOHUGEPAGE};
	struct answers *a = new_answers();
	auto_unseen struct cr_unseen u = {0};
	auto_free char *kernel = NULL;
	struct err e = {0};
	struct lab *l = *state;
	char path[48];
	pid_t pid;

	needs_iterator();
	/* The process inherits them. */
	for (size_t i = 0; i < ARRAY_SIZE(advice); i++) {
		void *at =
			mmap(NULL, PAGE * (i + 1), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (advice[i] != MADV_DONTFORK)
			(void)madvise(at, PAGE * (i + 1), advice[i]);
	}
	pid = start(l, true);
	question(l, pid, &u, a);
	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	assert_true(file_read_at(AT_FDCWD, path, 1 << 24, &kernel, &e) > 0);
	assert_non_null(strstr(kernel, "Rss:"));
	assert_null(strstr(a->smaps, "Rss:"));
	assert_string_equal(essence(a->smaps), essence(kernel));
	assert_non_null(strstr(a->smaps, " lo "));
	munmap(a, sizeof(*a));
	end(pid);
}

/* A process that has `count` mappings more than we have, no two of which are one. */
static pid_t start_with(size_t count)
{
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (size_t i = 0; i < count; i++)
			if (mmap((void *)(LARGE + i * PAGE), PAGE, i % 2 ? PROT_READ : PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
				 0) == MAP_FAILED)
				_exit(1);
		close(ready[1]);
		idle(NULL);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 0);
	close(ready[0]);
	return pid;
}

/* Each once and in order, however many reads they take. */
static void test_many_mappings(void **state)
{
	static const size_t counts[] = {1, 1000, 1365, 1366, 3000, 20000};

	(void)state;
	needs_iterator();
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		pid_t pid = start_with(counts[i]);
		auto_free struct cr_vma *v = NULL;
		auto_free char *maps = NULL;
		struct err e = {0};
		auto_fd int program = cr_vma_flags_open(&e);
		char path[48];
		int n, lines = 0;

		snprintf(path, sizeof(path), "/proc/%d/maps", pid);
		n = cr_vma_flags_read(program, pid, &v, &e);
		assert_true(n > (int)counts[i]);
		assert_true(file_read_at(AT_FDCWD, path, 1 << 24, &maps, &e) > 0);
		for (const char *line = maps; *line && strncmp(line, "ffffffffff600000-", 17) != 0;
		     line += strcspn(line, "\n") + 1) {
			char range[48];

			assert_true(lines < n);
			snprintf(range, sizeof(range), "%08lx-%08lx ", v[lines].start,
				 v[lines].end);
			assert_memory_equal(line, range, strlen(range));
			lines++;
		}
		assert_int_equal(lines, n);
		end(pid);
	}
}

/* One flag that we do not know of is enough: then it is the kernel's whole text, of any length. */
static void test_unknown_flag(void **state)
{
	struct answers *a = new_answers();
	auto_unseen struct cr_unseen u = {0};
	auto_free char *kernel = NULL, *ours = NULL;
	struct err e = {0};
	struct lab *l = *state;
	char path[48];
	pid_t pid;

	needs_iterator();
	pid = start(l, false);
	a->unknown = 2; /* wr */
	question(l, pid, &u, a);
	assert_int_equal(cr_smaps_make(&u.smaps, pid, &ours, &e), -EOPNOTSUPP);
	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	assert_true(file_read_at(AT_FDCWD, path, 1 << 24, &kernel, &e) > 0);
	assert_non_null(strstr(a->smaps, "Rss:"));
	assert_string_equal(essence(a->smaps), essence(kernel));
	munmap(a, sizeof(*a));
	end(pid);
}

/* Of a process that locks memory criu is told all. */
static void test_locked(void **state)
{
	struct answers *a = new_answers();
	auto_unseen struct cr_unseen u = {0};
	struct lab *l = *state;
	struct err e = {0};
	pid_t pid = start(l, true);

	question(l, pid, &u, a);
	assert_int_equal(a->large, 2);
	assert_int_equal(a->v[1][0].end, HOLE);
	assert_int_equal(a->v[1][1].start, HOLE + HOLE_PAGES * PAGE);
	assert_int_equal(cr_unseen_save(&u, l->images, &e), 0);
	munmap(a, sizeof(*a));
	end(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_mappings, lab_set_up, lab_tear_down),
		cmocka_unit_test(test_many_mappings),
		cmocka_unit_test_setup_teardown(test_unknown_flag, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_locked, lab_set_up, lab_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
