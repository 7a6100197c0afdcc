// SPDX-License-Identifier: GPL-2.0-only
/* The real skep-pages when the memory cannot be completed, or nobody needs it any more. */
#include "tests/unit/checkpoint/pages_lab.h"

#include <pthread.h>
#include <sys/pidfd.h>

#include "cgroups/freezer.h"
#include "checkpoint/pages_serve.h"
#include "tests/unit/checkpoint/pages_process.h"

struct source {
	pthread_t thread;
	int fd, gate, asked, r;
	struct cr_pages_served served;
	struct err e;
};

static void expect_lost(struct lab *l, const struct process *p, const char *why)
{
	auto_free char *log = NULL;
	struct err e = {0};
	int status = lab_end_of(p->pid);
	char word;

	/* It has not come to where it would have seen a page that is not its own. */
	while (read(p->steps, &word, 1) == 1)
		assert_int_not_equal(word, '!');
	close(p->steps);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_int_equal(cr_pages_wait(l->state, DEADLINE_MS, &e), -EIO);
	assert_int_equal(e.class, ERR_RESTORE);
	if (!strstr(e.text, why))
		fail_msg("'%s' is not in '%s'", why, e.text);
	e = (struct err){0};
	must(file_read_at(l->state, "console.log", 4096, &log, &e));
	assert_non_null(strstr(log, why));
}

/* Reads a page that never comes: SIGKILL ends it there, or it goes on and says so. */
static void body_waits(const struct lab *l)
{
	uint8_t *m = be_restored(l, 10);

	step('f');
	finish();
	want(*(volatile uint8_t *)(m + 5 * PAGE) != 1);
	step('!');
}

static void test_killed(void **state)
{
	static const struct cr_page_run runs[] = {{BASE, 10, CR_PAGE_LAZY}};
	struct cr_pages_report report;
	struct lab *l = *state;
	struct err e = {0};
	struct process p;
	int pair[2];

	lab_pagemap(l, ID, runs, 1);
	lab_source(l, pair);
	lab_start(l);
	p = spawn(l, body_waits);
	let(&p, 'b');
	let(&p, 'f');
	await_fault(l);
	assert_int_equal(pidfd_send_signal(l->d.pidfd, SIGTERM, NULL, 0), 0);
	must(cr_pages_daemon_ask(l->state, &report, &e)); /* that is no way to end it */
	assert_int_equal(pidfd_send_signal(l->d.pidfd, SIGKILL, NULL, 0), 0);
	expect_lost(l, &p, "skep-pages was killed");
	close(pair[0]);
	close(pair[1]);
}

/* Frozen, killed and removed at once: the kernel does not tell that it is empty. */
static void test_removed(void **state)
{
	static const struct cr_page_run runs[] = {{BASE, 10, CR_PAGE_LAZY}};
	struct lab *l = *state;
	struct err e = {0};
	struct process p;
	int pair[2];

	lab_pagemap(l, ID, runs, 1);
	lab_source(l, pair);
	lab_start(l);
	p = spawn(l, body_waits);
	let(&p, 'b');
	let(&p, 'f');
	await_fault(l);
	close(pair[0]);
	close(pair[1]);
	must(cg_freeze(&l->cg, DEADLINE_MS, &e));
	must(cg_kill(&l->cg, &e));
	assert_true(WIFSIGNALED(lab_end_of(p.pid)));
	close(p.steps);
	must(cg_destroy(l->group, DEADLINE_MS, &e));
	assert_int_equal(cr_pages_wait(l->state, DEADLINE_MS, &e), 0);
	assert_int_equal(faccessat(l->state, CR_PAGES_LOST_FILE, F_OK, 0), -1);
}

/* An image needs what nobody has. */
static void test_nowhere(void **state)
{
	static const struct cr_page_run runs[] = {{BASE, 10, CR_PAGE_LAZY}};
	struct lab *l = *state;
	struct cr_pages_need need;
	struct err e = {0};
	struct process p;

	lab_pagemap(l, ID, runs, 1);
	lab_store(l, ID, BASE, 9);
	must(cr_pages_check(l->store, l->images, &need, &e));
	assert_int_equal(need.lazy, 10);
	assert_int_equal(need.missing, 1);
	lab_start(l);
	p = spawn(l, body_waits);
	let(&p, 'b');
	expect_lost(l, &p, "1 pages of process 7 are nowhere");
}

static int refuse(uint32_t id, uint64_t vaddr, uint32_t npages, void *data, void *arg,
		  struct err *e)
{
	(void)id, (void)vaddr, (void)npages, (void)data, (void)arg, (void)e;
	return 0;
}

static void *serve_nothing(void *arg)
{
	struct source *s = arg;

	s->r = cr_pages_serve(s->fd, s->fd, refuse, NULL, s, &s->served, &s->e);
	close(s->fd);
	return NULL;
}

