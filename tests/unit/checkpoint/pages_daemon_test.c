// SPDX-License-Identifier: GPL-2.0-only
/* The real skep-pages against processes that speak criu's protocol: faults, pushes, forks, moves, removals, links that break, deaths. */
#include "tests/unit/checkpoint/pages_lab.h"

#include <pthread.h>
#include <sys/pidfd.h>

#include "checkpoint/pages_serve.h"
#include "checkpoint/pages_wire.h"
#include "tests/unit/checkpoint/pages_process.h"

/* --- all is in the store --- */

#define PUSHED 3000u

static void body_pushed(const struct lab *l)
{
	uint8_t *m = be_restored(l, PUSHED);

	/* Before the end of the restore nothing is pushed, but faults are served: the restorer itself may touch memory. */
	want(lab_same(ID, m + 1000 * PAGE, BASE + 1000 * PAGE, 1));
	want(lab_zero(m + 2000 * PAGE, 1)); /* the images have no page there */
	step('f');
	finish();
	step('r');
	want(lab_same(ID, m, BASE, 2000));
	want(lab_zero(m + 2000 * PAGE, 1));
	want(lab_same(ID, m + 2001 * PAGE, BASE + 2001 * PAGE, PUSHED - 2001));
}

static uint64_t store_pages(int store)
{
	struct stat st;

	assert_int_equal(fstat(store, &st), 0);
	return (uint64_t)st.st_blocks * 512 / PAGE;
}

static void test_pushed(void **state)
{
	static const struct cr_page_run runs[] = {
		{BASE, 1500, CR_PAGE_LAZY},
		{BASE + 1500 * PAGE, 500, CR_PAGE_LAZY | CR_PAGE_PRESENT},
		{BASE + 2001 * PAGE, PUSHED - 2001, CR_PAGE_LAZY},
		{BASE + (PUSHED + 5) * PAGE, 3, CR_PAGE_PRESENT}}; /* not ours to bring */
	struct lab *l = *state;
	struct cr_pages_report report;
	struct cr_pages_need need;
	struct err e = {0};
	struct process p;
	int store;

	lab_pagemap(l, ID, runs, ARRAY_SIZE(runs));
	lab_store(l, ID, BASE, 2000);
	lab_store(l, ID, BASE + 2001 * PAGE, PUSHED - 2001);
	must(cr_pages_check(l->store, l->images, &need, &e));
	assert_int_equal(need.lazy, PUSHED - 1);
	assert_int_equal(need.missing, 0);
	assert_int_equal(cr_pages_resident(l->state, &e), 1);
	store = fcntl(cr_pages_fd(l->store), F_DUPFD_CLOEXEC, 3);
	assert_true(store_pages(store) >= PUSHED - 1);
	lab_start(l);
	assert_int_equal(cr_pages_resident(l->state, &e), 0);
	p = spawn(l, body_pushed);
	let(&p, 'b');
	arrive(&p, 'f');
	must(cr_pages_daemon_ask(l->state, &report, &e));
	assert_int_equal(report.resident, 0);
	assert_int_equal(report.faults, 2);
	assert_int_equal(report.pushed, 0);
	assert_int_equal(report.left + report.faulted, PUSHED - 1);
	assert_int_equal(cr_pages_wait(l->state, 0, &e), -ETIMEDOUT);
	e = (struct err){0};
	go(&p, 'f');
	report = lab_report(l);
	assert_int_equal(report.resident, 1);
	assert_int_equal(report.total, PUSHED - 1);
	assert_int_equal(report.pushed + report.faulted, PUSHED - 1);
	assert_int_equal(report.zeroed, 1);
	assert_int_equal(report.left, 0);
	/* Its memory was given back on the way: only index and bitmap are there. */
	assert_true(store_pages(store) < 5);
	close(store);
	assert_true(report.resident_ns >= report.finished_ns && report.finished_ns);
	let(&p, 'r');
	end_well(l, &p);
	assert_int_equal(cr_pages_daemon_ask(l->state, &report, &e), -ENOENT);
}

/* --- what a process does to its memory before it is whole --- */

#define CHANGED 600u

static void check_changed(uint8_t *m, bool is_child)
{
	want(lab_same(ID, m, BASE, 10));
	want(lab_zero(m + 10 * PAGE, 20));
	want(lab_same(ID, m + 30 * PAGE, BASE + 30 * PAGE, 70));
	want(lab_zero(m + 100 * PAGE, 20));
	want(lab_same(ID, m + 150 * PAGE, BASE + 150 * PAGE, 50));
	want(lab_same(ID, m + 2000 * PAGE, BASE + 200 * PAGE, 100));
	want(lab_same(ID, m + 300 * PAGE, BASE + 300 * PAGE, 200));
	if (is_child)
		want(lab_zero(m + 500 * PAGE, 10));
	else
		want(lab_same(ID, m + 500 * PAGE, BASE + 500 * PAGE, 10));
	want(lab_same(ID, m + 510 * PAGE, BASE + 510 * PAGE, CHANGED - 510));
}

/* Each part is changed before anything of it is there; then the rest is pushed. */
static void body_changes(const struct lab *l)
{
	uint8_t *m = be_restored(l, CHANGED);
	int gate[2], status;
	pid_t child;
	char c;

	want(madvise(m + 10 * PAGE, 20 * PAGE, MADV_DONTNEED) == 0);
	want(munmap(m + 100 * PAGE, 50 * PAGE) == 0);
	want(mmap(m + 100 * PAGE, 20 * PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == m + 100 * PAGE);
	want(mremap(m + 200 * PAGE, 100 * PAGE, 100 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		    m + 2000 * PAGE) == m + 2000 * PAGE);
	/* A mapping in several pieces: a copy may not go over their borders. */
	want(mprotect(m + 400 * PAGE, 7 * PAGE, PROT_READ) == 0);
	want(pipe(gate) == 0);
	child = fork();
	want(child >= 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		want(madvise(m + 500 * PAGE, 10 * PAGE, MADV_DONTNEED) == 0);
		want(lab_zero(m + 500 * PAGE, 3));
		want(lab_same(ID, m + 2050 * PAGE, BASE + 250 * PAGE, 50));
		close(gate[1]);
		want(read(gate[0], &c, 1) == 0);
		check_changed(m, true);
		_exit(0);
	}
	step('f');
	finish();
	step('r');
	close(gate[1]);
	want(waitpid(child, &status, 0) == child && status == 0);
	/* The pieces that were unmapped and not mapped again are as they are: nobody made something there. */
	want(mincore(m + 130 * PAGE, PAGE, (unsigned char *)&c) < 0 && errno == ENOMEM);
	check_changed(m, false);
}

static void test_changes(void **state)
{
	static const struct cr_page_run runs[] = {{BASE, CHANGED, CR_PAGE_LAZY}};
	struct lab *l = *state;
	struct cr_pages_report report;
	struct process p;

	lab_pagemap(l, ID, runs, 1);
	lab_store(l, ID, BASE, CHANGED);
	lab_start(l);
	p = spawn(l, body_changes);
	let(&p, 'b');
	let(&p, 'f');
	report = lab_report(l);
	assert_int_equal(report.resident, 1);
	assert_int_equal(report.left, 0);
	assert_true(report.total > CHANGED); /* the child's are counted, too */
	let(&p, 'r');
	end_well(l, &p);
}

/* --- pages that the source has --- */

struct source {
	pthread_t thread;
	int fd, calls, most; /* most: of calls, then the link breaks */
	uint64_t vaddr;	     /* of the first call, and how many pages it was about */
	uint32_t npages;
	int r;
	struct cr_pages_served served;
	struct err e;
};

static int read_page(uint32_t id, uint64_t vaddr, uint32_t npages, void *data, void *arg,
		     struct err *e)
{
	struct source *s = arg;

	if (!s->calls) {
		s->vaddr = vaddr;
		s->npages = npages;
	}
	if (s->calls++ == s->most && s->most)
		return err_set(e, ECANCELED, "the link breaks");
	/* Not all at once, and one page of zeroes. */
	npages = npages > 3 ? 3 : npages;
	for (uint32_t i = 0; i < npages; i++) {
		lab_fill(id, vaddr + i * PAGE, (uint8_t *)data + i * PAGE);
		if (vaddr + i * PAGE == BASE + 777 * PAGE)
			memset((uint8_t *)data + i * PAGE, 0, PAGE);
	}
	return (int)npages;
}

static void *serve(void *arg)
{
	struct source *s = arg;

	s->r = cr_pages_serve(s->fd, s->fd, read_page, NULL, s, &s->served, &s->e);
	close(s->fd);
	return NULL;
}

/* Returns the daemon's end. */
static int start_source(struct source *s, int most)
{
	int pair[2];

	*s = (struct source){.most = most};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	s->fd = pair[0];
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	return pair[1];
}

#define FETCHED 1000u

static void body_fetched(const struct lab *l)
{
	uint8_t *m = be_restored(l, FETCHED);

	want(lab_same(ID, m + 900 * PAGE, BASE + 900 * PAGE, 1));
	step('f');
	finish();
	/* The link breaks in these. */
	want(lab_same(ID, m, BASE, 777));
	want(lab_zero(m + 777 * PAGE, 1));
	want(lab_same(ID, m + 778 * PAGE, BASE + 778 * PAGE, FETCHED - 778));
	step('r');
}

/* The link breaks twice: before there is a process, and while it waits for a page. */
static void fetch(struct lab *l, bool stored)
{
	static const struct cr_page_run runs[] = {{BASE, FETCHED, CR_PAGE_LAZY}};
	struct cr_pages_report report;
	struct source first, second, third;
	struct err e = {0};
	struct process p;
	int fd;

	lab_pagemap(l, ID, runs, 1);
	if (stored) {
		lab_store(l, ID, BASE + 100 * PAGE, 200);
		lab_store(l, ID, BASE + 500 * PAGE, 100);
		must(cr_pages_drop(l->store, ID, BASE + 550 * PAGE, 20, &e)); /* stale */
	}
	l->source[0] = l->source[1] = fd = start_source(&first, 40);
	lab_start(l);
	close(fd);
	/* Nobody is there, and yet it is asked. */
	pthread_join(first.thread, NULL);
	assert_int_equal(first.r, -ECANCELED);
	p = spawn(l, body_fetched);
	let(&p, 'b');
	await_fault(l);
	fd = start_source(&second, 100);
	must(cr_pages_daemon_feed(l->state, fd, fd, &e));
	close(fd);
	arrive(&p, 'f');
	pthread_join(second.thread, NULL);
	assert_int_equal(second.r, -ECANCELED);
	/* A page that a task waits for comes first, and alone. */
	assert_int_equal(second.vaddr, BASE + 900 * PAGE);
	assert_int_equal(second.npages, 1);
	go(&p, 'f');
	/* The task waits in the kernel, the daemon for us. */
	must(cr_pages_daemon_ask(l->state, &report, &e));
	assert_true(report.left > 0);
	fd = start_source(&third, 0);
	must(cr_pages_daemon_feed(l->state, fd, fd, &e));
	close(fd);
	report = lab_report(l);
	pthread_join(third.thread, NULL);
	assert_int_equal(third.r, 0);
	assert_int_equal(report.fetched, stored ? FETCHED - 280 : FETCHED);
	assert_int_equal(third.served.zeroes, 1);
	let(&p, 'r');
	end_well(l, &p);
}

static void test_fetched(void **state)
{
	fetch(*state, true);
}

/* Nothing came beforehand. */
static void test_fetched_all(void **state)
{
	fetch(*state, false);
}

static void body_reads(const struct lab *l)
{
	uint8_t *m = be_restored(l, 10);

	step('f');
	finish();
	want(lab_same(ID, m, BASE, 10));
	step('r');
}

/* A link that changes a bit is a broken one: the page is asked for again over the next. */
static void test_damaged(void **state)
{
	static const struct cr_page_run runs[] = {{BASE, 10, CR_PAGE_LAZY}};
	struct lab *l = *state;
	struct cr_pages_answer answer = {.magic = CR_PAGES_WIRE_MAGIC, .id = ID, .npages = 1};
	struct cr_pages_report report;
	struct cr_pages_request q;
	struct source good;
	struct err e = {0};
	struct process p;
	uint8_t page[PAGE];
	int pair[2], fd;

	lab_pagemap(l, ID, runs, 1);
	lab_source(l, pair);
	lab_start(l);
	close(pair[1]);
	p = spawn(l, body_reads);
	let(&p, 'b');
	let(&p, 'f');
	must(file_read_exactly(pair[0], &q, sizeof(q), &e));
	lab_fill(ID, q.vaddr, page);
	answer.vaddr = q.vaddr;
	answer.sum = cr_pages_sum(0, page, 1);
	page[77] ^= 1;
	must(file_write_all(pair[0], &answer, sizeof(answer), &e));
	must(file_write_all(pair[0], page, sizeof(page), &e));
	while (read(pair[0], page, sizeof(page)) > 0)
		; /* until the daemon has hung up */
	close(pair[0]);
	fd = start_source(&good, 0);
	must(cr_pages_daemon_feed(l->state, fd, fd, &e));
	close(fd);
	report = lab_report(l);
	pthread_join(good.thread, NULL);
	assert_int_equal(report.fetched, 10);
	let(&p, 'r');
	end_well(l, &p);
}

static void *read_tenth(void *m)
{
	return (void *)(uintptr_t) * (volatile uint8_t *)((uint8_t *)m + 9 * PAGE);
}

/* One thread waits for a page that another one removes: it reads zero, and waits no more. */
static void body_removes(const struct lab *l)
{
	uint8_t *m = be_restored(l, 10);
	pthread_t thread;
	void *value;

	want(pthread_create(&thread, NULL, read_tenth, m) == 0);
	step('w');
	want(madvise(m + 9 * PAGE, PAGE, MADV_DONTNEED) == 0);
	want(pthread_join(thread, &value) == 0 && !value);
	finish();
}

static void test_removed(void **state)
{
	static const struct cr_page_run runs[] = {{BASE, 10, CR_PAGE_LAZY}};
	struct lab *l = *state;
	struct process p;
	int pair[2];

	lab_pagemap(l, ID, runs, 1);
	lab_source(l, pair);
	lab_start(l);
	p = spawn(l, body_removes);
	let(&p, 'b');
	arrive(&p, 'w');
	/* The page was asked for, which nobody answers. */
	assert_int_equal(poll(&(struct pollfd){.fd = pair[0], .events = POLLIN}, 1, DEADLINE_MS),
			 1);
	go(&p, 'w');
	end_well(l, &p);
	close(pair[0]);
	close(pair[1]);
}

/* The restorer has its userfaultfd still: nobody may think that it is served to the end, even if nothing is missing. */
static void body_holds(const struct lab *l)
{
	uint8_t *m = be_held(l, 10);

	step('h');
	want(lab_zero(m, 10));
	close(held_uffd);
	finish();
}

static void test_nothing_missing(void **state)
{
	struct lab *l = *state;
	struct cr_pages_report report;
	struct err e = {0};
	struct process p;

	lab_pagemap(l, ID, NULL, 0);
	lab_start(l);
	p = spawn(l, body_holds);
	let(&p, 'b');
	arrive(&p, 'h');
	must(cr_pages_daemon_ask(l->state, &report, &e));
	go(&p, 'h');
	report = lab_report(l);
	assert_int_equal(report.total, 0);
	assert_int_equal(report.zeroed, 10);
	end_well(l, &p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pushed, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_changes, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_fetched, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_fetched_all, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_damaged, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_removed, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_nothing_missing, lab_set_up, lab_tear_down),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