static void test_gone(void **state)
{
	static const struct cr_page_run runs[] = {{BASE, 10, CR_PAGE_LAZY}};
	struct lab *l = *state;
	struct source s = {0};
	struct process p;
	int pair[2];

	lab_pagemap(l, ID, runs, 1);
	lab_source(l, pair);
	s.fd = pair[0];
	lab_start(l);
	close(pair[1]);
	p = spawn(l, body_waits);
	let(&p, 'b');
	let(&p, 'f');
	assert_int_equal(pthread_create(&s.thread, NULL, serve_nothing, &s), 0);
	expect_lost(l, &p, "the source has no page");
	pthread_join(s.thread, NULL);
	assert_int_equal(s.r, -EPIPE);
}

/* criu ends before it has finished. */
static void body_abandoned(const struct lab *l)
{
	be_restored(l, 10);
	step('f');
	close(to_criu);
	step('a');
}

static void test_abandoned(void **state)
{
	static const struct cr_page_run runs[] = {{BASE, 10, CR_PAGE_LAZY}};
	struct lab *l = *state;
	struct process p;

	lab_pagemap(l, ID, runs, 1);
	lab_store(l, ID, BASE, 10);
	lab_start(l);
	p = spawn(l, body_abandoned);
	let(&p, 'b');
	let(&p, 'f');
	expect_lost(l, &p, "criu ended before the restore was finished");
}

static void body_ends(const struct lab *l)
{
	be_restored(l, 10);
	step('f');
	finish();
}

/* It ends by itself while a page is missing whose source is silent: nobody is waited for. */
static void test_ended(void **state)
{
	static const struct cr_page_run runs[] = {{BASE, 10, CR_PAGE_LAZY}};
	struct lab *l = *state;
	struct cr_pages_report report;
	struct process p;
	int pair[2];

	lab_pagemap(l, ID, runs, 1);
	lab_source(l, pair);
	lab_start(l);
	p = spawn(l, body_ends);
	let(&p, 'b');
	let(&p, 'f');
	report = lab_report(l);
	assert_int_equal(report.resident, 1);
	end_well(l, &p);
	close(pair[0]);
	close(pair[1]);
}

static int read_late(uint32_t id, uint64_t vaddr, uint32_t npages, void *data, void *arg,
		     struct err *e)
{
	const struct source *s = arg;
	char c = 0;

	(void)e;
	if (write(s->asked, &c, 1) != 1 || read(s->gate, &c, 1) < 0)
		return 0;
	for (uint32_t i = 0; i < npages; i++)
		lab_fill(id, vaddr + i * PAGE, (uint8_t *)data + i * PAGE);
	return (int)npages;
}

static void *serve_late(void *arg)
{
	struct source *s = arg;

	s->r = cr_pages_serve(s->fd, s->fd, read_late, NULL, s, &s->served, &s->e);
	close(s->fd);
	return NULL;
}

static void body_ends_later(const struct lab *l)
{
	be_restored(l, 100);
	step('f');
	finish();
	step('e');
}

/* The source is about to answer when the process ends: it learns that this was the end, and no break. */
static void test_late(void **state)
{
	static const struct cr_page_run runs[] = {{BASE, 100, CR_PAGE_LAZY}};
	struct lab *l = *state;
	struct source s = {0};
	struct process p;
	int pair[2], gate[2], asked[2];

	lab_pagemap(l, ID, runs, 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	assert_int_equal(pipe2(asked, O_CLOEXEC), 0);
	s.fd = pair[0];
	s.gate = gate[0];
	s.asked = asked[1];
	l->source[0] = l->source[1] = pair[1];
	assert_int_equal(pthread_create(&s.thread, NULL, serve_late, &s), 0);
	lab_start(l);
	close(pair[1]);
	p = spawn(l, body_ends_later);
	let(&p, 'b');
	let(&p, 'f');
	/* Else it might have ended before anybody asked for a page of its. */
	assert_int_equal(poll(&(struct pollfd){.fd = asked[0], .events = POLLIN}, 1, DEADLINE_MS),
			 1);
	let(&p, 'e');
	assert_int_equal(lab_report(l).resident, 1);
	close(gate[1]);
	pthread_join(s.thread, NULL);
	assert_int_equal(s.r, 0);
	assert_true(s.served.requests > 0);
	close(gate[0]);
	close(asked[0]);
	close(asked[1]);
	end_well(l, &p);
}

/* The restore did not come that far. */
static void test_cancelled(void **state)
{
	struct lab *l = *state;
	struct err e = {0};

	lab_start(l);
	assert_int_equal(cr_pages_resident(l->state, &e), 0);
	own_close_fd(&l->d.control);
	assert_int_equal(cr_pages_wait(l->state, DEADLINE_MS, &e), 0);
	assert_int_equal(faccessat(l->state, CR_PAGES_LOST_FILE, F_OK, 0), -1);
}

/* Two at once would be two who close userfaultfds. */
static void test_second(void **state)
{
	struct lab *l = *state;
	struct cr_pages_daemon d;
	struct err e = {0};

	must(lab_try_start(l, &e));
	d = l->d;
	assert_int_equal(lab_try_start(l, &e), -EWOULDBLOCK);
	assert_int_equal(e.class, ERR_LOCKED);
	l->d = d;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_killed, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_removed, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_nowhere, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_gone, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_abandoned, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_ended, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_late, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_cancelled, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(test_second, lab_set_up, lab_tear_down),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
